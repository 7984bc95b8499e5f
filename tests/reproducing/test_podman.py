"""The main path on Podman: run, freeze, delete what is not needed, reproduce."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.layout import LABEL_KIND, LABEL_OWNER
from jupyter_mlops.engines.podman_service import PodmanService
from tests.parts.engines import CACHE, OWNER, run_apart
from tests.parts.live_notebook import LiveNotebook
from tests.parts.services import Recorder, make_config, open_services, swept, tiny_spec, with_base

pytestmark = pytest.mark.podman


@pytest.fixture
def config(tmp_path: Path, debian_base_podman: str) -> Iterator[Any]:
    folder = Path(tempfile.mkdtemp(prefix="jm-", dir="/tmp"))
    service = PodmanService(folder, CACHE / "podman")
    service.ensure()
    config = make_config(
        tmp_path / "data",
        service.folder,
        "podman",
        engine_url=service.url,
        # What it leaves is removed, in a store that others use.
        owner=f"{OWNER}-own",
    )
    run_apart(with_base(config, debian_base_podman))
    yield config
    run_apart(swept(config))
    service.release()
    shutil.rmtree(folder, ignore_errors=True)


async def test_frozen_and_reproduced(config: Any, tmp_path: Path) -> None:
    services = open_services(config)
    try:
        await services.environments.build(tiny_spec(services, name="pod"), Recorder())
        file = tmp_path / "project/work.ipynb"
        async with LiveNotebook(services, config, file, "mlops-pod") as notebook:
            await notebook.run(
                "%pip install tabulate",
                "import tabulate; print(tabulate.tabulate([[6 * 7]]))",
                "open('/var/tmp/x', 'w').write('kept')",
            )
            snapshot = await services.snapshots.create(notebook.kernel_id, "pod", "", Recorder())
            assert await notebook.run("tabulate.__name__") == "'tabulate'"
        assert [c.name for c in snapshot.drift.added] == ["tabulate"]
        engine = await services.engines.engine()
        image = await engine.image(snapshot.ref)
        assert image is not None and image.id == snapshot.image
        assert image.labels[LABEL_KIND] == "snapshot"
        assert image.user in ("0:0", "0", "root")
        assert image.environment["TINY"] == "yes"
        report = await services.reproducing.reproduce("pod", tmp_path / "again", Recorder())
        assert report.passed, report
        assert report.verdict() == "Same results in 3 of 3 cells."
        await services.snapshots.delete("pod")
        labels = {LABEL_KIND: "snapshot", LABEL_OWNER: services.settings.owner}
        assert await engine.images(labels) == []
        assert await engine.list({LABEL_OWNER: services.settings.owner}) == []
    finally:
        await services.close()
