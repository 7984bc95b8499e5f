"""The contract check: a package's image is run as SageMaker would, before it leaves the machine."""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from uuid import uuid4

import anyio.to_thread

from ..core.errors import NotFoundError
from ..core.model_package import Check, ContractReport, ModelPackage
from ..core.ports import Blobs, Engine, EngineProvider, Progress
from ..core.settings import Settings
from .contract_checks import ending, image, requesting, starting
from .contract_checks.running import Running, container
from .ending import to_the_end
from .package_files import extract

START_LIMIT = 480.0
"""Seconds that SageMaker waits for the first good answer to a health probe."""
MEMORY = 4 * 1024**3
"""Bytes, as the smallest hosting instance has. Large models get three times their size."""


class Contract:
    """One check of one package."""

    def __init__(
        self,
        *,
        settings: Settings,
        engines: EngineProvider,
        blobs: Blobs,
        start_limit: float = START_LIMIT,
    ) -> None:
        self._settings = settings
        self._engines = engines
        self._blobs = blobs
        self._start_limit = start_limit

    async def check(self, package: ModelPackage, progress: Progress) -> ContractReport:
        """Run every check; a failed one is in the report, it raises nothing.

        Raises NotFoundError where the image or the model is not on this machine.
        """
        engine = await self._engines.engine()
        found = await engine.image(package.image)
        if found is None:
            raise NotFoundError(
                f"The image of the model package {package.name!r} is not on this machine.",
                "Make the package again.",
            )
        progress.phase("image", "Looking at the image")
        checks = image.checks(found, package)
        folder = self._settings.data / "checks" / uuid4().hex
        try:
            model = folder / "model"
            archive = self._blobs.path(package.model)
            await anyio.to_thread.run_sync(extract, archive, model)
            memory = max(MEMORY, 3 * package.model_size)
            progress.phase("start", "Running the container as SageMaker would")
            owner = self._settings.owner
            async with container(engine, found.id, model, memory, owner) as running:
                checks += await self._running(engine, running, package, progress)
        finally:
            await to_the_end(anyio.to_thread.run_sync(_remove, folder))
        created = datetime.now(timezone.utc).isoformat(timespec="seconds")
        notes = (f"Trusted only: {package.trust}.",) if package.trust else ()
        return ContractReport(package.image, created, tuple(checks), notes)

    async def _running(
        self, engine: Engine, running: Running, package: ModelPackage, progress: Progress
    ) -> list[Check]:
        checks: list[Check] = []

        def tell(check: Check) -> None:
            checks.append(check)
            mark = "passed" if check.passed else "FAILED"
            progress.log(f"{mark}  {check.title}: {check.detail}\n")

        starts, ping = await starting.check(running, self._start_limit)
        tell(starts)
        if ping is not None:
            tell(ping)
            progress.phase("requests", "Sending good and bad requests")
            body = await self._blobs.get(package.sample.body)
            others = [
                (o.content_type, await self._blobs.get(o.body)) for o in package.sample.others
            ]
            expected = package.sample.expected
            answer = await self._blobs.get(expected) if expected else b""
            for check in await requesting.checks(running, package, body, answer, others):
                tell(check)
        progress.phase("stop", "Asking it to stop")
        tell(await ending.writes(running))
        tell(await ending.stops(running))
        return checks


def _remove(folder: object) -> None:
    shutil.rmtree(str(folder), ignore_errors=True)
