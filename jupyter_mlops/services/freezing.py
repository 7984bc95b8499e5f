"""Freezing a kernel's container into an image, while the kernel lives on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

from ..core.errors import EngineError, KernelDeadError, MlopsError
from ..core.layout import ENV_PREFIX
from ..core.ports import Engine, ImageConfig, Progress
from .freeze_lock import freezing

PYTHON = f"{ENV_PREFIX}/bin/python"

_SHARE = """
import os, sys
started, mine = float(sys.argv[1]), os.getuid()
for folder, folders, files in os.walk(sys.argv[2]):
    for name in [".", *files]:
        path = os.path.join(folder, name)
        try:
            found = os.lstat(path)
            if found.st_uid != mine or found.st_ctime < started or os.path.islink(path):
                continue
            mode = found.st_mode & 0o7777
            wanted = mode & ~0o070 | (mode & 0o700) >> 3
            if found.st_gid:
                os.chown(path, -1, 0)
            if mode != wanted or found.st_gid:
                os.chmod(path, wanted)
        except OSError:
            continue
"""
"""Gives what this user made below argv[2] since argv[1] (seconds) to group 0, with the user's
rights: whoever runs the image next may be somebody else, in group 0. Only what is new: touching a
file of the layers below would copy it up."""

_SIGNAL = "import os, signal, sys; os.kill(-1, getattr(signal, sys.argv[1]))"
"""To every process of the container but process 1 and itself."""


async def freeze(
    engine: Engine,
    container: str,
    started: float,
    config: ImageConfig,
    progress: Progress,
    runtime: Path,
) -> str:
    """Make an image of a running container; returns its id.

    ``started`` is when the container was started, in seconds since 1970. ``runtime``
    is the folder that all processes of this user share. Processes in the container stand still
    while the engine copies, and go on afterwards whatever happens. When this is cancelled, the
    image that the engine was making is removed. Raises KernelDeadError when the container
    does not run.
    """
    async with freezing(runtime):
        await _awake(engine, container)
        await _share(engine, container, started, progress)
        async with standing_still(engine, container):
            # The engine's work cannot be interrupted: wait for it, so that its image is not
            # forgotten and the container is not let go in the middle.
            commit = asyncio.ensure_future(engine.commit(container, config))
            try:
                return await asyncio.shield(commit)
            except asyncio.CancelledError:
                await asyncio.wait({commit})
                if not commit.cancelled() and commit.exception() is None:
                    await engine.remove_image(commit.result(), force=True)
                raise


async def check_alive(engine: Engine, container: str) -> None:
    """Raises KernelDeadError unless the container runs."""
    state = await engine.inspect(container)
    if state is None or state.phase not in ("running", "paused"):
        raise KernelDeadError(
            "The kernel does not run any more, and what was installed in it is gone.",
            "Start the kernel, run the notebook again, and freeze it while the kernel lives.",
        )


async def _awake(engine: Engine, container: str) -> None:
    """Whoever froze it before was killed in the middle: nobody else holds the lock."""
    await check_alive(engine, container)
    state = await engine.inspect(container)
    if state is not None and state.phase == "paused":
        await engine.unpause(container)
    elif not (await engine.info()).pause:
        await _signal(engine, container, "SIGCONT")


@asynccontextmanager
async def standing_still(engine: Engine, container: str) -> AsyncIterator[None]:
    """Nothing in the container moves within this block, so files are copied whole."""
    capabilities = await engine.info()
    if capabilities.pause:
        try:
            await engine.pause(container)
            yield
        finally:
            await _whatever_happens(engine.unpause(container))
        return
    # Rootless engines on old kernels cannot pause; a user may still stop own processes.
    try:
        await _signal(engine, container, "SIGSTOP")
        yield
    finally:
        await _whatever_happens(_signal(engine, container, "SIGCONT"))


async def _whatever_happens(work: Coroutine[None, None, None]) -> None:
    """Run to its end even when the surrounding task is cancelled (again)."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
    except MlopsError:
        # The container or the engine went away meanwhile: the error that led here says so.
        pass


async def _signal(engine: Engine, container: str, name: str) -> None:
    code, _ = await engine.exec(container, [PYTHON, "-I", "-c", _SIGNAL, name])
    # Nothing but process 1 to signal is an error of kill, and no trouble.
    if code not in (0, 1):
        raise EngineError(f"The processes of the kernel's container did not take {name}.")


async def _share(engine: Engine, container: str, started: float, progress: Progress) -> None:
    code, _ = await engine.exec(
        container,
        # A second of doubt: clocks of files are coarser than those of engines.
        [PYTHON, "-I", "-c", _SHARE, str(started - 1), ENV_PREFIX],
        on_output=progress.log,
    )
    if code != 0:
        progress.log(
            "What you installed could not be made changeable for others; they can use it, and "
            f"install further packages, but not upgrade these (exit code {code}).\n"
        )
