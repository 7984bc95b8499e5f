"""Base images: what environments start from."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ..core import image_ref
from ..core.container_network import secrets_of
from ..core.environment import Base, check_name
from ..core.errors import BaseMissingError, ConflictError, InvalidError, NotFoundError
from ..core.layout import LABEL_KIND, LABEL_OWNER
from ..core.ports import (
    Blobs,
    Credentials,
    EngineProvider,
    ImageConfig,
    Progress,
    RootFilesystem,
    Store,
)
from ..core.settings import Settings
from .build_steps.container import new_ref, remove_own
from .ending import to_the_end


@dataclass(frozen=True)
class Start:
    """What a build starts from, looked up."""

    image: str
    """Image id."""
    requirements: tuple[str, ...] = ()
    """Those of the environment it is, and of the environments that one starts from."""
    lock: str = ""
    """Blob digest of that environment's lock."""
    inventory: str = ""
    """Blob digest of what is installed in it."""
    revision: str = ""
    """``tiny@3``; empty for a base image."""


class Bases:
    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        engines: EngineProvider,
        blobs: Blobs,
        root_filesystem: RootFilesystem,
    ) -> None:
        self._settings = settings
        self._store = store
        self._engines = engines
        self._blobs = blobs
        self._root_filesystem = root_filesystem

    async def list(self) -> list[Base]:
        return await self._store.bases.list()

    async def create(
        self, name: str, suite: str, packages: Sequence[str], progress: Progress
    ) -> Base:
        """Make one from distribution packages. Raises ConflictError when the name is taken."""
        await self._free(name)
        engine = await self._engines.engine()
        ref = new_ref(f"mlops/base/{name}", "latest")
        archive = self._blobs.scratch()
        try:
            await self._root_filesystem.make(suite, packages, archive, progress)
            progress.phase("import", "Giving it to the container engine")
            config = ImageConfig(
                labels={LABEL_KIND: "base", LABEL_OWNER: self._settings.owner},
                command=("/bin/bash",),
                tag=ref,
            )
            try:
                image = await to_the_end(engine.import_image(archive, ref, config))
            except asyncio.CancelledError:
                await to_the_end(engine.remove_image(ref))
                raise
        finally:
            archive.unlink(missing_ok=True)
        return await self._save(name, image, ref, f"debian {suite}")

    async def pull(self, ref: str, name: str, progress: Progress) -> Base:
        """Take one from a registry. Raises Registry* errors, ConflictError."""
        await self._free(name)
        parsed = image_ref.parse(ref)
        if not parsed.digest and not parsed.tag:
            parsed = parsed.with_tag("latest")
        engine = await self._engines.engine()
        progress.phase("pull", f"Pulling {parsed}")
        account = self._settings.registry_credentials.get(parsed.registry)
        image = await engine.pull(
            str(parsed),
            Credentials(*account) if account else None,
            lambda text: progress.log(text.rstrip() + "\n"),
        )
        own = new_ref(f"mlops/base/{name}", "latest")
        await engine.tag(image, own)
        return await self._save(name, image, own, str(parsed))

    async def build(self, name: str, file: Path, progress: Progress) -> Base:
        """Make one from a Dockerfile and the folder it is in. Raises ConflictError when the name
        is taken, NotFoundError, BuildFailedError that names the step and its line."""
        await self._free(name)
        if await asyncio.to_thread(file.is_dir):
            file = file / "Dockerfile"
        if not await asyncio.to_thread(file.is_file):
            raise NotFoundError(
                f"There is no Dockerfile at {file}.", "Name the folder that it is in, or the file."
            )
        engine = await self._engines.engine()
        ref = new_ref(f"mlops/base/{name}", "latest")
        progress.phase("build", f"Building {file.name}")
        secrets = secrets_of(self._settings.network)

        def said(line: str) -> None:
            for secret in secrets:
                line = line.replace(secret, "****")
            progress.log(line + "\n")
            if line.lower().startswith("step "):
                progress.update(line[:120])

        image = await engine.build_image(
            file.parent,
            file.name,
            ref,
            {LABEL_KIND: "base", LABEL_OWNER: self._settings.owner},
            # Builders know these and keep them out of the image and its history.
            self._settings.network.proxies,
            said,
        )
        try:
            return await self._save(name, image, ref, f"{file.name} in {file.parent.name}")
        except BaseException:
            await to_the_end(engine.remove_image(ref))
            raise

    async def delete(self, name: str) -> None:
        """Raises NotFoundError, and ConflictError while environments start from it."""
        base = await self._store.bases.get(name)
        if base is None:
            raise NotFoundError(f"There is no base image named {name!r}.")
        users = sorted(
            environment.name
            for environment in await self._store.environments.list()
            if environment.spec.base == name
        )
        if users:
            raise ConflictError(
                f"The base image {name!r} is used by {', '.join(users)}.",
                "Delete these environments first, or let them start from another base.",
            )
        engine = await self._engines.engine()
        await remove_own(engine, base.ref, base.image)
        await self._store.bases.delete(name)

    async def start(self, base: str) -> Start:
        """Look up ``name``, ``environment@revision`` or ``environment@active``.

        Raises BaseMissingError that says how to get one."""
        name, at, which = base.partition("@")
        if at:
            return await self._environment(base, name, which)
        found = await self._store.bases.get(name)
        engine = await self._engines.engine()
        image = await engine.image(found.image) if found else None
        if found is None or image is None:
            if await self._store.environments.get(name):
                raise BaseMissingError(
                    f"{name!r} is an environment, not a base image.",
                    f"To start from it write `base: {name}@active` or `base: {name}@1`.",
                )
            known = ", ".join(b.name for b in await self.list() if b.name != name)
            what = "is not on this machine any more" if found else "does not exist"
            raise BaseMissingError(
                f"The base image {name!r} {what}.{' There is ' + known + '.' if known else ''}",
                f"Make one with `jupyter mlops base create debian --name {name}`, or take one "
                f"from a registry with `jupyter mlops base pull REFERENCE --name {name}`.",
            )
        return Start(image.id)

    async def _environment(self, base: str, name: str, which: str) -> Start:
        pinned = which.removeprefix("r")
        if which != "active" and not pinned.isdigit():
            raise InvalidError(f"{base!r} is not a base.", f"Write `{name}@active` or `{name}@3`.")
        environment = await self._store.environments.get(name)
        if environment is None:
            known = ", ".join(sorted(e.name for e in await self._store.environments.list()))
            raise BaseMissingError(
                f"There is no environment {name!r} to start from."
                f"{' There is ' + known + '.' if known else ''}",
                "Build it first, or start from another one or from a base image.",
            )
        number = environment.active if which == "active" else int(pinned)
        revision = await self._store.revisions.get(f"{name}@{number}") if number else None
        if revision is None:
            wanted = "active revision" if which == "active" else f"revision {number}"
            raise BaseMissingError(
                f"The environment {name!r} has no {wanted} to start from.",
                f"Build it first, or see `jupyter mlops env show {name}`.",
            )
        engine = await self._engines.engine()
        if await engine.image(revision.image) is None:
            raise BaseMissingError(
                f"The image of {name} revision {number} is not on this machine any more.",
                f"Build it again: `jupyter mlops env build {name}`.",
            )
        return Start(
            image=revision.image,
            requirements=(*revision.inherited, *revision.spec.python),
            lock=revision.lock,
            inventory=revision.inventory,
            revision=f"{name}@{number}",
        )

    async def _free(self, name: str) -> None:
        check_name(name, "base image")
        if await self._store.bases.get(name):
            raise ConflictError(
                f"There is a base image named {name!r} already.",
                "Choose another name, or delete that one first.",
            )

    async def _save(self, name: str, image: str, ref: str, origin: str) -> Base:
        engine = await self._engines.engine()
        found = await engine.image(image)
        base = Base(
            name=name,
            image=image,
            ref=ref,
            origin=origin,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            size=found.size if found else 0,
        )
        await self._store.bases.save(base)
        return base
