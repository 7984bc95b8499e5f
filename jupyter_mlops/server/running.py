"""The services while the server runs: made when first needed, closed with the server."""

from __future__ import annotations

import asyncio
import importlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from traitlets.config import Config

from .adoption import Adoption
from .events import Emitter
from .questions import Questions

if TYPE_CHECKING:
    from jupyter_events import EventLogger

    from ..wiring import Services

START_DELAY = 1.0
"""Seconds after the server's start until the services are made, if nobody asked before: the
first pages of the browser come first."""


class Running:
    """What the handlers share. The engine's and the database's libraries are imported in a
    thread by the first call of ``services``, so that the server starts without them."""

    def __init__(
        self,
        config: Config,
        event_logger: EventLogger,
        adoption: Adoption,
        log: logging.Logger,
    ) -> None:
        self._config = config
        self._adoption = adoption
        self._log = log
        self._making: asyncio.Task[Services] | None = None
        self._started: asyncio.Task[None] | None = None
        self.emitter = Emitter(event_logger)
        self.questions = Questions(self.emitter.secrets)

    async def services(self) -> Services:
        if self._making is None:
            self._making = asyncio.create_task(self._make(), name="jupyter-mlops services")
        making = self._making
        try:
            # One request that is closed by its browser must not end it for the others.
            return await asyncio.shield(making)
        except Exception:
            # What is wrong now (a full disk, …) may be right at the next request.
            if self._making is making:
                self._making = None
            raise

    def start(self) -> None:
        """Make the services, take kernels over, and clean up what a server that was killed left,
        soon; at once when kernels wait for it."""
        self._started = asyncio.create_task(self._start(), name="jupyter-mlops start")

    async def close(self) -> None:
        if self._started is not None:
            self._started.cancel()
            await asyncio.gather(self._started, return_exceptions=True)
        self.emitter.close()
        if self._making is not None:
            (services,) = await asyncio.gather(self._making, return_exceptions=True)
            self._making = None
            if not isinstance(services, BaseException):
                await services.close()

    async def _make(self) -> Services:
        wiring: Any = await anyio.to_thread.run_sync(
            importlib.import_module, "jupyter_mlops.wiring"
        )
        services: Services = wiring.build(self._config, self.emitter.operation)
        parts = wiring.provisioner_parts(self._config)
        parts.on_event, parts.ask = self.emitter.kernel, self.questions.ask
        services.warm.start(Path(self._adoption.root))
        interrupted = await services.operations.recover()
        if interrupted:
            self._log.info("jupyter-mlops: %d operations were interrupted", interrupted)
        return services

    async def _start(self) -> None:
        if not self._adoption.expected:
            await asyncio.sleep(START_DELAY)
        try:
            services = await self.services()
            await self._adoption.adopt(services)
            removed = await services.kernels.collect() + await services.environments.collect()
            if removed:
                self._log.info("jupyter-mlops: %d orphaned containers were removed", removed)
            await services.rebuilds.resume()
        except Exception as error:
            # No engine yet, for instance: whoever uses us sees the same error, and what to do.
            self._log.warning("jupyter-mlops: cleaning up at the start failed: %s", error)
        finally:
            self._adoption.give_up()
