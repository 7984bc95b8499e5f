"""Kernels outlive their Jupyter server: what this server leaves behind, and what it takes over."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from datetime import timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from jupyter_server.serverapp import ServerApp

from ..config import Mlops
from ..core.errors import EngineUnavailableError, KernelDeadError
from ..core.handover import Use
from ..core.kernel_folder import kernel_folder
from ..services.handover import read_launch, read_use, waiting, write_use
from .held_requests import HeldRequests
from .session_rows import SessionRows

if TYPE_CHECKING:
    from ..core.kernel import KernelRecord
    from ..wiring import Services

ACTIVITY_SECONDS = 10.0
"""So much of a kernel's last activity may be forgotten when the server is killed."""


class Adoption:
    """For one server. Loads nothing heavy, and does nothing where kernels are elsewhere, such as
    behind a gateway."""

    def __init__(self, serverapp: ServerApp) -> None:
        self._serverapp = serverapp
        self._log = serverapp.log
        self._manager: Any = serverapp.kernel_manager
        settings = Mlops(config=serverapp.config)
        self._runtime = Path(settings.runtime_dir).expanduser().absolute()
        self._keep = settings.keep_kernels
        self._here = hasattr(self._manager, "start_watching_activity")
        self._requests = HeldRequests(serverapp.web_app, serverapp.base_url)
        self._sessions = SessionRows(serverapp, self._write_use)
        self._written: dict[str, Use] = {}
        self._adopter: Any = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def expected(self) -> bool:
        """Kernels seem to wait for this server; requests for them are held until ``adopt``."""
        return self._requests.holding

    def prepare(self) -> None:
        """Before the first request."""
        if self._here and waiting(self._runtime, self.root):
            self._requests.hold()

    def start(self) -> None:
        if self._here:
            self._sessions.follow()
            self._watching = asyncio.create_task(self._watch(), name="jupyter-mlops activity")

    async def adopt(self, services: Services) -> None:
        """Take over what a server on the same root folder left; the rest is cleaned up."""
        try:
            if not self._here:
                return
            found = await services.kernels.left_behind(self.root)
            await asyncio.gather(*(self._adopt(services, record) for record in found))
        finally:
            self._requests.release()

    def give_up(self) -> None:
        """It failed: answer requests all the same."""
        self._requests.release()

    async def keep(self, kernel_ids: list[str]) -> list[str]:
        """At the server's end. Returns those that must be shut down instead."""
        if not self._keep:
            return kernel_ids
        adopter = await self._made()
        left = []
        for kernel_id in kernel_ids:
            kernel = self._manager.get_kernel(kernel_id)
            if not (kernel.ready.done() and await kernel.is_alive()):
                left.append(kernel_id)
                continue
            self._write_use(kernel_id)
            await adopter.release(kernel_id)
            self._log.info("jupyter-mlops: kernel %s is left for the next server", kernel_id)
        return left

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if self._adopter is not None:
            await self._adopter.close()

    async def _adopt(self, services: Services, found: KernelRecord) -> None:
        record = await services.kernels.claim(found)
        if record is None:
            return  # Another server was quicker.
        adopter = await self._made()
        try:
            use = await self._take_over(adopter, record)
        except Exception as error:
            self._log.warning(
                "jupyter-mlops: kernel %s could not be taken over and is removed: %s",
                record.id,
                error,
            )
            with contextlib.suppress(EngineUnavailableError):
                await services.kernels.discard(record)
            return
        for row in use.sessions:
            await self._sessions.restore(record.id, row)
        self._log.info("jupyter-mlops: kernel %s of the last server is back", record.id)

    async def _take_over(self, adopter: Any, record: KernelRecord) -> Use:
        """Returns who used the kernel. Raises KernelDeadError when it cannot be taken over."""
        folder = kernel_folder(self._runtime, record.id)
        launch = read_launch(folder)
        if launch is None:
            raise KernelDeadError("Its server ended while it was started.")
        use = read_use(folder)
        await adopter.adopt(record, launch, use)
        return use

    async def _made(self) -> Any:
        if self._adopter is None:
            wiring: Any = await anyio.to_thread.run_sync(
                importlib.import_module, "jupyter_mlops.wiring"
            )
            self._adopter = self._adopter or wiring.adopter(self._manager)
        return self._adopter

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(ACTIVITY_SECONDS)
            for kernel_id in self._manager.list_kernel_ids():
                self._write_use(kernel_id)

    def _write_use(self, kernel_id: str) -> None:
        """A small file, when it changed. Kernels that are not ours have no folder."""
        folder = kernel_folder(self._runtime, kernel_id)
        if kernel_id not in self._manager or not folder.is_dir():
            self._written.pop(kernel_id, None)
            return
        active = getattr(self._manager.get_kernel(kernel_id), "last_activity", None)
        moment = active.astimezone(timezone.utc).isoformat() if active else ""
        use = Use(self._sessions.of(kernel_id), moment)
        if self._written.get(kernel_id) != use:
            try:
                write_use(folder, use)
            except OSError as error:
                self._log.warning("jupyter-mlops: %s cannot be written: %s", folder, error)
                return
            self._written[kernel_id] = use

    @property
    def root(self) -> str:
        """The folder that the server serves."""
        return str(Path(self._manager.root_dir))
