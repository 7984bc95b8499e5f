"""A cell run right after a restart: what it prints is heard by a client that was there before."""

from __future__ import annotations

import asyncio
from queue import Empty

import pytest

from .conftest import Kernel, Place

pytestmark = pytest.mark.docker


@pytest.fixture
def engine_name() -> str:
    return "docker"


async def printed(kernel: Kernel, seconds: float = 10) -> str:
    """What a cell prints whose request is sent at once, without waiting for the kernel."""
    sent = kernel.client.execute("print('here')")
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        try:
            message = await kernel.client.get_iopub_msg(timeout=1)
        except Empty:
            continue
        if message["parent_header"].get("msg_id") == sent and message["msg_type"] == "stream":
            return str(message["content"]["text"])
    return ""


async def test_the_first_output_after_a_restart_is_heard(place: Place):
    kernel = await place.started()
    heard = []
    for _ in range(10):
        await kernel.manager.restart_kernel(now=True)
        heard.append(await printed(kernel))
    assert heard == ["here\n"] * 10
