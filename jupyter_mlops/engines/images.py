"""Images of an engine that speaks Docker's API."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from docker import auth
from docker.api.client import APIClient
from docker.errors import APIError, NotFound
from docker.utils.utils import parse_repository_tag

from ..core.errors import ConflictError, EngineError, NotFoundError, RegistryError
from ..core.ports import Credentials, Engine, Image, ImageConfig
from .connection import Connection
from .failures import disk_full, explanation, from_registry, unavailable
from .image_config import image_id, image_of, label_filter, matches, split_tag
from .stream import Stream

_DIGEST = re.compile(r"digest:\s*(sha256:[0-9a-f]{64})")

Lines = Callable[[str], None]


class ImageCalls(Engine):
    """The port's calls about images."""

    connection: Connection

    @abstractmethod
    def _changes(self, config: ImageConfig, current: Mapping[str, Any]) -> list[str]: ...

    async def image(self, ref: str) -> Image | None:
        def inspect(client: APIClient) -> Image | None:
            try:
                return image_of(client.inspect_image(ref))
            except NotFound:
                return None

        return await self.connection.call(inspect)

    async def images(self, labels: Mapping[str, str]) -> list[Image]:
        def ask(client: APIClient) -> list[Image]:
            found = {}
            # One label only: Podman 4 finds nothing for two. All: Docker hides an untagged image
            # that another one was made of.
            filters = {"label": label_filter(labels)[:1]} if labels else {}
            for entry in client.images(all=True, filters=filters):
                if matches(entry.get("Labels"), labels):
                    with contextlib.suppress(NotFound):  # Removed meanwhile.
                        image = image_of(client.inspect_image(entry["Id"]))
                        found[image.id] = image
            return list(found.values())

        return await self.connection.call(ask)

    async def layer_sizes(self, image: str) -> tuple[int, ...]:
        def ask(client: APIClient) -> tuple[int, ...]:
            count = len(image_of(client.inspect_image(image)).layers)
            steps = [int(step.get("Size") or 0) for step in reversed(client.history(image))]
            # Steps that only changed the configuration have no layer; those that did not may be
            # as empty, but then nobody can tell which they were.
            filled = [size for size in steps if size]
            return tuple(steps if len(steps) == count else filled if len(filled) == count else ())

        return await self.connection.call(ask)

    async def import_image(self, archive: Path, ref: str, config: ImageConfig) -> str:
        lines = self._changes(config, {})

        def load(client: APIClient) -> str:
            if not archive.is_file():
                raise NotFoundError(f"There is no file {archive}.")
            with archive.open("rb") as file:
                answer = client.post(
                    f"{client.base_url}/v{client.api_version}/images/create",
                    # The tag with the name: Podman does not look at the field of its own.
                    params={"fromSrc": "-", "repo": ref, "changes": lines},
                    headers={"Content-Type": "application/tar"},
                    data=file,
                    timeout=None,
                )
            for message in map(json.loads, filter(str.strip, answer.text.splitlines())):
                said = message.get("error") or message.get("message")
                if said:
                    title = self.connection.title
                    if "no space left on device" in said:
                        raise disk_full(title)
                    raise EngineError(f"{title} could not import {archive.name}: {said}")
            return image_id(client.inspect_image(ref)["Id"])

        def undo(client: APIClient, _image: str) -> None:
            client.remove_image(ref)

        return await self.connection.call(load, patient=True, undo=undo)

    async def tag(self, image: str, ref: str) -> None:
        repository, tag = split_tag(ref)
        await self.connection.call(lambda client: client.tag(image, repository, tag))

    async def remove_image(self, ref: str, force: bool = False) -> None:
        def remove(client: APIClient) -> None:
            with contextlib.suppress(NotFound):
                client.remove_image(ref, force=force)

        try:
            await self.connection.call(remove, patient=True)
        except ConflictError as error:
            raise ConflictError(
                f"The image {ref} is still in use.",
                "Shut down the kernels and delete the snapshots that were made of it first.",
            ) from error

    async def pull(self, ref: str, credentials: Credentials | None, progress: Lines) -> str:
        report = Report(asyncio.get_running_loop(), progress)

        def run(stream: Stream) -> str:
            headers = auth_header(ref, credentials)
            try:
                self._pull(stream, ref, headers, report)
                return image_id(stream.client.inspect_image(ref)["Id"])
            except APIError as error:
                raise self._refused(ref, error, pushing=False) from error

        return await self.connection.stream(run)

    async def push(self, ref: str, credentials: Credentials | None, progress: Lines) -> str:
        report = Report(asyncio.get_running_loop(), progress)

        def run(stream: Stream) -> str:
            headers = auth_header(ref, credentials)
            try:
                digest = self._push(stream, ref, headers, report)
            except APIError as error:
                raise self._refused(ref, error, pushing=True) from error
            if not digest:
                # Both engines name the digest at the end of every push that went well.
                raise unavailable(self.connection.title)
            return digest

        if await self.image(ref) is None:
            raise NotFoundError(f"The image {ref} is not on this engine, so it cannot be pushed.")
        return await self.connection.stream(run)

    def _pull(self, stream: Stream, ref: str, headers: dict[str, str], report: Report) -> None:
        """Blocking; overridden where an engine has a better way."""
        repository, tag = split_tag(ref)
        response = stream.request(
            "/images/create", params={"fromImage": repository, "tag": tag}, headers=headers
        )
        self._follow(stream, response, ref, report, pushing=False)

    def _push(self, stream: Stream, ref: str, headers: dict[str, str], report: Report) -> str:
        """Blocking; returns the manifest's digest."""
        repository, tag = split_tag(ref)
        response = stream.request(
            f"/images/{repository}/push",
            params={"tag": tag, **self._push_options(ref)},
            headers=headers,
        )
        return self._follow(stream, response, ref, report, pushing=True)

    def _push_options(self, ref: str) -> dict[str, str]:
        return {}

    def _follow(
        self, stream: Stream, response: Any, ref: str, report: Report, *, pushing: bool
    ) -> str:
        """Read progress to its end; returns the digest it named, if any."""
        digest = ""
        for message in stream.messages(response):
            failure = message.get("error") or (message.get("errorDetail") or {}).get("message")
            if failure:
                raise from_registry(self.connection.title, ref, failure, pushing=pushing)
            found = _DIGEST.search(message.get("status") or message.get("stream") or "")
            digest = (message.get("aux") or {}).get("Digest") or (
                found.group(1) if found else digest
            )
            report.message(message)
        return digest

    def _refused(self, ref: str, error: APIError, *, pushing: bool) -> Exception:
        refused = from_registry(self.connection.title, ref, explanation(error), pushing=pushing)
        known = type(refused) is not RegistryError or error.status_code in (404, 500)
        return refused if known else error


