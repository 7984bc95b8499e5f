"""The container on this machine's engine, under SageMaker's rules, with a port and a console."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio.to_thread

from ...core.deployment import Deployment, DeploymentState, Invocation, Plan, Resource
from ...core.environment import Resources
from ...core.errors import ConflictError, MlopsError, NotFoundError, TargetError
from ...core.layout import LABEL_KIND, LABEL_OWNER, LABEL_PREFIX, MODEL_DIR
from ...core.model_package import ModelPackage
from ...core.ports import (
    Blobs,
    ContainerSpec,
    Engine,
    EngineProvider,
    Mount,
    Progress,
    Registries,
    State,
    Target,
)
from ...core.settings import Settings
from . import calls, model_files, options
from .options import Options

PORT = 8080
START_LIMIT = 480.0
"""Seconds, as on SageMaker."""
REQUEST_LIMIT = 60
"""Seconds a prediction may take, as on SageMaker."""
BODY_LIMIT = 25
"""MB that a request may have, as on SageMaker's real-time endpoints."""
_SETTLED = 5.0
"""Seconds a model that failed to load gets for its next attempts."""
_LOADING = "being loaded"
_TAKEN = ("port is already allocated", "address already in use", "ports are not available")


class LocalTarget(Target):
    """``settings.targets["local"]`` may hold a default for every option."""

    name = "local"
    title = "This machine"
    description = "A container on this machine that answers HTTP, under SageMaker's rules."

    def __init__(
        self, settings: Settings, engines: EngineProvider, blobs: Blobs, registries: Registries
    ) -> None:
        self._settings = settings
        self._engines = engines
        self._blobs = blobs
        self._defaults = dict(settings.targets.get(self.name, {}))
        self.start_limit = START_LIMIT
        self.request_limit = REQUEST_LIMIT

    def options_schema(self) -> dict[str, Any]:
        schema = Options.model_json_schema()
        for field, value in options.parse({}, self._defaults).model_dump(mode="json").items():
            schema["properties"][field]["default"] = value
        return schema

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return options.parse(given, self._defaults).model_dump(mode="json")

    async def check(self) -> list[str]:
        try:
            await self._engines.engine()
        except MlopsError as error:
            return [str(error)]
        return []

    async def plan(self, package: ModelPackage, name: str, options: Mapping[str, Any]) -> Plan:
        chosen = Options.model_validate(dict(options))
        where = f"port {chosen.port}" if chosen.port else "a free port"
        return Plan(
            steps=(
                f"Unpack the model ({package.model_size / 1e6:.1f} MB)",
                f"Start a container of {package.name}: read-only, {chosen.memory} MB of memory",
                f"Publish it at {where} of 127.0.0.1",
                "Wait until it answers",
            ),
            resources=(
                Resource("folder", str(self._folder(f"<{name}>"))),
                Resource("container", f"mlops-{name}-…"),
            ),
            cost="Nothing.",
        )

    # ----------------------------------------------------------------------------- deploy

    async def deploy(
        self,
        package: ModelPackage,
        deployment: Deployment,
        progress: Progress,
        save: Callable[[Deployment], Any],
    ) -> Deployment:
        chosen = Options.model_validate(deployment.options)
        engine = await self._engines.engine()
        if await engine.image(package.image) is None:
            raise NotFoundError(
                f"The image of the model package {package.name!r} is not on this machine.",
                "Make the package again.",
            )
        folder = self._folder(deployment.id)
        made = replace(deployment, resources=(Resource("folder", str(folder)),))
        try:
            progress.phase("model", "Unpacking the model")
            await save(made)
            await anyio.to_thread.run_sync(
                model_files.extract, self._blobs.path(package.model), folder / "model"
            )
            progress.phase("container", "Starting the container")
            name = _container_name(deployment)
            made = replace(made, resources=(*made.resources, Resource("container", name)))
            await save(made)
            port = await self._start(engine, package, made, chosen)
            made = replace(made, endpoint=_endpoint(port), status=f":{port}")
            await save(made)
            progress.phase("ready", "Waiting until it answers")
            await self._wait(engine, name, port, progress)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._remove(engine, made)
            raise
        return replace(made, state=DeploymentState.RUNNING, message="", can_stop=True)

    async def _start(
        self, engine: Engine, package: ModelPackage, deployment: Deployment, chosen: Options
    ) -> int:
        """Create and start the container; returns its port.

        A free port is chosen by us and not by the engine, which would choose another one at
        every start.
        """
        attempts = 1 if chosen.port else 5
        while True:
            attempts -= 1
            port = chosen.port or _free_port()
            try:
                container = await engine.create(self._spec(package, deployment, chosen, port))
                await engine.start(container)
                return port
            except MlopsError as error:
                if not any(text in str(error).lower() for text in _TAKEN):
                    raise
                await engine.remove(_container_name(deployment))
                if not attempts:
                    raise ConflictError(
                        f"Port {port} of this machine is in use.",
                        "Choose another port, or 0 for a free one.",
                    ) from error

    def _spec(
        self, package: ModelPackage, deployment: Deployment, chosen: Options, port: int
    ) -> ContainerSpec:
        model = self._folder(deployment.id) / "model"
        environment = {
            "SAGEMAKER_MODEL_SERVER_TIMEOUT": str(self.request_limit),
            "MLOPS_MAX_BODY_MB": str(BODY_LIMIT),
        }
        if chosen.workers:
            environment["SAGEMAKER_MODEL_SERVER_WORKERS"] = str(chosen.workers)
        return ContainerSpec(
            image=package.image,
            name=_container_name(deployment),
            labels={
                LABEL_KIND: "deployment",
                LABEL_OWNER: self._settings.owner,
                f"{LABEL_PREFIX}.deployment": deployment.id,
            },
            command=("serve",),
            environment=environment,
            mounts=(Mount(str(model), MODEL_DIR, read_only=True),),
            tmpfs={"/tmp": "exec,mode=1777,size=1g"},
            ports={PORT: port},
            resources=Resources(memory=chosen.memory * 1024 * 1024),
            read_only=True,
            restart=chosen.restart,
        )

    async def _wait(self, engine: Engine, name: str, port: int, progress: Progress) -> None:
        """Until ``/ping`` says 200. Raises TargetError with the container's last lines."""
        began = time.monotonic()
        failing = 0.0
        while True:
            status, said = await calls.probe(port)
            if status == 200:
                return
            now = time.monotonic()
            state = await engine.inspect(name)
            if state is None or state.phase == "exited":
                raise await _failed(engine, name, "The container ended", state)
            failing = (failing or now) if status and said and _LOADING not in said else 0.0
            if failing and now - failing > _SETTLED:
                raise await _failed(engine, name, said, state)
            if now - began > self.start_limit:
                limit = f"It did not answer within {self.start_limit:.0f} s"
                raise await _failed(engine, name, f"{limit}: {said}", state)
            progress.update(said if _LOADING in said else "Waiting until it answers")
            await asyncio.sleep(0.05)

    # -------------------------------------------------------------------------- afterwards

    async def describe(self, deployment: Deployment) -> Deployment:
        engine = await self._engines.engine()
        state = await engine.inspect(_container_name(deployment))
        if state is None:
            return replace(
                deployment,
                state=DeploymentState.FAILED,
                status="",
                message="Its container was removed. Delete the deployment and deploy again.",
            )
        if state.phase != "running":
            code = "" if state.exit_code is None else f" with code {state.exit_code}"
            stopped = state.exit_code in (None, 0)
            return replace(
                deployment,
                state=DeploymentState.STOPPED if stopped else DeploymentState.FAILED,
                status=state.phase,
                message=f"Its container is {state.phase}{code}.",
            )
        port = state.ports.get(PORT, 0)
        status, said = await calls.probe(port)
        return replace(
            deployment,
            state=DeploymentState.RUNNING,
            endpoint=_endpoint(port),
            status=f":{port}",
            message="" if status == 200 else f"It does not answer yet: {said}",
        )

    async def invoke(
        self, deployment: Deployment, body: bytes, content_type: str, accept: str
    ) -> Invocation:
        engine = await self._engines.engine()
        state = await engine.inspect(_container_name(deployment))
        if state is None or state.phase != "running":
            raise TargetError(
                f"The container of {deployment.name!r} does not run.",
                "Look at its logs; delete the deployment and deploy again.",
            )
        return await calls.invoke(state.ports.get(PORT, 0), body, content_type, accept)

    async def stop(self, deployment: Deployment, progress: Progress) -> Deployment:
        progress.phase("container", "Stopping the container")
        await self._end(await self._engines.engine(), deployment)
        return await self.describe(deployment)

    async def _end(self, engine: Engine, deployment: Deployment) -> None:
        name = _container_name(deployment)
        state = await engine.inspect(name)
        if state is not None and state.phase == "running":
            await engine.stop(name, grace=30)

    async def start(self, deployment: Deployment, progress: Progress) -> Deployment:
        """At the port it had. Raises ConflictError if another program listens there now."""
        engine = await self._engines.engine()
        name = _container_name(deployment)
        progress.phase("container", "Starting the container")
        try:
            await engine.start(name)
        except MlopsError as error:
            if not any(text in str(error).lower() for text in _TAKEN):
                raise
            raise ConflictError(
                f"The port {deployment.status} that it had is in use now.",
                "End what listens there, or delete the deployment and deploy again.",
            ) from error
        state = await engine.inspect(name)
        progress.phase("ready", "Waiting until it answers")
        await self._wait(engine, name, state.ports.get(PORT, 0) if state else 0, progress)
        return await self.describe(deployment)

    async def delete(self, deployment: Deployment, progress: Progress) -> None:
        progress.phase("container", "Stopping the container")
        engine = await self._engines.engine()
        await self._end(engine, deployment)
        await self._remove(engine, deployment)

    async def _remove(self, engine: Engine, deployment: Deployment) -> None:
        await engine.remove(_container_name(deployment))
        await anyio.to_thread.run_sync(model_files.remove, self._folder(deployment.id))

    async def logs(self, deployment: Deployment, tail: int = 200) -> str:
        engine = await self._engines.engine()
        name = _container_name(deployment)
        if await engine.inspect(name) is None:
            return ""
        return await engine.logs(name, tail=tail)

    def _folder(self, deployment_id: str) -> Path:
        return self._settings.data / "deployments" / deployment_id


def _container_name(deployment: Deployment) -> str:
    return f"mlops-{deployment.name}-{deployment.id.removeprefix('d-')[:8]}"


def _endpoint(port: int) -> str:
    return f"http://127.0.0.1:{port}/invocations"


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def _failed(engine: Engine, name: str, what: str, state: State | None) -> TargetError:
    lines = (await engine.logs(name, tail=15)).strip() if state is not None else ""
    code = f" with code {state.exit_code}" if state and state.exit_code is not None else ""
    return TargetError(
        f"{what}{code}.".replace("..", "."),
        f"The last lines of its log:\n{lines}" if lines else "Check the package first.",
    )
