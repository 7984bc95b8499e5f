"""Runs notebooks in kernel containers, without a Jupyter server.

nbclient and nbformat cost a second to import, so only a run does.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from traitlets.config import Config

from ..core.errors import InvalidError, KernelDeadError, NotFoundError
from ..core.settings import Settings
from .specs import KernelSpecFolder

if TYPE_CHECKING:
    from nbclient import NotebookClient

_START_SECONDS = 120
ORIGIN = "jupyter_mlops"
"""Where a notebook keeps which environment its outputs come from; so does its kernel spec."""


class ContainerNotebooks:
    """Implements ``ports.NotebookRunner``."""

    def __init__(self, settings: Settings, specs: KernelSpecFolder) -> None:
        self._settings = settings
        self._specs = specs

    async def run(
        self,
        notebook: Path,
        *,
        kernel_name: str,
        output: Path,
        timeout: float | None,
        allow_errors: bool,
        on_cell: Callable[[int, int, float], None],
        keep: Callable[[str], Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        """``on_cell`` counts code cells, from 1; ``timeout`` is for each cell, in seconds."""
        from nbclient import NotebookClient

        content, path = await asyncio.to_thread(_read, notebook)
        manager = self._manager(kernel_name, {**(extra or {}), "given": dict(secrets or {})})
        client = NotebookClient(
            content,
            km=manager,
            kernel_name=kernel_name,
            timeout=timeout,
            startup_timeout=_START_SECONDS,
            allow_errors=allow_errors,
            resources={"metadata": {"path": str(path.parent)}},
        )
        # The pieces of client.async_execute, which replaces this process's signal handlers:
        # a Jupyter server that ran a notebook could not be stopped any more.
        client.reset_execution_trackers()
        clean = False
        try:
            await client.async_start_new_kernel(env={**os.environ, "JPY_SESSION_NAME": str(path)})
            await client.async_start_new_kernel_client()
            try:
                await self._execute(client, manager, notebook.name, on_cell)
            finally:
                await asyncio.to_thread(_write, client, output)
            if keep is not None:
                await keep(manager.kernel_id)
            clean = True
        finally:
            if client.kc is not None:
                client.kc.stop_channels()
            if manager.has_kernel:
                await manager.shutdown_kernel(now=not clean)
            await manager.cleanup_resources()

    def _manager(self, kernel_name: str, extra: Mapping[str, Any]) -> AsyncKernelManager:
        specs = KernelSpecManager(kernel_dirs=[str(self._specs.path)], ensure_native_kernel=False)
        manager = AsyncKernelManager(
            kernel_name=kernel_name, kernel_spec_manager=specs, config=_config(self._settings)
        )
        try:
            spec = manager.kernel_spec
        except NoSuchKernel:
            spec = None
        if spec is None:
            raise NotFoundError(
                f"There is no kernel {kernel_name}.",
                "Build its environment, or open its snapshot, first.",
            )
        spec.metadata["kernel_provisioner"]["config"].update(extra)
        return manager

    async def _execute(
        self,
        client: NotebookClient,
        manager: AsyncKernelManager,
        name: str,
        on_cell: Callable[[int, int, float], None],
    ) -> None:
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

        cells = client.nb.cells
        total = sum(cell.cell_type == "code" for cell in cells)
        done = 0
        try:
            assert client.kc is not None
            info = await client.async_wait_for_reply(client.kc.kernel_info())
            if info is not None:
                client.nb.metadata["language_info"] = info["content"]["language_info"]
            spec = manager.kernel_spec
            if spec is not None:
                client.nb.metadata[ORIGIN] = dict(spec.metadata[ORIGIN])
            for index, cell in enumerate(cells):
                if cell.cell_type != "code":
                    continue
                started = time.monotonic()
                await client.async_execute_cell(
                    cell, index, execution_count=client.code_cells_executed + 1
                )
                done += 1
                on_cell(done, total, time.monotonic() - started)
        except DeadKernelError:
            if await manager.is_alive():
                # nbclient takes every cancellation for a dead kernel.
                raise asyncio.CancelledError from None
            event = getattr(manager.provisioner, "last_event", None)
            raise KernelDeadError(
                f"Code cell {done + 1} of {name} ended the kernel. "
                + (event.message if event else ""),
                event.hint if event else "",
            ) from None
        except CellTimeoutError:
            raise InvalidError(
                f"Code cell {done + 1} of {name} did not end within {client.timeout:g} s."
            ) from None
        except CellExecutionError as error:
            raise InvalidError(
                f"Code cell {done + 1} of {name} failed: "
                f"{': '.join(filter(None, (error.ename, error.evalue)))}",
                "Open the executed notebook to see where.",
            ) from None


def _read(notebook: Path) -> tuple[Any, Path]:
    """Its content, and its absolute path."""
    nbformat: Any = importlib.import_module("nbformat")
    try:
        return nbformat.read(notebook, as_version=4), notebook.absolute()
    except FileNotFoundError:
        raise NotFoundError(f"There is no notebook {notebook}.") from None
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError) as error:
        raise InvalidError(f"{notebook} is not a notebook.") from error


def _write(client: NotebookClient, output: Path) -> None:
    client.set_widgets_metadata()
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    importlib.import_module("nbformat").write(client.nb, partial)
    partial.replace(output)


def _config(settings: Settings) -> Config:
    """The traits that ``settings`` were made from: the provisioner makes its parts from them."""
    network = settings.network
    return Config(
        {
            "Mlops": {
                "data_dir": str(settings.data),
                "runtime_dir": str(settings.runtime),
                "owner": settings.owner,
                "engine": settings.engine,
                "engine_url": settings.engine_url,
                "index_url": network.index_url,
                "extra_index_urls": list(network.extra_index_urls),
                "ca_bundle": network.ca_bundle,
                "proxies": dict(network.proxies),
                "apt_mirror": network.apt_mirror,
                "cran_mirror": network.cran_mirror,
                "secrets": dict(settings.secrets),
                "max_resources": {
                    name: value
                    for name, value in asdict(settings.max_resources).items()
                    if value is not None
                },
            }
        }
    )
