"""A target whose deployments are files: a folder, written whole or not at all."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import anyio
import anyio.to_thread

from ...core.deployment import Deployment, DeploymentState, Invocation, Resource
from ...core.errors import InvalidError, MlopsError, NotFoundError, UnsupportedError
from ...core.model_package import ModelPackage
from ...core.ports import (
    Blobs,
    Engine,
    EngineProvider,
    Image,
    PackageRecords,
    Progress,
    Registries,
    Target,
)
from ...core.settings import Settings
from . import folder, options
from .options import FileOptions

_WRITTEN = "written"
"""In a deployment's details: the digest that vouches for its files."""


class FileTarget(Target):
    """``settings.targets[name]`` may hold a default for every option."""

    form: ClassVar[type[FileOptions]]
    ask_instead: ClassVar[str]
    """Where predictions come from, for whoever asks a folder for one."""

    def __init__(
        self,
        settings: Settings,
        engines: EngineProvider,
        blobs: Blobs,
        registries: Registries,
        records: PackageRecords,
    ) -> None:
        self._settings = settings
        self._engines = engines
        self._blobs = blobs
        self._registries = registries
        self._records = records
        self._defaults = dict(settings.targets.get(self.name, {}))

    @abstractmethod
    async def write(
        self, package: ModelPackage, deployment: Deployment, into: Path, progress: Progress
    ) -> dict[str, Any]:
        """Write every file but the checksums into the empty folder ``into``; returns details
        for the deployment's record."""

    def options_schema(self) -> dict[str, Any]:
        return options.schema(self.form, self._defaults)

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return options.parse(self.form, self.title, given, self._defaults).model_dump(mode="json")

    async def check(self) -> list[str]:
        try:
            await self._engines.engine()
        except MlopsError as error:
            return [str(error)]
        return []

    # ----------------------------------------------------------------------------- deploy

    async def deploy(
        self,
        package: ModelPackage,
        deployment: Deployment,
        progress: Progress,
        save: Callable[[Deployment], Any],
    ) -> Deployment:
        chosen = self.form.model_validate(deployment.options)
        place = chosen.place
        await _in_thread(folder.check_free, place)
        part = folder.draft(place, deployment.id)
        made = replace(deployment, resources=(_resource(part),))
        await save(made)
        try:
            await _in_thread(part.mkdir)
            details = await self.write(package, made, part, progress)
            progress.phase("finish", "Writing checksums")
            finished, written = await self._finish(chosen, made, part)
            made = replace(
                made,
                resources=(*self.elsewhere(details), _resource(finished), _resource(place)),
                details={**made.details, **details, _WRITTEN: written},
            )
            status = await _in_thread(_summary, finished)
            await save(made)
            await _in_thread(folder.publish, finished, place)
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await _in_thread(folder.discard, part)
                await _in_thread(folder.discard, folder.draft(folder.packed(place), deployment.id))
                # Nothing of ours is left: whoever made the folder meanwhile keeps it.
                await save(replace(deployment, resources=()))
            if isinstance(error, OSError):
                raise _cannot_write(place, error) from error
            raise
        return replace(
            made,
            state=DeploymentState.WRITTEN,
            endpoint=str(place),
            status=status,
            message="",
            resources=(*self.elsewhere(details), _resource(place)),
        )

    def elsewhere(self, details: Mapping[str, Any]) -> tuple[Resource, ...]:
        """What ``write`` made beside the files, all of it ``kept``; by its details."""
        return ()

    async def _finish(
        self, chosen: FileOptions, deployment: Deployment, part: Path
    ) -> tuple[Path, str]:
        """What gets the final name, and the digest that vouches for it."""
        return part, await _in_thread(folder.seal, part)

    async def image(self, package: ModelPackage) -> tuple[Engine, Image]:
        """The package's image; raises NotFoundError."""
        engine = await self._engines.engine()
        found = await engine.image(package.image)
        if found is None:
            raise NotFoundError(
                f"The image of the model package {package.name!r} is not on this machine.",
                "Make the package again.",
            )
        return engine, found

    # ---------------------------------------------------------------------------- afterwards

    async def describe(self, deployment: Deployment) -> Deployment:
        if deployment.state not in (DeploymentState.WRITTEN, DeploymentState.STOPPED):
            return deployment
        if await _in_thread(Path(deployment.endpoint).exists):
            return replace(deployment, state=DeploymentState.WRITTEN, message="")
        return replace(
            deployment,
            state=DeploymentState.STOPPED,
            message=f"{deployment.endpoint} is not there any more: somebody has moved or removed "
            "it.",
        )

    async def invoke(
        self, deployment: Deployment, body: bytes, content_type: str, accept: str
    ) -> Invocation:
        raise UnsupportedError(
            f"The deployment {deployment.name!r} is a folder of files, and files answer no "
            "requests.",
            self.ask_instead,
        )

    async def logs(self, deployment: Deployment, tail: int = 200) -> str:
        raise UnsupportedError(
            f"The deployment {deployment.name!r} is a folder of files: nothing runs, so there is "
            "no log.",
            "Look for the log where the files were put to use.",
        )

    async def delete(self, deployment: Deployment, progress: Progress) -> None:
        """Remove what was written. What others changed or added stays, and is named in the log."""
        progress.phase("delete", "Removing the files")
        for resource in reversed(deployment.resources):
            if resource.kept:
                continue
            path = Path(resource.name)
            try:
                if folder.is_draft(path, deployment.id):
                    await _in_thread(folder.discard, path)
                    continue
                written = str(deployment.details.get(_WRITTEN, ""))
                left = await _in_thread(folder.remove, path, written)
            except OSError as error:
                raise InvalidError(
                    f"{path} cannot be removed: {error.strerror or error}.",
                    "Remove it by hand, then delete the deployment again.",
                ) from error
            if left:
                progress.log(f"not as it was written, so it stays: {', '.join(left)}\n")


def _resource(path: Path) -> Resource:
    return Resource("file" if path.suffix == ".tar" else "folder", str(path))


def _summary(path: Path) -> str:
    """``9 files, 81.4 MB``"""
    if path.is_file():
        return f"1 file, {_size(path.stat().st_size)}"
    found = folder.names(path)
    return f"{len(found)} files, {_size(sum((path / name).stat().st_size for name in found))}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _cannot_write(place: Path, error: OSError) -> InvalidError:
    return InvalidError(
        f"{place} cannot be written: {error.strerror or error}.",
        "Name a folder that you may write to, on a disk with space.",
    )


async def _in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(partial(work, *arguments))
