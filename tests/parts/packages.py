"""Packages of the small image made by hand, with the snapshot's records: for targets that write."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from jupyter_mlops.core.bundle import identified
from jupyter_mlops.core.deployment import Deployment, DeploymentState
from jupyter_mlops.core.inventory import Inventory, InventoryDiff, Package
from jupyter_mlops.core.model_package import (
    Check,
    ContractReport,
    Handler,
    ModelPackage,
    Sample,
)
from jupyter_mlops.core.settings import NetworkSettings, Settings
from jupyter_mlops.core.snapshot import Snapshot, WorkspaceSummary
from jupyter_mlops.engines.discovery import EngineDiscovery
from jupyter_mlops.oci.registries import OciRegistries
from jupyter_mlops.services.bundles import inventory_json, member
from jupyter_mlops.services.package_records import PackageRecords
from jupyter_mlops.services.snapshots import Snapshots
from jupyter_mlops.store.blobs import FileBlobs
from jupyter_mlops.store.store import SqlStore

from .services import Recorder

SAMPLE = b"[[1, 2], [3, 4]]"
ANSWER = b'{"predictions": [6, 14], "note": null}'
CREATED = "2026-01-01T00:00:00+00:00"
INVENTORY = Inventory(
    python="3.11.2",
    implementation="CPython",
    os="Debian GNU/Linux 12 (bookworm)",
    libc="glibc 2.36",
    arch="x86_64",
    packages=(Package("pypi", "humanize", "4.9.0"), Package("deb", "libc6", "2.36-9")),
)

T = TypeVar("T")


class Shelf:
    """The parts that a target gets, on a folder of its own, and packages for it."""

    def __init__(
        self, folder: Path, *, engine: str = "docker", secret: str = "", index: str = ""
    ) -> None:
        data = folder / "data"
        data.mkdir()
        self.settings = Settings(
            data=data,
            runtime=folder / "run",
            uv=Path("uv"),
            owner="ann",
            engine=engine,
            network=NetworkSettings(index_url=index),
            registry_credentials={"registry.example.com": ("ann", secret)} if secret else {},
        )
        self.engines = EngineDiscovery(self.settings)
        self.blobs = FileBlobs(data / "blobs")
        self.registries = OciRegistries(self.settings)
        self.store = SqlStore(data / "mlops.sqlite")
        unused: Any = None
        snapshots = Snapshots(
            settings=self.settings,
            store=self.store,
            engines=self.engines,
            blobs=self.blobs,
            kernels=unused,
            environments=unused,
            kernel_specs=unused,
        )
        self.records = PackageRecords(snapshots)
        self.saved: list[Deployment] = []

    async def close(self) -> None:
        await self.engines.close()
        await self.store.close()

    def target(self, kind: Callable[..., T]) -> T:
        return kind(self.settings, self.engines, self.blobs, self.registries, self.records)

    async def package(self, image: str) -> ModelPackage:
        """Checked, and of a snapshot that is on record."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            content = json.dumps({"weight": 2}).encode()
            entry = tarfile.TarInfo("model.json")
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
        inventory = inventory_json(INVENTORY)
        digest = await self.blobs.put(inventory)
        snapshot = identified(
            Snapshot(
                id="",
                name="first",
                owner="ann",
                created=CREATED,
                environment="churn",
                revision=4,
                image=image,
                ref="",
                base_image=image,
                revision_image=image,
                drift=InventoryDiff(),
                workspace=WorkspaceSummary(0, 0),
                members=(member("inventory", digest, len(inventory)),),
            )
        )
        await self.store.snapshots.save(snapshot)
        check = Check("ping", "Answers health probes", True, "answered in 3 ms")
        return ModelPackage(
            id="p-0123456789abcdef",
            name="doubler",
            owner="ann",
            created=CREATED,
            snapshot=snapshot.id,
            image=image,
            ref="mlops/package/by-hand:latest",
            model=await self.blobs.put(buffer.getvalue()),
            model_files=("model.json",),
            model_size=len(content),
            handler=Handler("inference", "inference.py"),
            sample=Sample(
                "application/json", await self.blobs.put(SAMPLE), await self.blobs.put(ANSWER)
            ),
            report=ContractReport(image, CREATED, (check,)),
        )

    async def deploy(
        self,
        target: Any,
        package: ModelPackage,
        on_phase: Callable[[str], None] | None = None,
        **options: Any,
    ) -> Deployment:
        """What came of it; ``saved`` has what was saved on the way."""

        async def save(changed: Deployment) -> None:
            self.saved.append(changed)

        asked = Deployment(
            id="d-0123456789abcdef",
            name="doubler",
            owner="ann",
            created=CREATED,
            package=package.id,
            target=target.name,
            options=target.options(options),
            state=DeploymentState.CREATING,
        )
        made: Deployment = await target.deploy(package, asked, Recorder(on_phase=on_phase), save)
        return made
