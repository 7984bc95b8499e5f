"""Our kernels among those of the Jupyter server: shown from its start, ended before its end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from pathlib import Path
from typing import Any

import anyio.to_thread
from jupyter_server.serverapp import ServerApp

from ..config import Mlops


async def show_kernels(serverapp: ServerApp) -> None:
    """Append our folder. Where it will be is known from the configuration alone."""
    # The path's default imports IPython: in a thread that does not hold up the first requests.
    with contextlib.suppress(ImportError):
        await anyio.to_thread.run_sync(importlib.import_module, "IPython.paths")
    folder = _folder(serverapp)
    # A manager of kernels elsewhere, such as a gateway, has no folders.
    kernel_dirs = getattr(serverapp.kernel_spec_manager, "kernel_dirs", None)
    if kernel_dirs is not None and str(folder) not in kernel_dirs:
        kernel_dirs.append(str(folder))


def _folder(serverapp: ServerApp) -> Path:
    return Path(Mlops(config=serverapp.config).data_dir).expanduser() / "kernels"


async def shut_down_kernels(serverapp: ServerApp) -> None:
    """End kernels in containers while engine and records are still open to them.

    The server shuts all kernels down by itself, but only after its extensions have stopped.
    """
    manager: Any = serverapp.kernel_manager
    ours = [
        id
        for id in getattr(manager, "list_kernel_ids", list)()
        if manager.get_kernel(id).kernel_name.startswith("mlops-")
    ]
    ends = await asyncio.gather(
        *(manager.shutdown_kernel(id) for id in ours), return_exceptions=True
    )
    for id, end in zip(ours, ends, strict=True):
        if isinstance(end, Exception):
            serverapp.log.warning("jupyter-mlops: kernel %s did not shut down: %s", id, end)
