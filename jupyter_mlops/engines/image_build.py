"""Images from a user's own Dockerfile, by the builder that Docker's API has always had.

Podman answers the same call. BuildKit would need a session of its own and is on no Podman.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
from docker.api.client import APIClient
from docker.errors import APIError
from docker.utils.build import tar

from ..core.errors import BuildFailedError, MlopsError, NotFoundError
from ..core.ports import Engine
from .connection import Connection
from .failures import disk_full, explanation, one_line
from .image_config import image_id
from .images import Report
from .stream import Stream

_STEP = re.compile(r"^(?:\[\d+/\d+\] )?(?:Step|STEP) (\d+)/(\d+) ?: (.*)$")
_MADE = re.compile(r"^ ?-+> (?:Running in )?([0-9a-f]{12,64})$")


class ImageBuildCalls(Engine):
    """The port's call about Dockerfiles."""

    connection: Connection

    async def build_image(
        self,
        folder: Path,
        dockerfile: str,
        ref: str,
        labels: Mapping[str, str],
        arguments: Mapping[str, str],
        progress: Callable[[str], None],
    ) -> str:
        build = _Build(folder, dockerfile, Report(asyncio.get_running_loop(), progress))
        params = {
            "t": ref,
            "dockerfile": dockerfile,
            "rm": "1",
            "forcerm": "1",
            "labels": json.dumps(dict(labels)),
            "buildargs": json.dumps(dict(arguments)),
            **self._build_options(),
        }

        def run(stream: Stream) -> str:
            with build.context() as context:
                try:
                    response = stream.request(
                        "/build", params=params, headers=_headers(stream.client), data=context
                    )
                except APIError as error:
                    raise build.failed(self.connection.title, explanation(error)) from error
            for message in stream.messages(response):
                failure = message.get("error") or (message.get("errorDetail") or {}).get("message")
                if failure:
                    raise build.failed(self.connection.title, failure)
                build.heard(message)
            build.line_ended()
            return image_id(stream.client.inspect_image(ref)["Id"])

        before = await self.connection.call(_image_ids)
        try:
            return await self.connection.stream(run)
        except BaseException:
            with anyio.CancelScope(shield=True), contextlib.suppress(MlopsError):
                await self.connection.call(
                    lambda client: build.remove(client, ref, before), patient=True
                )
            raise

    def _build_options(self) -> dict[str, str]:
        return {}


class _Build:
    """What one build said so far."""

    def __init__(self, folder: Path, dockerfile: str, report: Report) -> None:
        self._folder = folder
        self._file = folder / dockerfile
        self._report = report
        self._line = ""
        self._last: list[str] = []
        """Lines of the step that runs."""
        self._step: tuple[str, str, str] | None = None
        """Number, count and instruction."""
        self._made: list[str] = []
        """Ids of containers and images, as they were named."""

    @contextlib.contextmanager
    def context(self) -> Iterator[Any]:
        """The folder as a tar, without what ``.dockerignore`` names."""
        ignored = self._folder / ".dockerignore"
        try:
            lines = ignored.read_text(encoding="utf-8-sig").splitlines()
        except OSError:
            lines = []
        exclude = [line.strip() for line in lines if line.strip() and line.strip()[0] != "#"]
        try:
            file = tar(
                str(self._folder), exclude=exclude, dockerfile=(self._file.name, None), gzip=False
            )
        except OSError as error:
            raise NotFoundError(
                f"The folder {self._folder} cannot be read: {error.strerror or error}.",
                "Leave files that cannot be read out with a .dockerignore beside the Dockerfile.",
            ) from error
        try:
            yield file
        finally:
            file.close()

    def heard(self, message: Mapping[str, Any]) -> None:
        """From the reading thread."""
        if "stream" not in message:
            self._report.message(message)
            return
        *whole, self._line = (self._line + str(message["stream"])).split("\n")
        for line in whole:
            self._said(line.rstrip("\r"))

    def line_ended(self) -> None:
        if self._line:
            self._said(self._line)
            self._line = ""

    def _said(self, line: str) -> None:
        step = _STEP.match(line)
        made = _MADE.match(line.rstrip())
        if step:
            self._step, self._last = (step[1], step[2], step[3].strip()), []
        elif made:
            self._made.append(made[1])
        elif line.strip():
            self._last.append(line.strip())
        self._report.line(line)

    def failed(self, title: str, reason: str) -> MlopsError:
        self.line_ended()
        if "no space left on device" in reason:
            return disk_full(title)
        reason = one_line(reason)
        if self._step is None:
            return BuildFailedError(
                f"The {self._file.name} cannot be built: {reason}", "Correct it, and build again."
            )
        number, count, instruction = self._step
        where = self._line_of(instruction)
        said = [line for line in self._last if not line.startswith(("Removing ", "--->"))][-3:]
        shown = instruction if len(instruction) <= 120 else instruction[:120] + " …"
        hint = "The whole output is in the operation's log."
        if instruction.upper().startswith("FROM"):
            hint = "Check the image's name, and that this machine reaches its registry."
        return BuildFailedError(
            f"Step {number} of {count} of the {self._file.name}"
            f"{f' (line {where})' if where else ''} failed: {shown}. {reason}"
            + (f" It said: {' '.join(said)}" if said else ""),
            hint,
        )

    def _line_of(self, instruction: str) -> int:
        """Where the instruction begins; 0 where it is not found."""
        try:
            lines = self._file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError):
            return 0
        wanted, text, start = "".join(instruction.split()), "", 0
        for number, line in enumerate(lines, 1):
            if line.lstrip().startswith("#"):
                continue
            start = start or (number if line.strip() else 0)
            text += "".join(line.split()).removesuffix("\\")
            if line.rstrip().endswith("\\"):
                continue
            if text.lower() == wanted.lower():
                return start
            text, start = "", 0
        return 0

    def remove(self, client: APIClient, ref: str, before: set[str]) -> None:
        """What a build that did not end well has left: nothing else knows of it."""
        for id in self._made:
            with contextlib.suppress(APIError):
                client.remove_container(id, force=True)
        known = {old.partition(":")[2][: len(id)] for id in self._made for old in before}
        for name in (ref, *reversed([id for id in self._made if id not in known])):
            with contextlib.suppress(APIError):
                client.remove_image(name)


def _image_ids(client: APIClient) -> set[str]:
    return set(client.images(all=True, quiet=True))


def _headers(client: Any) -> dict[str, str]:
    """With the logins of ``docker login``, for the images that a Dockerfile begins with."""
    headers = {"Content-Type": "application/tar"}
    with contextlib.suppress(Exception):  # A broken helper: the registry may need no login.
        client._set_auth_headers(headers)
    return headers
