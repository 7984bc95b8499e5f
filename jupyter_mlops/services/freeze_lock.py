"""One freezes at a time, and starts no process in a container that is about to stand still.

Docker (20.10) starts a process holding a lock that pausing has to have, and the process starts only
when it can run: where the two meet, the container can be neither inspected, continued nor removed
until Docker is restarted. So whoever asks a running kernel's container something says so here.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def freezing(runtime: Path) -> AsyncIterator[None]:
    """Alone among all processes of this user, whose ``runtime`` folder it is."""
    async with _passed(runtime, fcntl.LOCK_EX):
        yield


@asynccontextmanager
async def looking(runtime: Path) -> AsyncIterator[None]:
    """With others that look, while nobody freezes."""
    async with _passed(runtime, fcntl.LOCK_SH):
        yield


@asynccontextmanager
async def _passed(runtime: Path, kind: int) -> AsyncIterator[None]:
    """By a gate: else those that look, one after the other, would leave no room for one that
    freezes."""
    async with AsyncExitStack() as held:
        async with _held(runtime / "freeze.gate", fcntl.LOCK_EX):
            await held.enter_async_context(_held(runtime / "freeze.lock", kind))
        yield


@asynccontextmanager
async def _held(file: Path, kind: int) -> AsyncIterator[None]:
    with file.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.05)
        yield  # Closing the file gives the lock back, as does the end of the process.
