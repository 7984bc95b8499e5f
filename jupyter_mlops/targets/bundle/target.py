"""A folder, or one file, for the people behind the air gap.

It holds everything that a deployment needs, and the programs that do it with nothing but Docker,
or with Python and boto3.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio.to_thread

from ...core import oci_shapes
from ...core.deployment import Deployment, Plan, Resource
from ...core.model_package import ModelPackage
from ...core.ports import Engine, Image, Manifest, Progress
from ..written import folder
from ..written.options import FileOptions
from ..written.target import FileTarget
from . import contents
from .options import Options

IMAGE, MODEL = "image.tar", "model.tar.gz"


class BundleTarget(FileTarget):
    name = "bundle"
    title = "Offline bundle"
    description = (
        "A folder with image, model, report and the programs that deploy it, for networks that "
        "reach neither you nor us."
    )
    form = Options
    ask_instead = "Run it, as its README.md says, and ask what runs."

    async def plan(self, package: ModelPackage, name: str, options: Mapping[str, Any]) -> Plan:
        chosen = Options.model_validate(dict(options))
        await anyio.to_thread.run_sync(folder.check_free, chosen.place)
        _, image = await self.image(package)
        megabytes = image.size / 1e6
        steps = [
            f"Write the image of {package.name} into {IMAGE} ({megabytes:.0f} MB before packing)",
            f"Add {MODEL} ({self._blobs.size(package.model) / 1e6:.1f} MB), the sample request, "
            "the contract report and the bill of materials",
            "Add deploy.py and cloudformation.json for SageMaker, a README.md and checksums",
        ]
        if chosen.archive:
            steps.append("Pack all of it into one file")
        kind = "file" if chosen.archive else "folder"
        return Plan(tuple(steps), (Resource(kind, str(chosen.place)),), "Nothing.")

    async def write(
        self, package: ModelPackage, deployment: Deployment, into: Path, progress: Progress
    ) -> dict[str, Any]:
        progress.phase("records", "Reading where the package comes from")
        engine, image = await self.image(package)
        snapshot = await self._records.snapshot(package)
        sbom = await self._records.sbom(package)
        request = await self._blobs.get(package.sample.body)
        expected = package.sample.expected
        answer = await self._blobs.get(expected) if expected else None
        progress.phase("image", "Taking the image from the engine")
        manifest = await self._image(engine, package, into, progress)
        progress.phase("files", "Adding model, report and programs")
        facts = contents.Facts(
            package=package,
            snapshot=snapshot,
            deployment=deployment.name,
            architecture=image.architecture,
            image_size=_unpacked_size(image),
            manifest=manifest,
            sbom=sbom,
            request=request,
            answer=answer,
        )

        def add() -> None:
            shutil.copyfile(self._blobs.path(package.model), into / MODEL)
            (into / MODEL).chmod(0o644)
            for file in contents.files(facts):
                folder.add(into, file.name, file.content, file.mode)

        await anyio.to_thread.run_sync(add)
        return {"image": package.image, "manifest": manifest}

    async def _image(
        self, engine: Engine, package: ModelPackage, into: Path, progress: Progress
    ) -> str:
        """Write the layout; returns the digest of the image's manifest in it."""
        scratch = self._blobs.scratch()
        await anyio.to_thread.run_sync(scratch.mkdir)
        files = self._registries.files
        try:
            archive = scratch / "saved.tar"
            await engine.save_image(package.image, archive)
            progress.phase("pack", "Compressing the image")
            saved = files.saved(archive)
            try:
                packed = await files.pack(saved, scratch)
            finally:
                saved.close()
            await anyio.to_thread.run_sync(archive.unlink)
            digest = oci_shapes.digest(packed.manifest)
            manifest = Manifest(oci_shapes.OCI_MANIFEST, digest, packed.manifest)
            ref = contents.image_ref(package)
            await files.write(into / IMAGE, manifest, package.id, manifest, ref, dict(packed.blobs))
            await anyio.to_thread.run_sync((into / IMAGE).chmod, 0o644)
            return digest
        finally:
            await anyio.to_thread.run_sync(folder.discard, scratch)

    async def _finish(
        self, chosen: FileOptions, deployment: Deployment, part: Path
    ) -> tuple[Path, str]:
        sealed = await super()._finish(chosen, deployment, part)
        if not isinstance(chosen, Options) or not chosen.archive:
            return sealed
        file = folder.draft(folder.packed(chosen.place), deployment.id)
        top = Path(chosen.folder).name
        written = await anyio.to_thread.run_sync(folder.pack, part, top, file)
        await anyio.to_thread.run_sync(folder.discard, part)
        return file, written


def _unpacked_size(image: Image) -> int:
    return image.size
