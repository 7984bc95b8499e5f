"""CurveZMQ for kernels that are reached over TCP, where both sides know it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import zmq
from jupyter_client.connect import ConnectionFileMixin

from .transports import Curve

if TYPE_CHECKING:
    from .control import Supervisor

_FIRST = (7, 3)
"""The ipykernel that encrypts when its connection file has keys; older ones ignore them."""


async def new_curve(supervisor: Supervisor, language: str) -> Curve | None:
    """None when the kernel in the container, or jupyter_client (before 8.9), would ignore it."""
    if language != "python" or not _client_knows() or not zmq.has("curve"):
        return None
    answer = await supervisor.request("version", distribution="ipykernel")
    found = re.match(r"(\d+)\.(\d+)", answer["version"])
    if found is None or (int(found[1]), int(found[2])) < _FIRST:
        return None
    return Curve(*zmq.curve_keypair())


def _client_knows() -> bool:
    return hasattr(ConnectionFileMixin, "curve_publickey")
