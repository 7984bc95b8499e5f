"""Builds: from a specification to a revision's image, lock and inventory."""

from __future__ import annotations

from collections.abc import Sequence, Set
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timezone

from ..core.environment import Environment, EnvironmentSpec
from ..core.errors import BuildFailedError, NotFoundError, UnsatisfiableError
from ..core.inventory import Inventory
from ..core.ports import Blobs, Engine, EngineProvider, Image, Progress, Store
from ..core.revision import Revision, identity
from ..core.settings import Settings
from .bases import Bases, Start
from .build_steps import apt, preload, python, r
from .build_steps.container import BuildContainer, build_container, image_variables, new_ref
from .build_steps.freeze import freeze
from .build_steps.resolve import find_python, only_adds, requirements, resolve, use
from .build_steps.setup import run_setup
from .ending import to_the_end
from .inventories import Inventories
from .parents import floors, made_older, preferred
from .temporary_containers import remove_left

MOST_LAYERS = 12
"""Layers that additions may put on a base before a build begins from the base again: a container
starts slower with each, and engines allow about 120."""


@dataclass(frozen=True)
class _Job:
    """One build, as far as it is known."""

    engine: Engine
    environment: Environment
    spec: EnvironmentSpec
    start: Start
    base: Image
    revisions: Sequence[Revision]
    """Those there are, newest first."""
    preferred: str
    """Text of the lock whose versions are kept where they fit."""
    progress: Progress


