"""Environments: named definitions with revisions, and the base images they start from."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from ..core import pylock
from ..core.environment import Base, Environment, EnvironmentSpec
from ..core.errors import ConflictError, InvalidError, NotFoundError, SmokeFailedError
from ..core.imported import Imported
from ..core.inventory import Inventory, InventoryDiff, diff
from ..core.ports import (
    Blobs,
    EngineProvider,
    KernelSpecs,
    NotebookRunner,
    Progress,
    RootFilesystem,
    Store,
)
from ..core.revision import Built, Revision
from ..core.settings import Settings
from . import spec_file
from .bases import Bases
from .build_steps.container import remove_own
from .builds import Builds
from .deleting import Deleting
from .ending import to_the_end
from .freeze_lock import looking
from .imports import reading as imports
from .imports.local import capture
from .inventories import Inventories
from .parents import Family
from .smoke import Smoke
from .temporary_containers import remove_left


class Environments:
    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        engines: EngineProvider,
        blobs: Blobs,
        kernel_specs: KernelSpecs,
        notebooks: NotebookRunner,
        root_filesystem: RootFilesystem,
    ) -> None:
        self._settings = settings
        self._store = store
        self._engines = engines
        self._blobs = blobs
        self._kernel_specs = kernel_specs
        self._inventories = Inventories(settings=settings, engines=engines, blobs=blobs)
        self._bases = Bases(
            settings=settings,
            store=store,
            engines=engines,
            blobs=blobs,
            root_filesystem=root_filesystem,
        )
        self._builds = Builds(
            settings=settings,
            store=store,
            engines=engines,
            blobs=blobs,
            bases=self._bases,
            inventories=self._inventories,
        )
        self._smoke = Smoke(settings, blobs, notebooks)
        self._building: dict[str, asyncio.Event] = {}
        """What this process builds; set when a build has ended."""
        self.deleting = Deleting(
            settings=settings,
            store=store,
            engines=engines,
            blobs=blobs,
            kernel_specs=kernel_specs,
            is_building=self._building.__contains__,
        )

    # ------------------------------------------------------------------------------- bases

    async def bases(self) -> builtins.list[Base]:
        """Newest first."""
        return await self._bases.list()

    async def create_base(
        self,
        name: str,
        suite: str = "bookworm",
        packages: Sequence[str] = (),
        *,
        progress: Progress,
    ) -> Base:
        """Make one from distribution packages. Raises ConflictError when the name is taken."""
        return await self._bases.create(name, suite, packages, progress)

    async def pull_base(self, ref: str, name: str, progress: Progress) -> Base:
        """Take one from a registry. Raises Registry* errors, ConflictError."""
        return await self._bases.pull(ref, name, progress)

    async def build_base(self, name: str, file: Path, progress: Progress) -> Base:
        """Make one from a Dockerfile, or the folder it is in. Raises ConflictError, NotFoundError
        and BuildFailedError."""
        return await self._bases.build(name, file, progress)

    async def delete_base(self, name: str) -> None:
        """Raises NotFoundError, and ConflictError while environments start from it."""
        await self._bases.delete(name)

    # ------------------------------------------------------------------------ environments

    def parse_spec(self, text: str, directory: Path | None = None) -> EnvironmentSpec:
        """Read a specification file's text; raises InvalidError naming the key."""
        return spec_file.parse_spec(text, directory)

    async def imported(
        self, file: Path, extras: Sequence[str] = (), groups: Sequence[str] = ()
    ) -> Imported:
        """What requirements.txt, pyproject.toml, pylock.toml, conda's environment.yml or renv.lock
        give to a specification. Raises InvalidError, IndexUnavailableError."""
        return await imports.read(file, self._settings, extras, groups)

    async def captured(self) -> Imported:
        """What is installed for the Python that this process runs on."""
        return await capture()

    async def list(
        self, limit: int | None = None, after: str = "", query: str = ""
    ) -> builtins.list[Environment]:
        """Newest first; ``query`` is looked for in name and description."""
        if not query:
            return await self._store.environments.list(limit=limit, after=after)
        words = query.lower().split()
        found = [
            environment
            for environment in await self._store.environments.list(after=after)
            if all(w in f"{environment.name} {environment.spec.description}".lower() for w in words)
        ]
        return found[:limit]

    async def get(self, name: str) -> Environment:
        environment = await self._store.environments.get(name)
        if environment is None:
            raise NotFoundError(
                f"There is no environment named {name!r}.",
                "See `jupyter mlops env list`, or the sidebar, for those there are.",
            )
        return environment

    async def describe(self, name: str, description: str) -> Environment:
        """Change the description; nothing is built."""
        found = await self.get(name)
        changed = replace(found, spec=replace(found.spec, description=description))
        await self._store.environments.save(changed)
        return changed

    async def build(
        self,
        spec: EnvironmentSpec,
        progress: Progress,
        replace: bool = False,
        *,
        upgrade: bool = False,
        keep_spec: bool = False,
    ) -> Revision:
        """Build ``spec`` and make the result the active revision, if its smoke notebook passes.

        A request that was built before returns that revision at once. Without ``replace`` the
        name must be free (ConflictError); one whose first build failed counts as free. With
        ``upgrade`` newer versions of packages are looked for; with ``keep_spec`` the environment
        keeps the specification that was last asked for. After a failure the environment
        stays as it was, or, new, stays without a revision; after a cancellation a new one is gone.
        Raises SmokeFailedError when there is a new revision that did not become active.
        """
        spec = spec_file.validated(spec)
        name = spec.name
        if name in self._building:
            raise ConflictError(
                f"The environment {name!r} is being built already.",
                "Wait until that build has ended, or cancel it.",
            )
        # Claimed before anything is awaited, so that of two requests one is refused.
        self._building[name] = asyncio.Event()
        try:
            return await self._build(spec, progress, replace, upgrade, keep_spec)
        finally:
            self._building.pop(name).set()

    async def idle(self, name: str) -> None:
        """Wait until this process does not build ``name`` any more."""
        while name in self._building:
            await self._building[name].wait()

    async def _build(
        self,
        spec: EnvironmentSpec,
        progress: Progress,
        existing: bool,
        upgrade: bool,
        keep_spec: bool,
    ) -> Revision:
        spec = await self.with_smoke(spec, None)
        (await self.family()).check(spec)
        before = await self._store.environments.get(spec.name)
        if before is not None and before.active and not existing:
            raise ConflictError(
                f"There is an environment named {spec.name!r} already.",
                f"Choose another name, or build a new revision of it "
                f"(`jupyter mlops env build {spec.name} --from FILE`).",
            )
        if before is None:
            environment = Environment(
                name=spec.name, owner=self._settings.owner, spec=spec, created=_now()
            )
        else:
            environment = before if keep_spec else replace(before, spec=spec)
        await self._store.environments.save(environment)
        known = await self.revisions(spec.name)
        made: Revision | None = None
        try:
            revision = await self._builds.build(environment, spec, known, progress, upgrade=upgrade)
            made = None if revision in known else revision
            revision = await self._tried(spec, revision, progress)
        except BaseException as error:
            if not isinstance(error, Exception):
                await to_the_end(self._undo(spec.name, before, made))
            raise
        return await to_the_end(self._activated(environment, revision))

    async def _tried(
        self, spec: EnvironmentSpec, revision: Revision, progress: Progress
    ) -> Revision:
        """The revision after its smoke notebook passed, now or before; raises SmokeFailedError."""
        environment = await self.get(spec.name)
        built = await self.compared(environment.active, revision)
        if built.previous and built.moved:
            progress.log(f"Since revision {built.previous}: {built.changes.summary()}\n")
            progress.log("".join(f"{line}\n" for line in built.changes.lines()))
        before = revision.smoke
        if not spec.smoke or (before and before.passed and before.notebook == spec.smoke_notebook):
            return revision
        # With a kernel of its own: for the notebook, and for who wants to see why it failed.
        latest = max(environment.latest, revision.number)
        await self._store.environments.save(replace(environment, latest=latest))
        await self._install(environment)
        result = await self._smoke.run(revision, spec, progress)
        revision = replace(revision, smoke=result)
        await self._store.revisions.save(revision)
        if result.passed:
            return revision
        name, number, active = spec.name, revision.number, environment.active
        error = SmokeFailedError(
            f"Revision {number} of {name} was built, but its smoke notebook failed. "
            f"{result.message.rstrip('.')}. "
            + (f"Revision {active} stays active." if active else "It is not active."),
            "The log has the notebook's outputs. To use the revision all the same: "
            f"`jupyter mlops env activate {name} {number}`.",
        )
        error.result = built.result()
        raise error

    async def compared(self, previous: int, revision: Revision) -> Built:
        """What it changes for users of the revision ``previous``; 0 is none."""
        before = await self._store.revisions.get(f"{revision.environment}@{previous}")
        if before is None:
            return Built(revision, 0, InventoryDiff())
        changes = diff(await self.inventory(before), await self.inventory(revision))
        return Built(revision, previous, changes)

    async def _undo(self, name: str, before: Environment | None, made: Revision | None) -> None:
        """After a cancellation everything is as it was."""
        if made is not None:
            await remove_own(await self._engines.engine(), made.ref, made.image)
            await self._store.revisions.delete(f"{name}@{made.number}")
        if before is None:
            await self._store.environments.delete(name)
            self._kernel_specs.remove(name)
        else:
            await self._store.environments.save(before)
            await self._install(before)

    async def _activated(self, environment: Environment, revision: Revision) -> Revision:
        latest = max(environment.latest, revision.number)
        changed = replace(environment, active=revision.number, latest=latest)
        await self._store.environments.save(changed)
        await self._install(changed)
        return revision

    # --------------------------------------------------------------------------- revisions

    async def revisions(self, name: str) -> builtins.list[Revision]:
        """Newest first."""
        return await self._store.revisions.list(environment=name)

    async def revision(self, name: str, number: int = 0) -> Revision:
        """``number`` 0 is the active one. Raises NotFoundError."""
        environment = await self.get(name)
        wanted = number or environment.active
        if not wanted:
            raise NotFoundError(
                f"The environment {name!r} has no revision: no build has succeeded yet.",
                "Look at its last build's log, correct the specification, and build it again.",
            )
        revision = await self._store.revisions.get(f"{name}@{wanted}")
        if revision is None:
            raise NotFoundError(
                f"The environment {name!r} has no revision {wanted}.",
                f"See `jupyter mlops env show {name}`.",
            )
        return revision

    async def active_spec(self, name: str) -> EnvironmentSpec:
        """What the active revision was built from, with the description and limits of now: those
        of a build that failed since are not in it. Raises NotFoundError."""
        now = (await self.get(name)).spec
        return replace(
            (await self.revision(name)).spec,
            description=now.description,
            secrets=now.secrets,
            smoke=now.smoke,
            smoke_notebook=now.smoke_notebook,
            network=now.network,
            resources=now.resources,
        )

    async def with_smoke(self, spec: EnvironmentSpec, folder: Path | None) -> EnvironmentSpec:
        """The specification with the smoke notebook that is in ``folder`` now, else with the one
        that it was taken with before. Raises InvalidError where there is none at all."""
        return await self._smoke.taken(spec_file.validated(spec), folder)

    async def family(self) -> Family:
        """Who starts from whom."""
        return await Family.read(self._store)

    async def resolve(self, text: str) -> tuple[Environment, Revision]:
        """``name`` and ``name@active`` are the active revision, ``name@3`` is that one."""
        name, _, which = text.partition("@")
        if which not in ("", "active") and not which.removeprefix("r").isdigit():
            raise InvalidError(
                f"{text!r} is not a revision of an environment.",
                "Write it as name, name@active or name@3.",
            )
        number = 0 if which in ("", "active") else int(which.removeprefix("r"))
        return await self.get(name), await self.revision(name, number)

    async def activate(self, name: str, number: int) -> Environment:
        """Make this revision the one that new kernels start from."""
        environment = await self.get(name)
        revision = await self.revision(name, number)
        engine = await self._engines.engine()
        if await engine.image(revision.image) is None:
            raise NotFoundError(
                f"The image of {name} revision {number} is not on this machine any more.",
                "Build the environment again.",
            )
        changed = replace(environment, active=revision.number)
        await self._store.environments.save(changed)
        await self._install(changed)
        return changed

    async def lock(self, revision: Revision) -> str:
        """The text of its pylock.toml, with its packages of R."""
        lock = (await self._blobs.get(revision.lock)).decode()
        return pylock.with_r(lock, await self.inventory(revision))

    async def inventory(self, revision: Revision) -> Inventory:
        return await self._inventories.load(revision.inventory)

    async def probe(self, image: str) -> Inventory:
        """What is installed in an image, asked in a fresh container."""
        return await self._inventories.of_image(image)

    async def probe_container(self, container: str) -> Inventory:
        """What is installed in a kernel's container, once nobody freezes it."""
        async with looking(self._settings.runtime):
            return await self._inventories.of_container(container)

    # -------------------------------------------------------------------- collect, delete

    async def collect(self) -> int:
        """Remove containers of builds and probes whose process is gone; returns how many."""
        return await remove_left(await self._engines.engine(), self._settings.owner)

    async def delete(self, name: str) -> int:
        """Delete an environment with its revisions; returns bytes freed. See ``deleting``."""
        return (await self.deleting.carry_out(await self.deleting.of_environment(name))).freed

    async def _install(self, environment: Environment) -> None:
        revisions = await self.revisions(environment.name)
        self._kernel_specs.install_environment(environment, revisions)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
