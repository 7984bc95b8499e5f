"""Model packages: made of a snapshot, checked, listed, deleted."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

import anyio.to_thread

from ..core.environment import check_name
from ..core.errors import ConflictError, InvalidError, NotFoundError
from ..core.layout import (
    LABEL_ENVIRONMENT,
    LABEL_KIND,
    LABEL_OWNER,
    LABEL_PREFIX,
    LABEL_REVISION,
)
from ..core.model_package import (
    Batching,
    Candidates,
    ContractReport,
    Handler,
    ModelPackage,
    OtherForm,
    Sample,
)
from ..core.ports import Blobs, Engine, EngineProvider, ImageConfig, Progress, Store
from ..core.settings import Settings
from ..core.snapshot import Snapshot
from .assembling import BIND_TO_PORT, ENTRYPOINT, archive, assemble, serving_layer
from .blob_use import release, used
from .contract import Contract
from .ending import to_the_end
from .examining import examine
from .package_candidates import candidates
from .package_files import (
    PackageFiles,
    SampleFiles,
    find,
    sample,
    with_others,
    write_archive,
)
from .package_spec import spec, with_id

_ONE_BY_ONE = Batching()


class SnapshotFiles(Protocol):
    """What packaging needs of snapshots."""

    async def get(self, snapshot_id: str) -> Snapshot: ...

    async def member(self, snapshot: Snapshot, role: str) -> bytes: ...

    async def unpack(self, snapshot: Snapshot, directory: Path) -> object: ...


@dataclass(frozen=True)
class _Parts:
    """Everything a package is made of, checked, before the image."""

    snapshot: Snapshot
    image: str
    name: str
    handler: Handler
    files: PackageFiles
    sample: SampleFiles
    archive: Path
    model: str
    """Digest of model.tar.gz."""
    layer: dict[str, bytes]

    @property
    def id(self) -> str:
        """Equal parts make the same package."""
        content = (
            self.name,
            self.snapshot.id,
            self.image,
            self.model,
            asdict(self.handler),
            self.sample.content_type,
            self.sample.accept,
            _digest(self.sample.body),
            _digest(self.sample.expected) if self.sample.expected is not None else "",
            _digest(archive(self.layer)),
            *([kind, _digest(body)] for kind, body in self.sample.others),
        )
        return "p-" + hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


class Packaging:
    """Use cases of model packages."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        engines: EngineProvider,
        blobs: Blobs,
        snapshots: SnapshotFiles,
    ) -> None:
        self._settings = settings
        self._store = store
        self._engines = engines
        self._blobs = blobs
        self._snapshots = snapshots

    # --------------------------------------------------------------------------- looking

    async def candidates(self, snapshot_id: str) -> Candidates:
        """Which of the snapshot's files can play which part."""
        snapshot = await self._snapshots.get(snapshot_id)
        content = await self._snapshots.member(snapshot, "workspace")
        return await anyio.to_thread.run_sync(candidates, content)

    async def list(self, limit: int | None = None, after: str = "") -> list[ModelPackage]:
        """Newest first."""
        return await self._store.packages.list(limit=limit, after=after)

    async def get(self, package_id: str) -> ModelPackage:
        """By id, or by a name that only one package has. Raises NotFoundError, ConflictError."""
        package = await self._store.packages.get(package_id)
        if package is not None:
            return package
        named = [p for p in await self._store.packages.list() if p.name == package_id]
        if not named:
            raise NotFoundError(
                f"There is no model package {package_id!r}.", "List them to see what there is."
            )
        if len(named) > 1:
            raise ConflictError(
                f"{len(named)} model packages are named {package_id!r}.",
                "Say which one by its id: "
                + ", ".join(f"{p.id} ({p.created})" for p in named)
                + ".",
            )
        return named[0]

    async def sample_body(self, package: ModelPackage) -> bytes:
        return await self._blobs.get(package.sample.body)

    async def expected_body(self, package: ModelPackage) -> bytes:
        """The notebook's own answer; empty where none was recorded."""
        expected = package.sample.expected
        return await self._blobs.get(expected) if expected else b""

    # -------------------------------------------------------------------------- making

    async def create(
        self,
        snapshot_id: str,
        name: str,
        model: Sequence[str],
        handler: Handler,
        sample: str,
        progress: Progress,
        expected: str = "",
        content_type: str = "",
        also: Sequence[str] = (),
        batching: Batching = _ONE_BY_ONE,
    ) -> ModelPackage:
        """Make a package. ``model``, ``sample``, ``expected`` are paths in the snapshot's files;
        ``also`` are those of the sample in other content types.

        The same parts again give the existing package. Raises InvalidError, before anything is
        built, for files that are missing or cannot work; a failure leaves nothing behind.
        """
        check_name(name, "model package")
        progress.phase("files", "Reading the snapshot's files")
        snapshot = await self._snapshots.get(snapshot_id)
        engine = await self._engines.engine()
        image = await engine.image(snapshot.image)
        if image is None:
            raise NotFoundError(
                f"The image of snapshot {snapshot.name!r} is not on this machine.",
                "Open the snapshot from its project first.",
            )
        folder = self._blobs.scratch()
        packed = self._blobs.scratch()
        tried = self._blobs.scratch()
        try:
            await self._snapshots.unpack(snapshot, folder)
            files = await anyio.to_thread.run_sync(find, folder, model, handler)
            request = await anyio.to_thread.run_sync(
                _sample, folder, sample, expected, content_type, also
            )
            _check_request(handler, sample, request)
            progress.phase("handler", f"Trying {handler.path or 'the model'} in the image")
            files = await examine(
                engine, image.id, files, handler, request, self._settings.owner, folder, tried
            )
            progress.phase("model", f"Packing {', '.join(files.model)}")
            digest = await anyio.to_thread.run_sync(_pack, files, packed)
            layer = serving_layer(spec(snapshot, name, handler, files, request, digest, batching))
            parts = _Parts(snapshot, image.id, name, handler, files, request, packed, digest, layer)
            known = await self._store.packages.get(parts.id)
            if known is not None and await engine.image(known.image) is not None:
                progress.update(f"{known.id} is the same package, made {known.created}")
                return known
            progress.phase("image", "Adding the serving layer to the snapshot's image")
            return await self._finish(engine, parts, image.size)
        finally:
            packed.unlink(missing_ok=True)
            # In one go: of two, the second would not be reached when this task is cancelled.
            await to_the_end(anyio.to_thread.run_sync(_remove, folder, tried))

    async def _finish(self, engine: Engine, parts: _Parts, base_size: int) -> ModelPackage:
        """Image, blobs and record; all of them or none."""
        ref = f"mlops/package/{parts.id}:latest"
        before = await used(self._store)
        made: list[str] = []
        try:
            image_id = await assemble(
                engine, parts.image, with_id(parts.layer, parts.id), self._image_config(parts, ref),
                self._settings.owner,
            )  # fmt: skip
            size = parts.archive.stat().st_size
            made.append(await self._blobs.put(parts.archive))
            made.append(await self._blobs.put(parts.sample.body))
            if parts.sample.expected is not None:
                made.append(await self._blobs.put(parts.sample.expected))
            others = []
            for kind, body in parts.sample.others:
                made.append(await self._blobs.put(body))
                others.append(OtherForm(kind, made[-1]))
            image = await engine.image(image_id)
            grown = image.size - base_size if image is not None else 0
            package = ModelPackage(
                id=parts.id,
                name=parts.name,
                owner=self._settings.owner,
                created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
                snapshot=parts.snapshot.id,
                image=image_id,
                ref=ref,
                model=made[0],
                model_files=tuple(parts.files.model),
                model_size=size,
                handler=parts.handler,
                sample=Sample(
                    parts.sample.content_type,
                    made[1],
                    made[2] if parts.sample.expected is not None else "",
                    parts.sample.accept,
                    tuple(others),
                ),
                layer_size=grown if grown > 0 else sum(map(len, parts.layer.values())),
                format=parts.files.format.name if parts.files.format else "",
                trust=parts.files.trust,
                schema=parts.files.schema,
            )
            await self._store.packages.save(package)
            return package
        except BaseException:
            await to_the_end(self._undo(engine, ref, set(made) - before))
            raise

    def _image_config(self, parts: _Parts, ref: str) -> ImageConfig:
        """Without USER: SageMaker runs containers as root."""
        return ImageConfig(
            labels={
                LABEL_KIND: "package",
                LABEL_OWNER: self._settings.owner,
                LABEL_ENVIRONMENT: parts.snapshot.environment,
                LABEL_REVISION: str(parts.snapshot.revision),
                f"{LABEL_PREFIX}.package": parts.id,
                f"{LABEL_PREFIX}.snapshot": parts.snapshot.id,
                BIND_TO_PORT: "true",
            },
            entrypoint=ENTRYPOINT,
            command=("serve",),
            tag=ref,
        )

    async def _undo(self, engine: Engine, ref: str, blobs: set[str]) -> None:
        await engine.remove_image(ref, force=True)
        for digest in blobs:
            self._blobs.path(digest).unlink(missing_ok=True)

    # ------------------------------------------------------------------- checking, deleting

    async def check(self, package_id: str, progress: Progress) -> ContractReport:
        """Run the package as SageMaker would; the report is kept with the package."""
        package = await self.get(package_id)
        contract = Contract(settings=self._settings, engines=self._engines, blobs=self._blobs)
        report = await contract.check(package, progress)
        await self._store.packages.save(replace(package, report=report))
        return report

    async def delete(self, package_id: str) -> None:
        """Record, image and model. Raises ConflictError while it is deployed."""
        package = await self.get(package_id)
        users = [d for d in await self._store.deployments.list() if d.package == package.id]
        if users:
            raise ConflictError(
                f"The model package {package.name!r} is deployed: "
                f"{', '.join(d.name for d in users)}.",
                "Delete these deployments first.",
            )
        engine = await self._engines.engine()
        await engine.remove_image(package.ref)
        await self._store.packages.delete(package.id)
        sample = package.sample
        others = [other.body for other in sample.others]
        blobs = [package.model, sample.body, sample.expected, *others]
        await release(self._store, self._blobs, blobs)


def _sample(
    root: Path, path: str, expected: str, content_type: str, also: Sequence[str]
) -> SampleFiles:
    return with_others(root, sample(root, path, expected, content_type), also)


def _check_request(handler: Handler, path: str, request: SampleFiles) -> None:
    """A function is called with the fields of ``data``."""
    if handler.kind != "function":
        return
    kind = request.content_type.partition(";")[0]
    body = json.loads(request.body) if kind == "application/json" else None
    if not isinstance(body, dict) or not isinstance(body.get("data"), dict):
        raise InvalidError(
            f'The sample {path} is not {{"data": {{…}}}}, with the arguments of '
            f"{handler.function} by name.",
            'Save it with json.dump({"data": {"name of an argument": its value, …}}, file).',
        )


def _pack(files: PackageFiles, target: Path) -> str:
    write_archive(files, target)
    hashed = hashlib.sha256()
    with target.open("rb") as stream:
        while chunk := stream.read(1024 * 1024):
            hashed.update(chunk)
    return "sha256:" + hashed.hexdigest()


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
