"""A kernel that was started, until its clients hear what it says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from .control import Supervisor
from .transports import Transport

RECONNECT_MS = 5
"""How soon sockets of this process look again for a kernel that was not there."""

_BIND_SECONDS = 30.0
_TCP_MS = 50
"""More, where the engine's proxy is between, and both sides prove who they are."""
_FOREIGN_MS = 250
"""ZeroMQ looks again after 100 ms and, to keep clients apart, at random up to as much more."""


async def reachable(
    transport: Transport,
    supervisor: Supervisor,
    ended: Callable[[], bool],
    *,
    clients: bool,
    foreign: bool,
) -> None:
    """Return once the kernel can be connected to, has ``ended``, or takes longer than anybody
    waits: who waits for its answers has limits of his own.

    A forked kernel answers some 20 ms after its sockets are there, but where ``clients`` were there
    first, they look again only after a while, each socket apart: the first request would arrive
    before anybody hears its output. ``foreign`` ones are not of this process.
    """
    deadline = time.monotonic() + _BIND_SECONDS
    while not await transport.bound(supervisor) and not ended():
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(0.002)
    if clients:
        wait = _FOREIGN_MS if foreign else 2 * RECONNECT_MS
        await asyncio.sleep((wait + (_TCP_MS if transport.encrypts else 0)) / 1000)