def auth_header(ref: str, credentials: Credentials | None) -> dict[str, str]:
    """The engine logs in with these; without any, with what ``docker login`` has kept."""
    if credentials is not None:
        account = {"username": credentials.username, "password": credentials.password}
        if credentials.username == "<token>":  # Docker's sign for an OAuth2 refresh token.
            account = {"identitytoken": credentials.password}
        return {"X-Registry-Auth": _text(auth.encode_header(account))}
    repository, _ = parse_repository_tag(ref)
    registry, _ = auth.resolve_repository_name(repository)
    with contextlib.suppress(Exception):  # A broken helper: the registry may need no login.
        found = auth.load_config().resolve_authconfig(registry)
        if found:
            return {"X-Registry-Auth": _text(auth.encode_header(found))}
    # Docker refuses a push without the header, even to a registry that needs no login.
    return {"X-Registry-Auth": _text(auth.encode_header({}))}


def _text(header: bytes | str) -> str:
    return header.decode("ascii") if isinstance(header, bytes) else header


class Report:
    """Turns an engine's progress messages into lines, at most one a second and layer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, progress: Lines) -> None:
        self._loop = loop
        self._progress = progress
        self._seen: dict[str, tuple[str, float]] = {}

    def message(self, message: Mapping[str, Any]) -> None:
        """From the reading thread."""
        text = str(message.get("status") or message.get("stream") or "").strip()
        if not text:
            return
        layer = str(message.get("id") or "")
        detail = message.get("progressDetail") or {}
        state, moment = self._seen.get(layer, ("", 0.0))
        now = time.monotonic()
        if layer and state == text and now - moment < 1:
            return
        self._seen[layer] = (text, now)
        if detail.get("current") and detail.get("total"):
            text += f" {detail['current'] / 1e6:.1f} of {detail['total'] / 1e6:.1f} MB"
        self.line(f"{layer}: {text}" if layer else text)

    def line(self, text: str) -> None:
        with contextlib.suppress(RuntimeError):  # The loop has been closed.
            self._loop.call_soon_threadsafe(self._progress, text)
