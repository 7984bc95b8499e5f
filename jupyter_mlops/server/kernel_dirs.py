"""The folder of our kernel specs, on the path where Jupyter looks for them."""

from __future__ import annotations

import contextlib
import importlib
from pathlib import Path

import anyio.to_thread
from jupyter_server.serverapp import ServerApp

from ..config import Mlops


async def show_kernels(serverapp: ServerApp) -> None:
    """Append our folder. Where it will be is known from the configuration alone."""
    # The path's default imports IPython: in a thread that does not hold up the first requests.
    with contextlib.suppress(ImportError):
        await anyio.to_thread.run_sync(importlib.import_module, "IPython.paths")
    folder = Path(Mlops(config=serverapp.config).data_dir).expanduser() / "kernels"
    # A manager of kernels elsewhere, such as a gateway, has no folders.
    kernel_dirs = getattr(serverapp.kernel_spec_manager, "kernel_dirs", None)
    if kernel_dirs is not None and str(folder) not in kernel_dirs:
        kernel_dirs.append(str(folder))
