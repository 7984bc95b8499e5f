"""Warm containers: supervisor up, zygote loaded, no kernel yet.

Any process of their owner takes one, Jupyter servers alone make them. A record in the store says
that one is there; it changes hands by one atomic step, so of two processes that want it, one gets
it. The folder of its sockets is then renamed to the kernel's: the container has it mounted, and
follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from ..core.errors import EngineUnavailableError, KernelDeadError
from ..core.kernel import KernelRecord
from ..core.ports import EngineProvider, Store
from ..core.settings import Settings
from .container import HOME, user_name
from .control import Event, Supervisor
from .endpoint import Endpoint
from .plans import read_plans, write_plans
from .starting import KernelContainers, Plan
from .variables import kernel_environment

_log = logging.getLogger("ServerApp")

_IDLE_SECONDS = 2.0
"""Since the last start of a kernel: its first cells come before the next container."""
_LOOK_SECONDS = 30.0
_UNUSED_SECONDS = 3600.0
"""A container for something that nobody has started for so long is removed."""
_ANSWER_SECONDS = 2.0
_BEGUN = "begun"
"""Instead of a key: nobody takes a container that is being made."""


@dataclass
class _Wanted:
    plan: Plan
    used: float
    """On the monotonic clock."""


class Pool:
    """Of one configuration, in one process. Makes containers between ``start`` and ``close``."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        engines: EngineProvider,
        containers: KernelContainers,
    ) -> None:
        self._settings = settings
        self._store = store
        self._engines = engines
        self._containers = containers
        self._new: deque[Plan] = deque(maxlen=8)
        self._wanted: dict[str, _Wanted] = {}
        """By key, the most recently used last."""
        self._file = settings.data / "warm.json"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._wake: asyncio.Event | None = None

    # ------------------------------------------------------------------------------- take

    async def take(
        self,
        plan: Plan,
        kernel: KernelRecord,
        endpoint: Endpoint,
        on_event: Callable[[Event], None],
    ) -> tuple[KernelRecord, Supervisor] | None:
        """Make a warm container that of ``kernel``. None when there is none, or none that lives."""
        records = [r for r in await self._store.kernels.list(image=plan.image) if r.warm]
        if not records:
            return None
        key = await self._containers.key(plan, endpoint)
        for record in records:
            if record.warm != key or record.owner != self._settings.owner:
                continue
            mine = await self._claim(record)
            if mine is None:
                continue
            taken = replace(kernel, container=mine.container)
            # Before the folder moves: after a crash in between, both records are found.
            await self._store.kernels.save(taken)
            supervisor = await self._move(mine, endpoint, on_event)
            if supervisor is not None:
                await self._store.kernels.delete(mine.id)
                return taken, supervisor
            await self._store.kernels.delete(kernel.id)
            await self._discard(mine)
        return None

    async def _claim(self, record: KernelRecord) -> KernelRecord | None:
        mine = record.owned_by(os.getpid(), datetime.now(timezone.utc))
        return mine if await self._store.kernels.swap(record, mine) else None

    async def _move(
        self, record: KernelRecord, endpoint: Endpoint, on_event: Callable[[Event], None]
    ) -> Supervisor | None:
        supervisor = None
        try:
            self._endpoint(record.id).become(endpoint)
            supervisor = await endpoint.connect(on_event)
            await supervisor.request("status", timeout=_ANSWER_SECONDS)
        except (OSError, KernelDeadError):
            if supervisor is not None:
                supervisor.close()
            endpoint.remove()
            return None
        return supervisor

    # ------------------------------------------------------------------------------- keep

    def used(self, plan: Plan) -> None:
        """A kernel was started by this plan: the next one may find a warm container."""
        if not plan.environment or plan.snapshot:
            return
        self._new.append(plan)
        loop, wake = self._loop, self._wake
        if loop is not None and wake is not None and not loop.is_closed():
            loop.call_soon_threadsafe(wake.set)

    def start(self, root: Path) -> None:
        """Make containers from now on, on the running loop: for the kernels started last, by this
        server or by the one before it on the same ``root`` folder."""
        if self._keeping is None and self._settings.warm_kernels:
            for plan in read_plans(self._file):
                if plan.workspace.folder == root:
                    self._new.append(replace(plan, process=self._process(plan)))
            self._loop = asyncio.get_running_loop()
            self._wake = asyncio.Event()
            self._wake.set()
            self._keeping = asyncio.create_task(self._keep(), name="jupyter-mlops warm containers")

    async def close(self) -> None:
        """Remove those that this process made and nobody took."""
        keeping, self._keeping, self._loop = self._keeping, None, None
        if keeping is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            for record in await self._made():
                await self._remove(record)

    async def _keep(self) -> None:
        assert self._wake is not None
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _LOOK_SECONDS)
            while self._wake.is_set():
                self._wake.clear()
                await asyncio.sleep(_IDLE_SECONDS)
            try:
                await self._look()
            except Exception as error:
                # Kernels start without them; the next look may fare better.
                _log.warning("jupyter-mlops: no warm container could be made: %s", error)

    def _process(self, plan: Plan) -> dict[str, str]:
        """The environment of a kernel's process, but for what is the notebook's own."""
        network = None if plan.limits.network == "none" else self._settings.network
        return kernel_environment(
            {}, spec_names=(), public=plan.variables, network=network, home=HOME, user=user_name()
        )

    async def _look(self) -> None:
        """Remove what is not wanted any more, and make what is missing."""
        changed = bool(self._new)
        while self._new:
            plan = self._new.popleft()
            key = await self._containers.key(plan, self._endpoint(_name()))
            self._wanted.pop(key, None)
            self._wanted[key] = _Wanted(plan, time.monotonic())
        for key, wanted in list(self._wanted.items()):
            if not await self._current(wanted):
                del self._wanted[key]
        newest = list(self._wanted)[::-1][: self._settings.warm_kernels]
        if changed:
            write_plans(self._file, [self._wanted[key].plan for key in reversed(newest)])
        there: dict[str, tuple[KernelRecord, int]] = {}
        for record in await self._made():
            memory = await self._memory(record)
            if record.warm in newest and record.warm not in there and memory is not None:
                there[record.warm] = record, memory
            else:
                await self._remove(record)
        left = self._settings.warm_memory
        for key in newest:
            record, memory = there.get(key) or await self._make(key)
            left -= memory
            if left < 0:
                del self._wanted[key]
                await self._remove(record)
                _log.info(
                    "jupyter-mlops: no warm container for %s: it would take %.0f MiB more than "
                    "Mlops.warm_memory allows",
                    record.environment,
                    -left / 1024**2,
                )
                left += memory

    async def _current(self, wanted: _Wanted) -> bool:
        if time.monotonic() - wanted.used > _UNUSED_SECONDS:
            return False
        environment = await self._store.environments.get(wanted.plan.environment)
        return environment is not None and environment.active == wanted.plan.revision

    async def _make(self, key: str) -> tuple[KernelRecord, int]:
        """The record of a new warm container, and the bytes that it uses."""
        plan = self._wanted[key].plan
        begun = record = self._record(plan)
        endpoint = self._endpoint(begun.id)
        await self._store.kernels.save(begun)
        try:
            container = await self._containers.start(plan, endpoint, begun.id)
            record = replace(begun, container=container, warm=key)
            (await self._containers.connect(container, endpoint, _ignore)).close()
            memory = await self._memory(record)
            if memory is None or not await self._store.kernels.swap(begun, record):
                raise KernelDeadError("It ended, or was removed, while it was made.")
        except BaseException:
            # Not again before somebody starts such a kernel, and sees the error.
            self._wanted.pop(key, None)
            await asyncio.shield(self._discard(record))
            raise
        return record, memory

    def _record(self, plan: Plan) -> KernelRecord:
        name = _name()
        record = plan.record(name, self._endpoint(name), self._settings.owner)
        return replace(record, project=record.workspace, warm=_BEGUN)

    async def _made(self) -> list[KernelRecord]:
        records = await self._store.kernels.list()
        return [r for r in records if r.warm and r.pid == os.getpid()]

    async def _memory(self, record: KernelRecord) -> int | None:
        """Bytes that its container uses; None when it does not answer."""
        supervisor = None
        try:
            supervisor = await self._endpoint(record.id).connect(_ignore)
            answer = await supervisor.request("status", timeout=_ANSWER_SECONDS)
        except (OSError, KernelDeadError):
            return None
        finally:
            if supervisor is not None:
                supervisor.close()
        return int(answer.get("memory", 0))

    async def _remove(self, record: KernelRecord) -> None:
        mine = await self._claim(record)
        if mine is not None:
            await self._discard(mine)

    async def _discard(self, record: KernelRecord) -> None:
        """A container that this process owns. While the engine is gone, the record stays."""
        with contextlib.suppress(EngineUnavailableError):
            await (await self._engines.engine()).remove(record.container)
            self._endpoint(record.id).remove()
            await self._store.kernels.delete(record.id)

    def _endpoint(self, name: str) -> Endpoint:
        return Endpoint(self._settings.runtime, name)


def _name() -> str:
    return f"warm-{secrets.token_hex(8)}"


def _ignore(_event: Event) -> None: ...
