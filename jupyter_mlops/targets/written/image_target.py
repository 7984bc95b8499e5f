"""A target that pushes one image with its model in it, and writes the files that run it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio.to_thread
from pydantic import Field, field_validator

from ...core.deployment import Deployment, Plan, Resource
from ...core.errors import InvalidError
from ...core.image_ref import ImageRef
from ...core.image_ref import parse as parse_ref
from ...core.model_package import ModelPackage
from ...core.ports import Progress
from . import folder, self_contained
from .options import FileOptions
from .origin import REQUEST, Origin
from .target import FileTarget

_SUFFIXES = {"application/json": "json", "text/csv": "csv", "application/jsonlines": "jsonl"}


class ImageOptions(FileOptions):
    repository: str = Field(
        title="Image repository",
        description="Where the image is pushed now: registry/team/name, without a tag. Your "
        "Docker login for that registry is used.",
    )

    @field_validator("repository")
    @classmethod
    def _repository(cls, value: str) -> str:
        try:
            ref = parse_ref(value)
        except InvalidError as error:
            raise ValueError(error.message.rstrip(".")) from None
        if not ref.registry or ref.tag or ref.digest:
            raise ValueError(
                "must name registry and repository without a tag, such as "
                "registry.example.com/team/churn"
            )
        return value.strip()

    @property
    def image(self) -> ImageRef:
        return parse_ref(self.repository)


class ImageTarget(FileTarget):
    @abstractmethod
    def check_name(self, name: str) -> None:
        """Raise InvalidError for a deployment's name that the platform does not take."""

    @abstractmethod
    def files(self, origin: Origin, chosen: Any, request: str) -> dict[str, str]:
        """Name to content of every file but the sample, whose name is ``request``."""

    @abstractmethod
    def steps(self, chosen: Any) -> tuple[str, ...]:
        """Of the plan: which files are written."""

    async def plan(self, package: ModelPackage, name: str, options: Mapping[str, Any]) -> Plan:
        chosen = self.form.model_validate(dict(options))
        assert isinstance(chosen, ImageOptions)
        self.check_name(name)
        await anyio.to_thread.run_sync(folder.check_free, chosen.place)
        await self.image(package)
        ref = str(chosen.image.with_tag(package.id))
        return Plan(
            steps=(
                f"Put the model of {package.name} into a copy of its image",
                f"Push that to {chosen.image.name}",
                *self.steps(chosen),
            ),
            resources=(
                Resource("image", ref, kept=True),
                Resource("folder", str(chosen.place)),
            ),
            cost="Nothing, until the files are put to use.",
        )

    async def write(
        self, package: ModelPackage, deployment: Deployment, into: Path, progress: Progress
    ) -> dict[str, Any]:
        chosen = self.form.model_validate(deployment.options)
        assert isinstance(chosen, ImageOptions)
        self.check_name(deployment.name)
        engine, image = await self.image(package)
        snapshot = await self._records.snapshot(package)
        body = await self._blobs.get(package.sample.body)
        pushed = await self_contained.push(
            engine,
            self._registries,
            self._blobs,
            package,
            image,
            chosen.image,
            self._settings.owner,
            progress,
        )
        progress.phase("files", "Writing the files")
        kind = package.sample.content_type.partition(";")[0]
        request = f"{REQUEST}.{_SUFFIXES.get(kind, 'bin')}"
        origin = Origin(package, snapshot, deployment.name, pushed)
        files = self.files(origin, chosen, request)

        def add() -> None:
            folder.add(into, request, body)
            for name, content in files.items():
                folder.add(into, name, content, 0o755 if name.endswith(".sh") else 0o644)

        await anyio.to_thread.run_sync(add)
        return {"image": pushed}

    def elsewhere(self, details: Mapping[str, Any]) -> tuple[Resource, ...]:
        return (Resource("image", str(details["image"]), kept=True),)