class Builds:
    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        engines: EngineProvider,
        blobs: Blobs,
        bases: Bases,
        inventories: Inventories,
    ) -> None:
        self._settings = settings
        self._store = store
        self._engines = engines
        self._blobs = blobs
        self._bases = bases
        self._inventories = inventories

    async def build(
        self,
        environment: Environment,
        spec: EnvironmentSpec,
        revisions: Sequence[Revision],
        progress: Progress,
        *,
        upgrade: bool = False,
    ) -> Revision:
        """The revision of ``revisions`` that is what ``spec`` asks for, else a new one, saved.

        ``upgrade`` asks the package index for the newest versions that fit; else those of the
        active revision stay. Raises BaseMissingError, BuildFailedError and its kinds,
        DiskFullError, EngineUnavailableError; then no image and no container is left.
        """
        progress.phase("resolve", "Looking up the base image")
        start = await self._bases.start(spec.base)
        engine = await self._engines.engine()
        if not upgrade:
            same = await _same(engine, revisions, spec, start.image)
            if same:
                progress.log(f"Revision {same.number} is what is asked for.\n")
                return same
        await remove_left(engine, self._settings.owner)
        base = await engine.image(start.image)
        if base is None:
            raise NotFoundError(f"The base image {spec.base!r} was removed just now.")
        job = _Job(
            engine=engine,
            environment=environment,
            spec=spec,
            start=start,
            base=base,
            revisions=revisions,
            preferred="" if upgrade else await self._preferred(environment, spec, revisions, start),
            progress=progress,
        )
        below = await self._extendable(job)
        lock = ""
        if below:
            revision, lock = await self._extend(job, below)
            if revision:
                return revision
        return await self._anew(job, lock)

    # --------------------------------------------------------------- two ways to a revision

    async def _extend(self, job: _Job, below: Revision) -> tuple[Revision | None, str]:
        """Put what is new on the active revision's image: a small layer, made and shared in
        seconds. Also returns the new lock; no revision when that is not the old one and more."""
        image = await job.engine.image(below.image)
        if image is None:
            return None, ""
        async with self._container(job, image) as container:
            lock = await self._locked(container, job)
            revision = await self._same_lock(job, lock)
            if revision is None and only_adds(job.preferred, lock):
                if set(job.spec.apt) != set(below.spec.apt):
                    await self._apt(container, job)
                revision = await self._finish(
                    container, job, lock, keep_others=True, have_r=set(below.spec.r)
                )
            return revision, lock

    async def _anew(self, job: _Job, lock: str) -> Revision:
        """Begin from the base; ``lock`` is empty where it is not resolved yet."""
        async with self._container(job, job.base) as container:
            apt_done = False
            if lock:
                await use(container, lock)
            else:
                lock, apt_done = await self._locked_anew(container, job)
                same = await self._same_lock(job, lock)
                if same:
                    return same
            if job.spec.apt and not apt_done:
                await self._apt(container, job)
            return await self._finish(container, job, lock, keep_others=bool(job.start.lock))

    async def _locked_anew(self, container: BuildContainer, job: _Job) -> tuple[str, bool]:
        """The lock, and whether distribution packages had to be installed to get it."""
        if job.spec.apt and not await find_python(container):
            # Python itself may be what is to be installed.
            await self._apt(container, job)
            return await self._locked(container, job), True
        try:
            return await self._locked(container, job), False
        except BuildFailedError as error:
            # A package without a wheel may need a compiler to tell what it depends on.
            if not job.spec.apt or "compiled" not in error.message:
                raise
        await self._apt(container, job)
        return await self._locked(container, job), True

    # ------------------------------------------------------------------------------- steps

    def _container(self, job: _Job, image: Image) -> AbstractAsyncContextManager[BuildContainer]:
        return build_container(
            job.engine,
            self._settings,
            job.progress,
            image,
            job.environment.name,
            job.spec.variables,
        )

    async def _locked(self, container: BuildContainer, job: _Job) -> str:
        job.progress.phase("resolve", "Finding versions that fit together")
        interpreter = await find_python(container)
        if not interpreter:
            raise BuildFailedError(
                f"The base image {job.spec.base!r} has no Python.",
                "Choose a base with Python 3.8 or later, or add `apt: [python3]`.",
            )
        wanted = requirements(job.start.requirements, job.spec.python)
        above = await self._above(job)
        limits = floors(above, job.spec.python) if above else []
        try:
            lock = await resolve(
                container, interpreter, wanted, job.preferred, job.spec.date, limits
            )
        except UnsatisfiableError as error:
            if not limits:
                raise
            raise UnsatisfiableError(
                error.message,
                f"It starts from {job.start.revision}: what that asks for holds here, and what it "
                "has is not made older unless you name the package yourself. " + error.hint,
            ) from None
        for name, (before, after) in made_older(lock, above).items() if above else ():
            job.progress.log(
                f"{name} {before} of {job.start.revision} becomes {after}, as it was asked for\n"
            )
        return lock

    async def _above(self, job: _Job) -> Inventory | None:
        """What is installed in the revision that this build starts from."""
        digest = job.start.inventory
        return await self._inventories.load(digest) if digest else None

    async def _apt(self, container: BuildContainer, job: _Job) -> None:
        job.progress.phase("apt", "Installing distribution packages")
        await apt.install(container, job.spec.apt)

    async def _finish(
        self,
        container: BuildContainer,
        job: _Job,
        lock: str,
        *,
        keep_others: bool,
        have_r: Set[str] = frozenset(),
    ) -> Revision:
        """``have_r``: packages of R that are there already."""
        progress, spec = job.progress, job.spec
        progress.phase("prepare", "Making the virtual environment")
        await python.prepare(container, await find_python(container))
        progress.phase("python", "Installing Python packages")
        await python.install(container, keep_others=keep_others)
        if set(spec.r) - have_r:
            progress.phase("r", "Installing R and its packages")
            await r.install(container, spec.r)
        else:
            # A base may have R of its own.
            await r.configure(container)
        if spec.setup.strip():
            progress.phase("setup", "Running the setup script")
            await run_setup(container, spec.setup)
        progress.phase("probe", "Listing what is installed")
        await preload.record(container, spec.preload)
        inventory = await self._inventories.of_container(container.id, job.engine)
        progress.phase("freeze", "Making the image")
        number = await self._store.next_revision(spec.name)
        ref = new_ref(f"mlops/env/{spec.name}", f"r{number}")
        lock_digest = await self._blobs.put(lock.encode())
        image = await freeze(
            container,
            environment=spec.name,
            number=number,
            ref=ref,
            variables=image_variables(job.base, spec.variables),
        )
        try:
            made = await job.engine.image(image)
            revision = Revision(
                environment=spec.name,
                number=number,
                spec=spec,
                base_image=job.base.id,
                image=image,
                ref=ref,
                lock=lock_digest,
                inventory=await self._inventories.save(inventory),
                identity=identity(job.base.id, lock_digest, spec),
                created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
                size=made.size if made else 0,
                packages=len(inventory.of("pypi")),
                r_packages=len(inventory.of("cran")),
                python=inventory.python,
                parent=job.start.revision,
                inherited=job.start.requirements,
                r=inventory.r if r.KERNEL in inventory.of("cran") else "",
                operation=_operation(progress),
            )
            await self._store.revisions.save(revision)
        except BaseException:
            await to_the_end(job.engine.remove_image(ref))
            raise
        return revision

    # ------------------------------------------------------------------------- what there is

    async def _preferred(
        self,
        environment: Environment,
        spec: EnvironmentSpec,
        revisions: Sequence[Revision],
        start: Start,
    ) -> str:
        active = next((r for r in revisions if r.number == environment.active), None)
        if active and active.spec.date != spec.date:
            return ""  # Another date is asked for to have other versions.
        own = await self._lock(active.lock if active else "")
        if not start.lock or (active and own and active.base_image == start.image):
            return own
        before = await self._store.revisions.get(active.parent) if active else None
        old = await self._lock(before.lock if before else "")
        return preferred(own, old, await self._lock(start.lock))

    async def _lock(self, digest: str) -> str:
        """Empty where there is none any more."""
        try:
            return (await self._blobs.get(digest)).decode() if digest else ""
        except NotFoundError:
            return ""

    async def _extendable(self, job: _Job) -> Revision | None:
        """The active revision, where the new one can be it and more packages."""
        active = next((r for r in job.revisions if r.number == job.environment.active), None)
        if active is None or not job.preferred:
            return None
        before, after = active.spec, job.spec
        equal = (
            active.base_image == job.base.id
            and set(before.apt) <= set(after.apt)
            and set(before.r) <= set(after.r)
            and not before.setup.strip()
            # A variable of an image can be changed, but never be taken away.
            and before.variables.keys() <= after.variables.keys()
        )
        image = await job.engine.image(active.image) if equal else None
        if image is None or len(image.layers) - len(job.base.layers) >= MOST_LAYERS:
            return None
        return active

    async def _same_lock(self, job: _Job, lock: str) -> Revision | None:
        digest = await self._blobs.put(lock.encode())
        wanted = identity(job.base.id, digest, job.spec)
        for revision in job.revisions:
            if revision.identity == wanted and await job.engine.image(revision.image):
                job.progress.log(f"Revision {revision.number} is what is asked for.\n")
                return revision
        return None


async def _same(
    engine: Engine, revisions: Sequence[Revision], spec: EnvironmentSpec, base: str
) -> Revision | None:
    """The newest revision built from an equal specification on the same base, if its image is
    still there."""
    for revision in revisions:
        equal = revision.spec.digest == spec.digest and revision.base_image == base
        if equal and await engine.image(revision.image):
            return revision
    return None


def _operation(progress: Progress) -> str:
    """Id of the operation that is behind ``progress``; empty where there is none."""
    return str(getattr(getattr(progress, "operation", None), "id", ""))
