"""Containers of an engine that speaks Docker's API."""

from __future__ import annotations

import contextlib
import math
import time
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docker.api.client import APIClient
from docker.errors import APIError, NotFound

from ..core.errors import InvalidError, KernelDeadError, NotFoundError, UnsupportedError
from ..core.ports import Container, ContainerSpec, Engine, ImageConfig, State, Usage
from .connection import Connection
from .container_config import Host, container_config, moment, state_of
from .image_config import image_id, label_filter, matches, split_tag
from .stream import Stream

_SAMPLE_SECONDS = 0.5
"""Between two samples: several periods of the kernel's CPU limits."""


class ContainerCalls(Engine):
    """The port's calls about containers."""

    connection: Connection

    @abstractmethod
    async def _host(self) -> Host: ...

    @abstractmethod
    def _changes(self, config: ImageConfig, current: Mapping[str, Any]) -> list[str]: ...

    async def create(self, spec: ContainerSpec) -> str:
        host = await self._host()
        config = container_config(spec, host)

        def create(client: APIClient) -> str:
            if host.capabilities.ipc:  # The engine's files are ours.
                _check_sources(spec)
            return str(client.create_container_from_config(config, name=spec.name)["Id"])

        def undo(client: APIClient, container: str) -> None:
            client.remove_container(container, force=True, v=True)

        try:
            return await self.connection.call(create, patient=True, undo=undo)
        except NotFoundError as error:
            if error.hint:
                raise
            raise NotFoundError(
                f"The image {spec.image} is not on this engine.",
                "Build the environment again, or open the snapshot again to fetch it.",
            ) from error

    async def start(self, container: str) -> None:
        await self.connection.call(lambda client: client.start(container), patient=True)

    async def inspect(self, container: str) -> State | None:
        def inspect(client: APIClient) -> State | None:
            try:
                return state_of(client.inspect_container(container))
            except NotFound:
                return None

        return await self.connection.call(inspect)

    async def put_archive(self, container: str, path: str, tar: bytes | Path) -> None:
        with contextlib.ExitStack() as stack:
            # Opened here: a missing file of ours is not a missing engine.
            data: Any = stack.enter_context(tar.open("rb")) if isinstance(tar, Path) else tar
            await self.connection.call(
                lambda client: client.put_archive(container, path, data), patient=True
            )

    async def get_archive(self, container: str, path: str) -> bytes:
        def get(client: APIClient) -> bytes:
            chunks, _ = client.get_archive(container, path)
            return b"".join(chunks)

        return await self.connection.call(get, patient=True)

    async def pause(self, container: str) -> None:
        def pause(client: APIClient) -> None:
            try:
                client.pause(container)
            except APIError as error:
                if client.inspect_container(container)["State"].get("Status") == "paused":
                    return
                if "cgroup" in str(error.explanation).lower():
                    raise UnsupportedError(
                        f"{self.connection.title} cannot pause containers on this machine."
                    ) from error
                raise

        await self.connection.call(pause)

    async def unpause(self, container: str) -> None:
        def unpause(client: APIClient) -> None:
            try:
                client.unpause(container)
            except APIError:
                if client.inspect_container(container)["State"].get("Status") == "paused":
                    raise

        await self.connection.call(unpause)

    async def stop(self, container: str, grace: float) -> None:
        def stop(client: APIClient) -> None:
            with contextlib.suppress(NotFound):
                if client.inspect_container(container)["State"].get("Status") == "paused":
                    # A frozen process cannot end itself, and Podman refuses to stop it.
                    client.unpause(container)
                client.stop(container, timeout=math.ceil(grace))

        await self.connection.call(stop, patient=True)

    async def kill(self, container: str, signal: str = "KILL") -> None:
        try:
            await self.connection.call(lambda client: client.kill(container, signal))
        except (KernelDeadError, NotFoundError):
            if signal.removeprefix("SIG") not in ("KILL", "TERM"):
                raise  # It has ended already, which is what these two are for.

    async def remove(self, container: str) -> None:
        def remove(client: APIClient) -> None:
            for _ in range(100):
                try:
                    client.remove_container(container, force=True, v=True)
                except NotFound:
                    return
                except APIError as error:
                    if error.status_code != 409 or "in progress" not in str(error.explanation):
                        raise
                time.sleep(0.1)  # Another one removes it: gone means gone when we return.

        await self.connection.call(remove, patient=True)

    async def list(self, labels: Mapping[str, str]) -> list[Container]:
        def ask(client: APIClient) -> list[Container]:
            filters = {"label": label_filter(labels)} if labels else {}
            answer = client.containers(all=True, filters=filters)
            return [
                Container(
                    id=entry["Id"],
                    name=(entry.get("Names") or [""])[0].lstrip("/"),
                    labels=dict(entry.get("Labels") or {}),
                    image=image_id(entry.get("ImageID") or ""),
                    running=str(entry.get("State", "")).lower() in ("running", "paused"),
                )
                for entry in answer
                if matches(entry.get("Labels"), labels)
            ]

        return await self.connection.call(ask)

    async def commit(self, container: str, config: ImageConfig) -> str:
        repository, tag = split_tag(config.tag) if config.tag else (None, None)

        def commit(client: APIClient) -> str:
            current = client.inspect_container(container)["Config"]
            lines = self._changes(config, current)
            answer = client.commit(
                container, repository=repository, tag=tag, pause=False, changes="\n".join(lines)
            )
            return image_id(answer["Id"])

        def undo(client: APIClient, image: str) -> None:
            client.remove_image(config.tag or image)

        if config.tag and "@" in config.tag:
            raise InvalidError(f"{config.tag} names a digest; an image gets a tag.")
        return await self.connection.call(commit, patient=True, undo=undo)

    async def wait(self, container: str) -> int:
        def wait(stream: Stream) -> int:
            return int(stream.client.wait(container)["StatusCode"])

        return await self.connection.stream(wait)

    async def stats(self, container: str) -> Usage:
        def measure(client: APIClient) -> Usage:
            try:
                first = client.stats(container, stream=False, one_shot=True)
                time.sleep(_SAMPLE_SECONDS)
                second = client.stats(container, stream=False, one_shot=True)
            except ValueError:
                second = {}  # Podman answers with nothing at all.
            if not second.get("memory_stats", {}).get("usage"):
                raise KernelDeadError("The container does not run, so it uses nothing.")
            return _usage(first, second)

        return await self.connection.call(measure)

    async def logs(self, container: str, tail: int = 1000) -> str:
        def logs(client: APIClient) -> str:
            data: bytes = client.logs(container, tail=tail)
            return data.decode("utf-8", "replace")

        return await self.connection.call(logs)


def _check_sources(spec: ContainerSpec) -> None:
    """Podman would make an empty folder of what is missing, and say nothing."""
    for mount in spec.mounts:
        if "/" in mount.source and not Path(mount.source).exists():
            raise NotFoundError(
                f"{mount.source} does not exist, so a container cannot see it.",
                "Create the folder, or open the notebook from where it is now.",
            )


def _usage(first: dict[str, Any], second: dict[str, Any]) -> Usage:
    """Two samples to a usage. ``memory`` leaves out file pages that the kernel can drop at once:
    ``total_inactive_file`` on cgroup v1, ``inactive_file`` on v2; Podman tells neither."""

    def cpu(sample: dict[str, Any]) -> float:
        return float(sample["cpu_stats"]["cpu_usage"]["total_usage"])

    memory = second["memory_stats"]
    details = memory.get("stats") or {}
    droppable = int(details.get("total_inactive_file", details.get("inactive_file", 0)) or 0)
    seconds = moment(second["read"]) - moment(first["read"])
    return Usage(
        memory=max(0, int(memory["usage"]) - droppable),
        memory_limit=int(memory.get("limit") or 0),
        cpu=max(0.0, (cpu(second) - cpu(first)) / 1e9 / max(seconds, 1e-3)),
    )
