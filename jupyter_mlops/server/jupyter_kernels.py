"""Our kernels among those of the Jupyter server: shown from its start, ended before its end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyter_server.serverapp import ServerApp

from ..config import Mlops
from .adoption import Adoption


def show_kernels(serverapp: ServerApp) -> None:
    """Append our folder. Where it will be is known from the configuration alone."""
    folder = str(_folder(serverapp))
    manager: Any = serverapp.kernel_spec_manager
    # A manager of kernels elsewhere, such as a gateway, has no folders.
    if not manager.has_trait("kernel_dirs"):
        return
    given = getattr(manager, "_kernel_dirs_default", None)
    if manager.trait_has_value("kernel_dirs") or given is None:
        manager.kernel_dirs = [*manager.kernel_dirs, folder]
    else:
        # The default imports IPython: not before somebody asks for kernels, so that the server
        # starts without it.
        manager._kernel_dirs_default = lambda _manager: [*given(), folder]


def _folder(serverapp: ServerApp) -> Path:
    return Path(Mlops(config=serverapp.config).data_dir).expanduser() / "kernels"


async def shut_down_kernels(serverapp: ServerApp, adoption: Adoption) -> None:
    """End kernels in containers while engine and records are still open to them, or leave them
    for the next server.

    The server shuts all kernels down by itself, but only after its extensions have stopped.
    """
    manager: Any = serverapp.kernel_manager
    ours = [
        id
        for id in getattr(manager, "list_kernel_ids", list)()
        if manager.get_kernel(id).kernel_name.startswith("mlops-")
    ]
    ours = await adoption.keep(ours)
    ends = await asyncio.gather(
        *(manager.shutdown_kernel(id) for id in ours), return_exceptions=True
    )
    for id, end in zip(ours, ends, strict=True):
        if isinstance(end, Exception):
            serverapp.log.warning("jupyter-mlops: kernel %s did not shut down: %s", id, end)
