"""A notebook of R is frozen, opened and run again as one of Python is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_mlops.wiring import Services
from tests.parts.live_notebook import LiveNotebook
from tests.parts.r import source_package
from tests.parts.services import Recorder, Tiny

pytestmark = pytest.mark.docker


async def test_a_snapshot_of_a_kernel_of_r(
    services: Services, services_config: Config, r_environment: Tiny, tmp_path: Path
):
    folder = tmp_path / "project"
    folder.mkdir()
    source_package(folder, "testMine", "0.1", repository="")
    file = folder / "study.ipynb"
    async with LiveNotebook(services, services_config, file, "mlops-tiny-r.ir") as notebook:
        notebook.content.metadata["kernelspec"]["language"] = "R"
        # A restart of the study would find it installed.
        await notebook.run(
            "if (!require(testMine)) install.packages('testMine_0.1.tar.gz', repos = NULL)"
        )
        notebook.content.cells.clear()
        said = await notebook.run("set.seed(1); cat(testMine::answer(), rnorm(1))", "plot(1:3)")
        made = await services.snapshots.create(notebook.kernel_id, "study-r", "", Recorder())
    assert said == "plot without title"
    assert made.language == "R"
    assert [(c.ecosystem, c.name, c.after) for c in made.drift.added] == [
        ("cran", "testMine", "0.1")
    ]
    bill = json.loads(await services.snapshots.member(made, "sbom"))
    assert "pkg:cran/testMine@0.1" in {part.get("purl") for part in bill["components"]}
    spec = json.loads((services.kernel_specs.path / f"mlops-{made.id}" / "kernel.json").read_text())
    assert (spec["language"], spec["argv"][0]) == ("R", "R")

    report = await services.reproducing.reproduce(made.id, tmp_path / "again", Recorder())
    assert {level.level: level.passed for level in report.levels} == {
        "L0": True, "L1": True, "L2": True, "L3": True
    }, report.levels  # fmt: skip
    await services.snapshots.delete(made.id)
