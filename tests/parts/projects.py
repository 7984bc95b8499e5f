"""Snapshots of small projects: the image of the session's environment, and files of one's own.

No kernel is run for them, so a test of packages takes no longer than what it tests.
"""

from __future__ import annotations

import json
import pickle
import textwrap
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from jupyter_mlops.core.bundle import identified
from jupyter_mlops.core.inventory import InventoryDiff
from jupyter_mlops.core.model_package import Batching, Handler
from jupyter_mlops.core.snapshot import Member, Snapshot, WorkspaceSummary
from jupyter_mlops.services import workspaces

from .services import Recorder, Tiny

if TYPE_CHECKING:
    from jupyter_mlops.core.model_package import ModelPackage
    from jupyter_mlops.wiring import Services

HANDLER = """
    import json

    import humanize

    from rates import apply


    def input_fn(body, content_type):
        return json.loads(body)["instances"]


    def predict_fn(rows, model):
        return [{"value": apply(model, row), "text": humanize.intcomma(sum(row))} for row in rows]
"""
RATES = """
    def apply(model, row):
        return sum(weight * value for weight, value in zip(model["weights"], row))
"""
SAMPLE = {"instances": [[1000, 2.5], [0.1, 0.2]]}
PREDICTION = [
    {"value": 0.5 * 1000 - 0.25 * 2.5, "text": "1,002.5"},
    {"value": 0.5 * 0.1 - 0.25 * 0.2, "text": "0.30000000000000004"},
]


def project(folder: Path, **files: str | bytes) -> Path:
    """A project that works: a model, a handler with a neighbour, a sample and its prediction.

    ``files`` replace some; a double underscore stands for a dot, a triple one for a slash.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.pkl").write_bytes(pickle.dumps({"weights": [0.5, -0.25]}))
    (folder / "inference.py").write_text(textwrap.dedent(HANDLER))
    (folder / "rates.py").write_text(textwrap.dedent(RATES))
    (folder / "sample.json").write_text(json.dumps(SAMPLE))
    (folder / "prediction.json").write_text(json.dumps(PREDICTION))
    for name, content in files.items():
        file = folder / name.replace("___", "/").replace("__", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = textwrap.dedent(content).encode()
        file.write_bytes(content)
    return folder


async def freeze(services: Services, tiny: Tiny, folder: Path) -> Snapshot:
    """A snapshot of the environment's image, with the files of ``folder``."""
    walked = workspaces.walk(folder)
    archive = services.blobs.scratch()
    workspaces.pack(walked, archive)
    size = archive.stat().st_size
    digest = await services.blobs.put(archive)
    snapshot = identified(
        Snapshot(
            id="",
            name=f"project-{uuid4().hex[:8]}",
            owner=services.settings.owner,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            environment=tiny.environment.name,
            revision=tiny.revision.number,
            image=tiny.revision.image,
            ref="",
            base_image=tiny.revision.base_image,
            revision_image=tiny.revision.image,
            drift=InventoryDiff(),
            workspace=WorkspaceSummary(len(walked.taken), walked.size),
            members=(
                Member("workspace", "workspace.tar.gz", digest, size),
                Member(
                    "inventory",
                    "inventory.json",
                    tiny.revision.inventory,
                    services.blobs.path(tiny.revision.inventory).stat().st_size,
                ),
            ),
        )
    )
    await services.store.snapshots.save(snapshot)
    return snapshot


async def package(
    services: Services,
    tiny: Tiny,
    folder: Path,
    *,
    name: str = "",
    model: tuple[str, ...] = ("model.pkl",),
    handler: Handler | None = None,
    sample: str = "sample.json",
    expected: str = "prediction.json",
    also: tuple[str, ...] = (),
    batching: Batching | None = None,
    **files: str | bytes,
) -> ModelPackage:
    """Freeze a project and make a package of it."""
    snapshot = await freeze(services, tiny, project(folder, **files))
    return await services.packaging.create(
        snapshot.id,
        name or f"package-{uuid4().hex[:8]}",
        model,
        handler or Handler("inference", "inference.py"),
        sample,
        Recorder(),
        expected,
        also=also,
        batching=batching or Batching(),
    )
