"""Waiting for what another task, thread or process does, without a fixed pause."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable

import anyio


async def wait_until(true: Callable[[], bool | Awaitable[bool]], seconds: float = 20) -> None:
    """Asked every few milliseconds; fails when it does not become true in time."""
    end = time.monotonic() + seconds
    for _ in range(int(seconds / 0.02)):
        answer = true()
        if await answer if inspect.isawaitable(answer) else answer:
            return
        if time.monotonic() > end:
            break
        await anyio.sleep(0.02)
    raise AssertionError(f"it did not become true in {seconds} seconds")
