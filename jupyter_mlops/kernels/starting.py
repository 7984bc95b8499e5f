"""Makes the containers of kernels, and reaches the supervisors in them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..core.errors import EngineError, KernelDeadError, NotFoundError, UnsupportedError
from ..core.kernel import KernelRecord
from ..core.layout import LABEL_KERNEL
from ..core.limits import KernelLimits
from ..core.ports import Capabilities, ContainerSpec, Engine, EngineProvider
from ..core.settings import Settings
from .container import container_name, container_spec, passwd
from .control import Event, Supervisor
from .endpoint import Endpoint
from .transports import Tcp
from .workspace import Workspace

_CONNECT_SECONDS = 60.0
_ANSWER_SECONDS = 2.0
"""A supervisor that is not paused answers in a millisecond."""


@dataclass(frozen=True)
class Plan:
    """What a container is to be, whichever kernel it becomes the container of."""

    image: str
    """Image id."""
    environment: str
    revision: int
    snapshot: str
    limits: KernelLimits
    variables: Mapping[str, str]
    workspace: Workspace
    home: Path
    argv: tuple[str, ...]
    process: Mapping[str, str]
    """The environment of the first kernel's process; with ``argv`` what a zygote is made for."""

    def record(self, kernel_id: str, endpoint: Endpoint, owner: str) -> KernelRecord:
        """Of a container that this process is about to make."""
        return KernelRecord(
            id=kernel_id,
            container=container_name(endpoint),
            owner=owner,
            environment=self.environment,
            revision=self.revision,
            snapshot=self.snapshot,
            image=self.image,
            project=str(self.workspace.project),
            workspace=str(self.workspace.folder),
            home=str(self.home),
            started=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            pid=os.getpid(),
            limits=self.limits,
        )


class KernelContainers:
    """On the configured engine, below the configured folders."""

    def __init__(self, settings: Settings, engines: EngineProvider) -> None:
        self._settings = settings
        self._engines = engines

    async def start(self, plan: Plan, endpoint: Endpoint, kernel_id: str) -> str:
        """Returns the container's id. Raises NotFoundError when the image is gone, UnsupportedError
        where the kernel could not be reached, and the engine's errors."""
        engine = await self._engines.engine()
        capabilities = await engine.info()
        tcp = self._tcp(capabilities)
        if tcp and plan.limits.network == "none":
            raise UnsupportedError(
                f"A kernel without network cannot be reached in containers of "
                f"{capabilities.title}: here kernels are reached over TCP.",
                "Allow it the outbound network, or use a container engine that runs on this "
                "machine itself.",
            )
        if await engine.image(plan.image) is None:
            raise _image_missing(plan, capabilities.title)
        endpoint.make(tcp=tcp)
        endpoint.expect(list(plan.argv), dict(plan.process))
        users = await passwd(engine, self._settings, plan.image, capabilities.rootless)
        endpoint.passwd.write_text(users)
        container = await engine.create(self._spec(plan, endpoint, kernel_id, capabilities))
        await engine.start(container)
        if tcp:
            await self._publish(engine, container, endpoint)
        return container

    def _tcp(self, capabilities: Capabilities) -> bool:
        """Raises UnsupportedError where Unix sockets are wanted that do not work."""
        wanted = self._settings.kernel_transport
        if wanted == "ipc" and not capabilities.ipc:
            raise UnsupportedError(
                f"{capabilities.title} does not share Unix sockets with this machine.",
                "Set Mlops.kernel_transport to auto: then kernels are reached over TCP.",
            )
        return wanted == "tcp" or not capabilities.ipc

    async def _publish(self, engine: Engine, container: str, endpoint: Endpoint) -> None:
        state = await engine.inspect(container)
        try:
            Tcp(endpoint.folder).published(state.ports if state else {})
        except KeyError:
            await _still_there(engine, container)
            raise EngineError(
                "The container engine did not publish the kernel's ports on 127.0.0.1.",
                "Look whether it may: its log says why.",
            ) from None

    async def connect(
        self, container: str, endpoint: Endpoint, on_event: Callable[[Event], None]
    ) -> Supervisor:
        """To the supervisor, as soon as it answers. Raises EngineError when it never does."""
        engine = await self._engines.engine()
        deadline = time.monotonic() + _CONNECT_SECONDS
        look = time.monotonic() + 0.5
        while True:
            try:
                return await endpoint.connect(on_event)
            except OSError:
                await asyncio.sleep(0.005)
            if time.monotonic() < look:
                continue
            look = time.monotonic() + 0.5
            await _still_there(engine, container)
            if time.monotonic() > deadline:
                raise EngineError(
                    f"The kernel's container did not come up within {_CONNECT_SECONDS:.0f} s.",
                    "The machine may be short of memory or busy. Try again.",
                )

    async def status(self, kernel_id: str) -> dict[str, Any] | None:
        """Implements ``ports.KernelControl``."""
        try:
            supervisor = await Endpoint(self._settings.runtime, kernel_id).connect(_ignore)
        except TimeoutError:
            return None
        except OSError:
            return {}
        try:
            return await supervisor.request("status", timeout=_ANSWER_SECONDS)
        except KernelDeadError:
            return None
        finally:
            supervisor.close()

    async def key(self, plan: Plan, endpoint: Endpoint) -> str:
        """Equal for two plans whose containers would be the same but for whose they are: image,
        limits, network, mounts, user and whatever else a container has."""
        capabilities = await (await self._engines.engine()).info()
        spec = self._spec(plan, endpoint, "", capabilities)
        private = str(endpoint.folder)
        same = replace(
            spec,
            name="",
            labels={name: value for name, value in spec.labels.items() if name != LABEL_KERNEL},
            mounts=tuple(m for m in spec.mounts if not Path(m.source).is_relative_to(private)),
        )
        return hashlib.sha256(repr((same, plan.snapshot)).encode()).hexdigest()[:32]

    def _spec(
        self, plan: Plan, endpoint: Endpoint, kernel_id: str, capabilities: Capabilities
    ) -> ContainerSpec:
        return container_spec(
            settings=self._settings,
            capabilities=capabilities,
            endpoint=endpoint,
            workspace=plan.workspace,
            home=plan.home,
            kernel_id=kernel_id,
            image=plan.image,
            environment=plan.environment,
            revision=plan.revision,
            network=plan.limits.network,
            variables=plan.variables,
            resources=plan.limits.resources,
            tcp=self._tcp(capabilities),
        )


def _ignore(_event: Event) -> None: ...


async def _still_there(engine: Engine, container: str) -> None:
    state = await engine.inspect(container)
    if state is None or state.phase == "exited":
        lines = (await engine.logs(container, 20)).strip().splitlines() if state else []
        raise EngineError(
            "The kernel's container ended before the kernel could start"
            + (f": {lines[-1]}" if lines else "."),
            "Look whether the environment has Python in /opt/env, and build it again.",
        )


def _image_missing(plan: Plan, engine: str) -> NotFoundError:
    if plan.snapshot:
        return NotFoundError(
            f"The image of snapshot {plan.snapshot} is not in {engine}.",
            "Open the snapshot again from its catalogue or file: that brings the image.",
        )
    return NotFoundError(
        f"The image of {plan.environment}, revision {plan.revision}, is not in {engine}.",
        "Build the environment again.",
    )
