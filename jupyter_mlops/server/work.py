"""What operations that REST starts do, and what their results name. One function per kind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..core.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from ..core.environment import EnvironmentSpec
    from ..core.ports import Progress
    from ..core.snapshot import Snapshot
    from ..wiring import Services
    from .schemas.bases import CreateBase
    from .schemas.deployments import CreateDeployment, UpdateDeployment
    from .schemas.packages import CreatePackage
    from .schemas.snapshots import CreateSnapshot

    Work = Callable[[Progress], Awaitable[dict[str, Any]]]
    ShownPath = Callable[[Path], str]


def base(services: Services, body: CreateBase, file: Path | None = None) -> Work:
    """``file`` is where the Dockerfile is; without one, its text is in ``body``."""

    async def work(progress: Progress) -> dict[str, Any]:
        environments = services.environments
        if body.kind == "pull":
            made = await environments.pull_base(body.ref, body.name, progress)
        elif file is not None:
            made = await environments.build_base(body.name, file, progress)
        elif body.kind == "dockerfile":
            with TemporaryDirectory(prefix="mlops-") as folder:
                pasted = await asyncio.to_thread(_written, Path(folder, body.name), body.text)
                made = await environments.build_base(body.name, pasted, progress)
        else:
            made = await environments.create_base(
                body.name, suite=body.suite, packages=body.packages, progress=progress
            )
        return {"base": made.name}

    return work


def _written(folder: Path, text: str) -> Path:
    """A Dockerfile in a folder of that name, which lists then show as its origin."""
    folder.mkdir()
    file = folder / "Dockerfile"
    file.write_text(text)
    return file


async def require_free(services: Services, name: str) -> None:
    """Tell at once, where the form can show it, that a name is taken; raises ConflictError."""
    try:
        existing = await services.environments.get(name)
    except NotFoundError:
        return
    if existing.active:
        raise ConflictError(
            f"There is an environment named {name!r} already.",
            "Choose another name, or build a new revision of it.",
        )


def build(
    services: Services, spec: EnvironmentSpec, replace: bool, notes: Sequence[str] = ()
) -> Work:
    """``notes`` are lines that the log begins with."""

    async def work(progress: Progress) -> dict[str, Any]:
        for note in notes:
            progress.log(f"{note}\n")
        built = await services.rebuilds.build(spec, progress, replace=replace)
        if built.moved:
            await services.rebuilds.follow(spec.name)
        return built.result()

    return work


def snapshot(services: Services, body: CreateSnapshot) -> Work:
    async def work(progress: Progress) -> dict[str, Any]:
        made = await services.snapshots.create(
            body.kernel, body.name, body.note, progress, exclude=body.exclude
        )
        return {"snapshot": made.id}

    return work


def publish(services: Services, id: str, project: str, allow: Sequence[str]) -> Work:
    async def work(progress: Progress) -> dict[str, Any]:
        published = await services.sharing.publish(id, project, progress, allow=allow)
        return {"snapshot": published.id, "project": project}

    return work


def open_local(services: Services, id: str, directory: Path, shown: ShownPath) -> Work:
    async def work(progress: Progress) -> dict[str, Any]:
        found = await services.snapshots.get(id)
        progress.phase("files", f"Unpacking into {shown(directory)}")
        await services.snapshots.unpack(found, directory)
        services.kernel_specs.install_snapshot(found)
        return _opened(found, directory, shown)

    return work


def open_published(
    services: Services, project: str, id: str, directory: Path | None, shown: ShownPath
) -> Work:
    async def work(progress: Progress) -> dict[str, Any]:
        opened = await services.sharing.open(project, id, progress, directory=directory)
        return _opened(opened, directory, shown)

    return work


def _opened(snapshot: Snapshot, directory: Path | None, shown: ShownPath) -> dict[str, Any]:
    return {
        "snapshot": snapshot.id,
        "kernel_name": f"mlops-{snapshot.id}",
        "directory": shown(directory) if directory else "",
        "notebooks": list(snapshot.workspace.notebooks),
    }


def reproduce(services: Services, id: str, into: Path, network: bool, shown: ShownPath) -> Work:
    async def work(progress: Progress) -> dict[str, Any]:
        report = await services.reproducing.reproduce(id, into, progress, network=network)
        return {
            "snapshot": report.snapshot,
            "report": shown(into / "reproduce-report.json"),
            "passed": report.passed,
            "verdict": report.verdict(),
        }

    return work


def package(services: Services, body: CreatePackage) -> Work:
    async def work(progress: Progress) -> dict[str, Any]:
        made = await services.packaging.create(
            body.snapshot,
            body.name,
            body.model,
            body.handler,
            body.sample,
            progress,
            expected=body.expected,
            content_type=body.content_type,
            also=body.also,
            batching=body.batching,
        )
        return {"package": made.id}

    return work


def check(services: Services, id: str) -> Work:
    async def work(progress: Progress) -> dict[str, Any]:
        report = await services.packaging.check(id, progress)
        return {"package": id, "passed": report.passed}

    return work


def deploy(services: Services, body: CreateDeployment) -> Work:
    async def work(progress: Progress) -> dict[str, Any]:
        made = await services.deploying.deploy(
            body.package, body.target, body.name, body.options, progress
        )
        return {"deployment": made.id}

    return work


def turn_deployment(services: Services, id: str, verb: str) -> Work:
    """``verb`` is ``stop`` or ``start``."""

    async def work(progress: Progress) -> dict[str, Any]:
        deploying = services.deploying
        turn = deploying.stop if verb == "stop" else deploying.start
        return {"deployment": (await turn(id, progress)).id}

    return work


def update_deployment(services: Services, id: str, body: UpdateDeployment) -> Work:
    async def work(progress: Progress) -> dict[str, Any]:
        changed = await services.deploying.update(id, body.package, body.options, progress)
        return {"deployment": changed.id}

    return work


def roll_back_deployment(services: Services, id: str) -> Work:
    async def work(progress: Progress) -> dict[str, Any]:
        return {"deployment": (await services.deploying.roll_back(id, progress)).id}

    return work


def delete_deployment(services: Services, id: str) -> Work:
    async def work(progress: Progress) -> dict[str, Any]:
        await services.deploying.delete(id, progress)
        return {"deployment": id}

    return work
