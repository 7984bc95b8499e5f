"""Builds the services from the configuration: the only file that joins adapters to services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from traitlets.config import Config

from .config import Mlops
from .config_files import load_files
from .core.layout import DATABASE
from .core.operation import Operation
from .core.ports import Blobs, EngineProvider, PackageRecords, Registries, Store, Target
from .core.settings import Settings
from .engines.debian import Debian
from .engines.discovery import EngineDiscovery
from .kernels.adoption import AdoptableProvisioner, Adopter
from .kernels.evaluation import KernelEvaluation
from .kernels.notebooks import ContainerNotebooks
from .kernels.parts import ProvisionerParts
from .kernels.pool import Pool
from .kernels.specs import KernelSpecFolder
from .kernels.starting import KernelContainers
from .oci.registries import OciRegistries
from .services.deploying import Deploying
from .services.environments import Environments
from .services.handover import read_launch, write_launch
from .services.kernels import Kernels
from .services.limits import KernelLimitChoices
from .services.live_models import LiveModelExports
from .services.operations import Operations
from .services.package_records import PackageRecords as SnapshotPackageRecords
from .services.packaging import Packaging
from .services.rebuilds import Rebuilds
from .services.releasing import Releasing
from .services.reproducing import Reproducing
from .services.sharing import Sharing
from .services.snapshots import Snapshots
from .store.blobs import FileBlobs
from .store.store import SqlStore


@dataclass(frozen=True)
class Services:
    """All use cases, on one configuration."""

    settings: Settings
    store: Store
    blobs: Blobs
    engines: EngineProvider
    operations: Operations
    environments: Environments
    rebuilds: Rebuilds
    kernels: Kernels
    limits: KernelLimitChoices
    live_models: LiveModelExports
    snapshots: Snapshots
    sharing: Sharing
    reproducing: Reproducing
    packaging: Packaging
    releasing: Releasing
    deploying: Deploying
    kernel_specs: KernelSpecFolder
    warm: Pool

    async def close(self) -> None:
        await self.operations.close()
        await self.warm.close()
        await self.engines.close()
        await self.store.close()


def build(
    config: Config | None = None, on_change: Callable[[Operation], None] | None = None
) -> Services:
    """Make the services. ``on_change`` hears of every change of an operation, on the loop."""
    parts = provisioner_parts(config)
    settings, store, engines = parts.settings, parts.store, parts.engines
    blobs = FileBlobs(settings.data / "blobs")
    registries = OciRegistries(settings)
    specs = KernelSpecFolder(settings.data / "kernels")
    common: dict[str, Any] = {"settings": settings, "store": store, "engines": engines}
    notebooks = ContainerNotebooks(settings, specs)
    environments = Environments(
        **common,
        blobs=blobs,
        kernel_specs=specs,
        notebooks=notebooks,
        root_filesystem=Debian(settings),
    )
    operations = Operations(store, settings, on_change)
    limits = KernelLimitChoices(**common)
    kernels = Kernels(
        **common,
        environments=environments,
        notebooks=notebooks,
        limits=limits,
        control=parts.containers,
    )
    snapshots = Snapshots(
        **common, blobs=blobs, kernels=kernels, environments=environments, kernel_specs=specs
    )
    sharing = Sharing(
        **common, blobs=blobs, snapshots=snapshots, registries=registries, kernel_specs=specs
    )
    reproducing = Reproducing(
        **common, blobs=blobs, snapshots=snapshots, notebooks=notebooks, kernel_specs=specs
    )
    packaging = Packaging(**common, blobs=blobs, snapshots=snapshots)
    return Services(
        settings=settings,
        store=store,
        blobs=blobs,
        engines=engines,
        operations=operations,
        environments=environments,
        rebuilds=Rebuilds(settings, environments, operations),
        kernels=kernels,
        limits=limits,
        live_models=LiveModelExports(kernels=kernels, live=KernelEvaluation(settings, read_launch)),
        snapshots=snapshots,
        sharing=sharing,
        reproducing=reproducing,
        packaging=packaging,
        releasing=Releasing(
            store=store, packaging=packaging, snapshots=snapshots, reports=reproducing
        ),
        deploying=Deploying(
            **common,
            packaging=packaging,
            targets=_targets(
                settings, engines, blobs, registries, SnapshotPackageRecords(snapshots)
            ),
        ),
        kernel_specs=specs,
        warm=parts.pool,
    )


TARGETS_GROUP = "jupyter_mlops.targets_v1"
TARGETS = {
    "local": "jupyter_mlops.targets.local.target:LocalTarget",
    "sagemaker": "jupyter_mlops.targets.sagemaker.target:SageMakerTarget",
}
"""Ours, by name: found without their entry points, which an installation from an older version
does not have."""
FILE_TARGETS = {
    "bundle": "jupyter_mlops.targets.bundle.target:BundleTarget",
    "kserve": "jupyter_mlops.targets.kserve.target:KServeTarget",
    "vertex": "jupyter_mlops.targets.vertex.target:VertexTarget",
    "azureml": "jupyter_mlops.targets.azureml.target:AzureMlTarget",
}
"""Ours that write files; they also get the packages' records."""


def _targets(
    settings: Settings,
    engines: EngineProvider,
    blobs: Blobs,
    registries: Registries,
    records: PackageRecords,
) -> dict[str, Callable[[], Target]]:
    """Ours and those that are installed, by name; each is imported when it is first used."""

    def maker(point: EntryPoint, *more: Any) -> Callable[[], Target]:
        def make() -> Target:
            target: Target = point.load()(settings, engines, blobs, registries, *more)
            return target

        return make

    def own(name: str, value: str) -> EntryPoint:
        return EntryPoint(name, value, TARGETS_GROUP)

    ours = {name: maker(own(name, value)) for name, value in TARGETS.items()}
    writers = {name: maker(own(name, value), records) for name, value in FILE_TARGETS.items()}
    known = {**ours, **writers}
    installed = sorted(entry_points(group=TARGETS_GROUP), key=lambda point: point.name)
    others = {point.name: maker(point) for point in installed if point.name not in known}
    return {**known, **others}


def adopter(manager: Any) -> Adopter:
    """For the kernel manager of a Jupyter server."""
    return Adopter(manager)


_parts: dict[str, ProvisionerParts] = {}


def provisioner_parts(config: Config | None = None) -> ProvisionerParts:
    """What a kernel needs of us; one per data folder and process, shared with the services."""
    settings = Mlops(config=config or Config()).settings()
    key = str(settings.data)
    if key not in _parts:
        for folder in (settings.data, settings.runtime):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = SqlStore(settings.data / DATABASE)
        engines = EngineDiscovery(settings)
        containers = KernelContainers(settings, engines)
        pool = Pool(settings, store, engines, containers)
        _parts[key] = ProvisionerParts(settings, store, engines, containers, pool, write_launch)
    return _parts[key]


class Provisioner(AdoptableProvisioner):
    """The entry point ``jupyter-mlops-provisioner``."""

    def make_parts(self) -> ProvisionerParts:
        # Programs such as `jupyter execute` and papermill know nothing of our settings.
        return provisioner_parts(self.config if "Mlops" in self.config else load_files())
