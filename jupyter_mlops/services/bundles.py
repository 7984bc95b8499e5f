"""The members of a snapshot's bundle: what is needed, beside the image, to run it again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pydantic import TypeAdapter

from ..core.inventory import Inventory, Package
from ..core.outputs import RecordedNotebook, record
from ..core.snapshot import Member, Snapshot
from .notebook_files import parse_notebook
from .workspaces import read_files

TITLES = {
    "readme": "REPRODUCING.md",
    "inventory": "inventory.json",
    "lock": "pylock.toml",
    "sbom": "sbom.cdx.json",
    "workspace": "workspace.tar.gz",
    "outputs": "outputs.json",
    "provenance": "provenance.json",
}
"""File name of each member, in the order they have in a bundle."""

_RECORDED = TypeAdapter(tuple[RecordedNotebook, ...])
_INVENTORY = TypeAdapter(Inventory)


def member(role: str, digest: str, size: int) -> Member:
    return Member(role, TITLES[role], digest, size)


def inventory_json(inventory: Inventory) -> bytes:
    return _INVENTORY.dump_json(inventory, indent=1)


def read_inventory(content: bytes) -> Inventory:
    return _INVENTORY.validate_json(content)


def outputs_json(archive: Path, notebooks: Sequence[str]) -> bytes:
    """Hashes of all cells' outputs (blocks). Files that are no notebooks are left out.

    Read from the packed workspace: the files outside may have been saved again since.
    """
    recorded = []
    for path, content in read_files(archive, notebooks):
        notebook = parse_notebook(content)
        if notebook is not None:
            recorded.append(record(path, notebook))
    return _RECORDED.dump_json(tuple(recorded), indent=1)


def read_outputs(content: bytes) -> dict[str, RecordedNotebook]:
    """By the notebook's path."""
    return {notebook.path: notebook for notebook in _RECORDED.validate_json(content)}


def sbom(inventory: Inventory, name: str, image: str, created: str, version: str) -> bytes:
    """A CycloneDX 1.6 bill of materials of everything that the probe found.

    Equal inventories of one image give equal bytes.
    """
    # Late: this takes a third of a second to import.
    from datetime import datetime

    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository
    from cyclonedx.output.json import JsonV1Dot6

    def component(package: Package) -> Component:
        purl = _purl(package, inventory)
        return Component(
            type=ComponentType.LIBRARY,
            name=package.name,
            version=package.version,
            purl=purl,
            bom_ref=str(purl),
        )

    metadata = BomMetaData(
        timestamp=datetime.fromisoformat(created),
        component=Component(
            type=ComponentType.CONTAINER, name=name, version=image, bom_ref=f"image:{image}"
        ),
        tools=ToolRepository(
            components=[
                Component(
                    type=ComponentType.APPLICATION,
                    name="jupyter-mlops",
                    version=version,
                    bom_ref="tool:jupyter-mlops",
                )
            ]
        ),
    )
    python = Component(
        type=ComponentType.APPLICATION,
        name=inventory.implementation.lower(),
        version=inventory.python,
        bom_ref=f"python:{inventory.python}",
    )
    bom = Bom(
        components=[python, *(component(package) for package in inventory.packages)],
        metadata=metadata,
        serial_number=uuid5(NAMESPACE_URL, image),
    )
    # Everything in the image is a direct part of it; what depends on what is in the lock.
    bom.register_dependency(metadata.component, bom.components)  # type: ignore[arg-type]
    return JsonV1Dot6(bom).output_as_string(indent=1).encode()


def _purl(package: Package, inventory: Inventory) -> Any:
    from packageurl import PackageURL

    if package.ecosystem == "deb":
        distribution = "ubuntu" if "ubuntu" in inventory.os.lower() else "debian"
        architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(inventory.arch, inventory.arch)
        return PackageURL(
            "deb", distribution, package.name, package.version, {"arch": architecture}
        )
    return PackageURL(package.ecosystem, None, package.name, package.version)


def provenance(
    snapshot: Snapshot, members: Sequence[Member], engine: str, finished: str, version: str
) -> bytes:
    """An in-toto statement with a SLSA v1 provenance predicate: what came from where, unsigned."""
    git = snapshot.workspace.git
    below = (("environment", snapshot.revision_image), ("base", snapshot.base_image))
    materials: list[dict[str, Any]] = [
        {"name": name, "uri": f"image:{image}", "digest": _digest(image)} for name, image in below
    ]
    if git is not None:
        materials.append(
            {
                "name": "project",
                "uri": f"git+{git.remote}" if git.remote else "git",
                "digest": {"gitCommit": git.commit},
                "annotations": {"dirty": git.dirty},
            }
        )
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "image", "digest": _digest(snapshot.image)},
            *({"name": m.title, "digest": _digest(m.digest)} for m in members),
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://jupyter-mlops.dev/snapshot/v1",
                "externalParameters": {
                    "environment": snapshot.environment,
                    "revision": snapshot.revision,
                    "by": "a running kernel, in which people install by hand",
                },
                "internalParameters": {"engine": engine, "owner": snapshot.owner},
                "resolvedDependencies": [m for m in materials if any(m["digest"].values())],
            },
            "runDetails": {
                "builder": {
                    "id": "https://jupyter-mlops.dev/snapshots",
                    "version": {"jupyter-mlops": version},
                },
                "metadata": {"startedOn": snapshot.created, "finishedOn": finished},
            },
        },
    }
    return json.dumps(statement, indent=1, ensure_ascii=False).encode()


def _digest(digest: str) -> Mapping[str, str]:
    algorithm, _, value = digest.partition(":")
    return {algorithm: value} if value else {}
