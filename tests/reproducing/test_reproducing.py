"""Snapshots run again, on real kernels."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from pydantic import TypeAdapter

from jupyter_mlops.core.errors import ConflictError, NotFoundError
from jupyter_mlops.core.reproduction import ReproduceReport, Verdict
from jupyter_mlops.core.snapshot import Snapshot
from jupyter_mlops.services.bundles import inventory_json
from jupyter_mlops.wiring import Services
from tests.parts.live_notebook import LiveNotebook
from tests.parts.services import Recorder, Tiny, open_services, run_apart

pytestmark = pytest.mark.docker

PICTURE = """
import base64, struct, zlib
from IPython.display import Image, display
def chunk(kind, body):
    crc = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + crc
def png(pixel):
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes([0, pixel]))
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\\x89PNG\\r\\n\\x1a\\n" + parts
display(Image(png(PIXEL)))
"""


@pytest.fixture(scope="session")
def studied(
    services_config: Any, tiny_environment: Tiny, tmp_path_factory: pytest.TempPathFactory
) -> Snapshot:
    """A notebook that installed a package, drew a picture and read a file, frozen."""
    folder = tmp_path_factory.mktemp("studied")
    (folder / "data.csv").write_text("1,2,3")

    async def freeze() -> Snapshot:
        services = open_services(services_config)
        try:
            file = folder / "study.ipynb"
            async with LiveNotebook(services, services_config, file, "mlops-tiny") as notebook:
                await notebook.run(
                    "import random, time\nrandom.seed(3)",
                    "%pip install tabulate",
                    "import tabulate\nprint(tabulate.tabulate([[random.random()]]), object())",
                    PICTURE.replace("PIXEL", "7"),
                    "open('data.csv').read()",
                    "%time sum(range(1000))",
                )
                return await services.snapshots.create(
                    notebook.kernel_id, "studied", "", Recorder()
                )
        finally:
            await services.close()

    return run_apart(freeze())


def verdicts(report: ReproduceReport) -> dict[str, list[tuple[int, str]]]:
    return {n.path: [(c.index, c.verdict.value) for c in n.cells] for n in report.notebooks}


def levels(report: ReproduceReport) -> dict[str, bool]:
    return {level.level: level.passed for level in report.levels}


async def test_the_same_comes_out_without_network(
    services: Services, studied: Snapshot, tmp_path: Path
) -> None:
    into = tmp_path / "again"
    recorder = Recorder()
    report = await services.reproducing.reproduce("studied", into, recorder)
    different = [(c.index, c.difference) for n in report.notebooks for c in n.cells if c.difference]
    assert different == []
    assert levels(report) == {"L0": True, "L1": True, "L2": True, "L3": True}
    assert report.passed and report.verdict() == "Same results in 6 of 6 cells."
    assert recorder.phases == ["files", "image", "inventory", "run"]
    assert "without network" in report.levels[2].detail
    assert all(cell.seconds > 0 for cell in report.notebooks[0].cells)
    assert report.notebooks[0].cells[1].source == "%pip install tabulate"

    # Everything is where it is said to be.
    assert (into / "data.csv").read_text() == "1,2,3"
    executed = nbformat.read(into / "study.reproduced.ipynb", 4)
    assert all(cell.execution_count for cell in executed.cells)
    recorded = nbformat.read(into / "study.ipynb", 4)
    assert len(recorded.cells) == 6
    adapter = TypeAdapter(ReproduceReport)
    assert adapter.validate_json((into / "reproduce-report.json").read_bytes()) == report
    assert await services.reproducing.latest(studied.id) == report


async def test_what_differs_is_shown(
    services: Services, services_config: Any, tiny_environment: Tiny, tmp_path: Path
) -> None:
    file = tmp_path / "mixed/mixed.ipynb"
    async with LiveNotebook(services, services_config, file, "mlops-tiny") as notebook:
        await notebook.run(
            "print('R² 0.50')",
            "1 / 0",
            PICTURE.replace("PIXEL", "7"),
            "  ",
            "print('same')",
            "open('/var/tmp/only-in-the-image.txt', 'w').write('x')",
            "import os; once = os.path.exists('/tmp/once'); open('/tmp/once', 'w'); print(once)",
        )
        # As if the results had been touched up by hand.
        notebook.content.cells[0].outputs[0].text = "R² 0.99\n"
        picture = notebook.content.cells[2].outputs[0].data
        other = await notebook.run(PICTURE.replace("PIXEL", "8"))
        assert "Image" in other
        picture["image/png"] = notebook.content.cells.pop().outputs[0].data["image/png"]
        notebook.save()
        snapshot = await services.snapshots.create(notebook.kernel_id, "mixed", "", Recorder())
    report = await services.reproducing.reproduce(snapshot.id, tmp_path / "again", Recorder())
    assert verdicts(report) == {
        "mixed.ipynb": [
            (0, "different"), (1, "same"), (2, "different"), (4, "same"), (5, "same"), (6, "same"),
        ]
    }  # fmt: skip
    cells = report.notebooks[0].cells
    assert "-R² 0.99" in cells[0].difference and "+R² 0.50" in cells[0].difference
    assert "1x1, sha256:" in cells[2].difference
    assert levels(report) == {"L0": True, "L1": True, "L2": True, "L3": False}
    assert report.levels[3].detail == "4 of 6 cells gave the same outputs."
    assert not report.passed and report.verdict() == "Same results in 4 of 6 cells."


async def test_a_cell_that_fails_only_here(
    services: Services, services_config: Any, tiny_environment: Tiny, tmp_path: Path
) -> None:
    file = tmp_path / "project/needs.ipynb"
    async with LiveNotebook(services, services_config, file, "mlops-tiny") as notebook:
        await notebook.run(
            "from pathlib import Path\nseen = Path.home() / 'seen.txt'",
            "seen.write_text('x')",
            "seen.rename(seen.with_name('moved.txt')); print('moved')",
            "print('and on')",
        )
        # The second cell is lost, as when somebody deletes the cell that made a file.
        del notebook.content.cells[1]
        notebook.save()
        snapshot = await services.snapshots.create(notebook.kernel_id, "needs", "", Recorder())
    report = await services.reproducing.reproduce("needs", tmp_path / "again", Recorder())
    assert verdicts(report) == {"needs.ipynb": [(0, "same"), (1, "failed"), (2, "not_run")]}
    cells = report.notebooks[0].cells
    assert cells[1].difference.startswith("FileNotFoundError:")
    assert cells[2].verdict is Verdict.NOT_RUN
    assert levels(report) == {"L0": True, "L1": True, "L2": False, "L3": False}
    assert "FileNotFoundError" in report.levels[2].detail
    assert report.levels[3].detail.endswith("1 could not be compared.")
    assert snapshot.workspace.notebooks == ("needs.ipynb",)


async def test_a_notebook_that_was_never_run_proves_nothing(
    services: Services, services_config: Any, tiny_environment: Tiny, tmp_path: Path
) -> None:
    file = tmp_path / "project/run.ipynb"
    async with LiveNotebook(services, services_config, file, "mlops-tiny") as notebook:
        notebook.content.cells.append(nbformat.v4.new_code_cell("print(1)"))
        notebook.save()
        kernel = {"language": "R", "name": "ir", "display_name": "R"}
        other = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
        other.cells.append(nbformat.v4.new_code_cell("summary(cars)"))
        nbformat.write(other, file.with_name("other.ipynb"))
        file.with_name("text.ipynb").write_text("no notebook at all")
        await services.snapshots.create(notebook.kernel_id, "unrun", "", Recorder())
    report = await services.reproducing.reproduce("unrun", tmp_path / "again", Recorder())
    assert verdicts(report) == {
        "other.ipynb": [(0, "not_run")],
        "run.ipynb": [(0, "not_run")],
        "text.ipynb": [],
    }
    assert levels(report)["L2"] is False and levels(report)["L3"] is False
    detail = report.levels[2].detail
    assert "other.ipynb: is written in r" in detail and "text.ipynb: is not a notebook" in detail
    assert report.notebooks[1].cells[0].difference == (
        "It had not been run when the snapshot was made."
    )


async def test_an_image_that_is_not_what_was_recorded(
    services: Services, studied: Snapshot, tmp_path: Path
) -> None:
    """The tag leads elsewhere, and the inventory lists a package that is not there."""
    inventory = await services.snapshots.inventory(studied)
    package = replace(inventory.of("pypi")["tabulate"], name="ghost", version="1.0")
    false = inventory_json(replace(inventory, packages=(*inventory.packages, package)))
    digest = await services.blobs.put(false)
    members = tuple(
        replace(m, digest=digest, size=len(false)) if m.role == "inventory" else m
        for m in studied.members
    )
    ref = "mlops/snapshot/s-0000000000000000:latest"
    engine = await services.engines.engine()
    await engine.tag(studied.revision_image, ref)
    tampered = replace(studied, id="s-0000000000000000", name="tampered", members=members, ref=ref)
    await services.store.snapshots.save(tampered)
    try:
        report = await services.reproducing.reproduce("tampered", tmp_path / "again", Recorder())
        assert levels(report) == {"L0": False, "L1": False, "L2": True, "L3": True}
        assert studied.revision_image in report.levels[0].detail
        assert report.levels[1].detail == "1 removed: ghost 1.0 is absent."
    finally:
        await services.snapshots.delete("tampered")
    assert await engine.image(studied.image) is not None


async def test_what_stops_it_leaves_the_folder_as_it_was(
    services: Services, studied: Snapshot, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("precious")
    with pytest.raises(ConflictError, match="not empty"):
        await services.reproducing.reproduce("studied", tmp_path / "mine", Recorder())
    assert [f.name for f in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    with pytest.raises(NotFoundError, match="no snapshot nowhere"):
        await services.reproducing.reproduce("nowhere", tmp_path / "again", Recorder())

    gone = replace(
        studied, id="s-1111111111111111", name="gone", image="sha256:" + "0" * 64, ref=""
    )
    await services.store.snapshots.save(gone)
    with pytest.raises(NotFoundError, match="image of the snapshot gone is not in Docker"):
        await services.reproducing.reproduce("gone", tmp_path / "again", Recorder())
    await services.store.snapshots.delete(gone.id)
    assert not (tmp_path / "again").exists()


async def test_cancelling_ends_the_kernel_too(
    services: Services, studied: Snapshot, tmp_path: Path
) -> None:
    (tmp_path / "again").mkdir()
    before = await services.store.kernels.list()
    running = asyncio.Event()
    recorder = Recorder(on_phase=lambda name: running.set() if name == "run" else None)
    work = asyncio.ensure_future(
        services.reproducing.reproduce("studied", tmp_path / "again", recorder)
    )
    await running.wait()
    while len(await services.store.kernels.list()) == len(before):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert await services.store.kernels.list() == before
    assert list((tmp_path / "again").iterdir()) == []


async def test_a_report_is_json_that_others_read(services: Services, studied: Snapshot) -> None:
    file = services.settings.data / "reports" / f"{studied.id}.json"
    report = json.loads(file.read_text())
    assert set(report) == {"snapshot", "directory", "created", "levels", "notebooks"}
    assert [level["level"] for level in report["levels"]] == ["L0", "L1", "L2", "L3"]
