"""Notebooks run without a server, and what is known of their kernels meanwhile."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from jupyter_mlops.core.environment import Resources
from jupyter_mlops.core.errors import InvalidError, KernelDeadError, NotFoundError
from jupyter_mlops.core.inventory import InventoryDiff
from jupyter_mlops.core.kernel_folder import kernel_folder
from jupyter_mlops.kernels.notebooks import ContainerNotebooks
from jupyter_mlops.services.kernels import Kernels
from jupyter_mlops.services.limits import KernelLimitChoices
from jupyter_mlops.wiring import Services
from tests.parts.services import Recorder, Tiny

from .conftest import MIB, Place

pytestmark = pytest.mark.docker


@pytest.fixture
def engine_name() -> str:
    return "docker"


def write(path: Path, *cells: str) -> Path:
    notebook = new_notebook(
        cells=[new_markdown_cell("# Title"), *(new_code_cell(cell) for cell in cells)]
    )
    nbformat.write(notebook, path)
    return path


def outputs(path: Path) -> list[str]:
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    return ["".join(o.get("text", o.get("ename", "")) for o in c.outputs).strip() for c in cells]


async def run(place: Place, notebook: Path, name: str = "tiny", **more: Any) -> list[Any]:
    cells: list[Any] = []
    arguments: dict[str, Any] = {
        "kernel_name": place.install(name, **more.pop("spec", {})),
        "output": notebook.with_name("out.ipynb"),
        "timeout": 60,
        "allow_errors": False,
        "on_cell": lambda *cell: cells.append(cell),
        **more,
    }
    await ContainerNotebooks(place.parts.settings, place.specs).run(notebook, **arguments)
    return cells


async def test_runs_a_notebook(place: Place):
    notebook = write(
        place.workspace / "a.ipynb", "import os; print(os.getcwd())", "", "print(1 + 1)"
    )
    before = signal.getsignal(signal.SIGTERM)
    cells = await run(place, notebook)
    assert [cell[:2] for cell in cells] == [(1, 3), (2, 3), (3, 3)]
    assert outputs(notebook.with_name("out.ipynb")) == [str(place.workspace), "", "2"]
    # Where the outputs come from is kept in the notebook.
    made = nbformat.read(notebook.with_name("out.ipynb"), as_version=4).metadata["jupyter_mlops"]
    assert (made["environment"], made["revision"]) == ("tiny", 1)
    assert made["digest"].startswith("sha256:") and made["lock"].startswith("sha256:")
    assert signal.getsignal(signal.SIGTERM) is before
    assert await place.containers() == []
    assert await place.parts.store.kernels.list() == []


async def test_a_failing_cell_is_named_and_the_outputs_are_kept(place: Place):
    notebook = write(place.workspace / "a.ipynb", "print('one')", "raise ValueError('bad')", "3")
    with pytest.raises(InvalidError, match=r"Code cell 2 of a.ipynb failed: ValueError: bad"):
        await run(place, notebook)
    assert outputs(notebook.with_name("out.ipynb")) == ["one", "ValueError", ""]
    cells = await run(place, notebook, allow_errors=True)
    assert len(cells) == 3
    with pytest.raises(InvalidError, match=r"Code cell 1 of b.ipynb did not end within 1 s"):
        await run(place, write(place.workspace / "b.ipynb", "while True: pass"), timeout=1)
    assert await place.containers() == []


async def test_a_dead_kernel_says_why(place: Place):
    notebook = write(place.workspace / "a.ipynb", "print('one')", "x = bytearray(10**9)")
    with pytest.raises(KernelDeadError) as error:
        await run(place, notebook, spec={"resources": Resources(memory=256 * MIB)})
    assert "Code cell 2" in error.value.message and "out of memory" in error.value.message
    assert outputs(notebook.with_name("out.ipynb"))[0] == "one"
    assert await place.containers() == []


async def test_settings_for_one_run(place: Place):
    code = (
        "import socket\n"
        "try: socket.create_connection(('192.0.2.1', 80), 3)\n"
        "except OSError as error: print(error.strerror)"
    )
    notebook = write(place.workspace / "a.ipynb", code)
    await run(place, notebook, extra={"network": "none"})
    assert outputs(notebook.with_name("out.ipynb")) == ["Network is unreachable"]


async def test_cancelling_removes_everything(place: Place):
    notebook = write(place.workspace / "a.ipynb", "open('up', 'w')", "while True: pass")
    task = asyncio.ensure_future(run(place, notebook))
    while not (place.workspace / "up").exists():
        assert not task.done()
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await place.containers() == []
    assert await place.parts.store.kernels.list() == []


async def test_no_such_kernel_and_no_notebook(place: Place):
    (place.workspace / "a.ipynb").write_text("no notebook")
    with pytest.raises(InvalidError, match="is not a notebook"):
        await run(place, place.workspace / "a.ipynb")
    with pytest.raises(NotFoundError, match="no notebook"):
        await run(place, place.workspace / "b.ipynb")
    with pytest.raises(NotFoundError, match="There is no kernel mlops-no"):
        await run(place, write(place.workspace / "a.ipynb"), kernel_name="mlops-no")


async def test_what_is_known_of_a_kernel(place: Place):
    """While it runs, from any process; after its owner died, what is left is collected."""
    settings, store = place.parts.settings, place.parts.store
    kernels = Kernels(
        settings=settings,
        store=store,
        engines=place.parts.engines,
        environments=None,  # type: ignore[arg-type]
        notebooks=ContainerNotebooks(settings, place.specs),
        limits=KernelLimitChoices(settings=settings, store=store, engines=place.parts.engines),
        control=place.parts.containers,
    )
    seen: list[str] = []

    async def keep(kernel_id: str) -> None:
        seen.append(kernel_id)
        assert outputs(notebook.with_name("out.ipynb")) == ["kept"]
        status = await kernels.get(kernel_id)
        assert status.alive and (status.environment, status.revision) == ("tiny", 1)
        assert 10 * MIB < status.memory <= status.memory_limit == 512 * MIB
        assert [s.id for s in await kernels.list()] == [kernel_id]
        engine = await place.parts.engines.engine()
        await engine.pause(status.container)
        assert (await kernels.get(kernel_id)).alive, "paused is not dead"
        await engine.unpause(status.container)
        assert await kernels.collect() == 0, "its owner lives"

    notebook = write(place.workspace / "a.ipynb", "print('kept')")
    await run(place, notebook, spec={"resources": Resources(memory=512 * MIB)}, keep=keep)
    assert seen
    with pytest.raises(NotFoundError):
        await kernels.get(seen[0])


async def test_what_a_killed_process_left_is_collected(place: Place):
    kernel = await place.started()
    store = place.parts.store
    record = await store.kernels.get(kernel.manager.kernel_id)
    assert record is not None
    from dataclasses import replace

    # Nobody is there to bring it back once its container is gone.
    kernel.manager.stop_restarter()
    # As if another process had started it, and that number belonged to a younger one now.
    await store.kernels.save(replace(record, started="2020-01-01T00:00:00+00:00"))
    kernels = Kernels(
        settings=place.parts.settings,
        store=store,
        engines=place.parts.engines,
        environments=None,  # type: ignore[arg-type]
        notebooks=ContainerNotebooks(place.parts.settings, place.specs),
        limits=KernelLimitChoices(
            settings=place.parts.settings, store=store, engines=place.parts.engines
        ),
        control=place.parts.containers,
    )
    assert await kernels.collect() == 1
    assert await place.containers() == []
    assert await store.kernels.list() == []
    assert not kernel_folder(place.parts.settings.runtime, record.id).exists()


async def test_drift_is_exactly_what_was_installed(
    services: Services, tiny_environment: Tiny, folder: Path
):
    drift: list[InventoryDiff] = []

    async def keep(kernel_id: str) -> None:
        drift.append(await services.kernels.drift(kernel_id))

    notebook = write(folder / "a.ipynb", "%pip install --quiet toolz", "import toolz")
    recorder = Recorder()
    output = await services.kernels.run(
        notebook, "tiny", recorder, output=folder / "out.ipynb", keep=keep
    )
    assert output == folder / "out.ipynb"
    assert recorder.phases == ["run"] and "cell 2 of 2" in recorder.text
    (found,) = drift
    assert [(c.ecosystem, c.name) for c in found.added] == [("pypi", "toolz")]
    assert not (found.removed or found.changed or found.patched)
