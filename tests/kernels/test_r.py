"""Kernels of R: the same containers, the same supervisor, another language."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jupyter_kernel_test
import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config

from jupyter_mlops.core.environment import Resources
from jupyter_mlops.core.errors import InvalidError
from jupyter_mlops.core.inventory import Change
from jupyter_mlops.wiring import Services
from tests.parts.r import index, source_package
from tests.parts.services import Recorder, Tiny
from tests.parts.waiting import wait_until

from .conftest import MIB, Place
from .outside import BlockingKernel, jupyter_knows

pytestmark = pytest.mark.docker

NAME = "mlops-tiny-r.ir"


@pytest.fixture(scope="module")
def known(r_environment: Tiny, services_config: Config) -> Config:
    """Settings by which Jupyter knows the environment; ``test_r_podman.py`` has others."""
    return services_config


@pytest.fixture(scope="module", autouse=True)
def jupyter(known: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with jupyter_knows(known, tmp_path_factory.mktemp("config")):
        yield


@pytest.fixture(scope="module")
def kernel(jupyter: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingKernel]:
    """One for all that leave it as it was."""
    kernel = BlockingKernel(NAME, tmp_path_factory.mktemp("work"))
    yield kernel
    kernel.close()


class TestPublicSuite(jupyter_kernel_test.KernelTests):
    kernel_name = NAME
    language_name = "R"
    file_extension = ".r"
    code_hello_world = "cat('hello, world\\n')"
    code_stderr = "message('test')"
    completion_samples = [
        {"text": "zi", "matches": {"zip"}},
        {"text": "data.table::fwri", "matches": {"data.table::fwrite"}},
    ]
    complete_code_samples = ["1", "print('hello, world')", "f <- function(x) {\n  x*2\n}"]
    incomplete_code_samples = ["print('hello", "f <- function(x) {\n  x*2"]
    invalid_code_samples = ["import = 7q"]
    code_page_something = "?zip"
    code_generate_error = "stop('no')"
    # IRkernel shows results as it shows everything else.
    code_display_data = [
        {"code": "6 * 7", "mime": "text/plain"},
        {"code": "'a'", "mime": "text/html"},
        {"code": "1:3", "mime": "text/latex"},
        {"code": "data.frame(x = 1:3)", "mime": "text/html"},
        {"code": "plot(1:3)", "mime": "image/png"},
    ]
    code_inspect_sample = "zip"
    code_clear_output = "IRdisplay::clear_output()"


def test_the_kernel_is_named_after_the_environment(r_environment: Tiny, services_config: Config):
    kernels = Path(services_config.Mlops.data_dir) / "kernels"
    found = json.loads((kernels / NAME / "kernel.json").read_text())
    assert found["display_name"] == "tiny-r (r1, R 4.2)"
    assert (found["language"], found["interrupt_mode"]) == ("R", "signal")
    pinned = json.loads((kernels / "mlops-tiny-r.r1.ir" / "kernel.json").read_text())
    assert pinned["display_name"] == "tiny-r (always r1, R 4.2)"
    python = json.loads((kernels / "mlops-tiny-r" / "kernel.json").read_text())
    assert python["display_name"] == "tiny-r (r1, Python 3.11)"


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("Sys.sleep(120)", id="sleep"),
        pytest.param("repeat sum(sort(runif(1e5)))", id="loop"),
        # R itself does not hear it meanwhile, as at a terminal.
        pytest.param("system('sleep 120')", id="subprocess"),
    ],
)
def test_interrupt(kernel: BlockingKernel, call: str):
    mark = Path(kernel.value("cat(tempfile(tmpdir = getwd()))"))
    # Not by output: IRkernel cannot be interrupted while it sends.
    number = kernel.begin(f"{{ file.create('{mark}'); {call} }}")
    asyncio.run(wait_until(mark.exists))
    started = time.monotonic()
    kernel.manager.interrupt_kernel()
    kernel.reply(number)
    # What is asked before that is aborted.
    kernel.until(
        lambda m: (
            m["parent_header"].get("msg_id") == number
            and m["content"].get("execution_state") == "idle"
        )
    )
    assert time.monotonic() - started < 20
    cell = kernel.run("cat(1 + 1)")
    assert cell.text == "2"


def test_input_is_asked(kernel: BlockingKernel):
    cell = kernel.run(
        "cat('I am', readline('who? '))",
        allow_stdin=True,
        stdin_hook=lambda message: kernel.client.input(message["content"]["prompt"] + "Ada"),
    )
    assert "I am who? Ada" in cell.text


def test_a_restart_keeps_the_container(tmp_path: Path):
    kernel = BlockingKernel(NAME, tmp_path)
    try:
        kernel.value("x <- 1; file.create('/opt/env/lib/R/library/mark')")
        kernel.manager.restart_kernel()
        kernel.client.wait_for_ready(timeout=60)
        assert kernel.value("cat(exists('x'), file.exists('/opt/env/lib/R/library/mark'))") == (
            "FALSE TRUE"
        )
    finally:
        kernel.close()


def test_nbclient_runs_a_notebook(tmp_path: Path):
    code = "library(data.table)\nd <- data.table(a = 1:4)\ncat(d[, sum(a)], getwd())"
    content = new_notebook(cells=[new_code_cell(code)])
    NotebookClient(
        content, kernel_name=NAME, timeout=60, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert content.cells[0].outputs[-1].text.strip() == f"10 {tmp_path}"


async def test_a_notebook_runs_in_its_own_language(
    services: Services, r_environment: Tiny, tiny_environment: Tiny, tmp_path: Path
):
    notebook = new_notebook(cells=[new_code_cell("cat(R.version$language)")])
    notebook.metadata["kernelspec"] = {"name": "ir", "display_name": "R", "language": "R"}
    file = tmp_path / "a.ipynb"
    nbformat.write(notebook, file)
    await services.kernels.run(file, "tiny-r", Recorder())
    ran = nbformat.read(file, as_version=4)
    assert ran.cells[0].outputs[0].text == "R"
    assert ran.metadata["jupyter_mlops"]["environment"] == "tiny-r"
    assert ran.metadata["language_info"]["name"] == "R"
    # The environment has Python as it always has.
    nbformat.write(new_notebook(cells=[new_code_cell("print(3)")]), tmp_path / "b.ipynb")
    await services.kernels.run(tmp_path / "b.ipynb", "tiny-r", Recorder())
    assert nbformat.read(tmp_path / "b.ipynb", as_version=4).cells[0].outputs[0].text == "3\n"
    with pytest.raises(InvalidError, match=r"a.ipynb is written in R, and .* has no kernel of R"):
        await services.kernels.run(file, "tiny", Recorder())


async def test_what_a_notebook_installs_is_seen_and_can_be_added(
    services: Services, r_environment: Tiny, tmp_path: Path
):
    source_package(tmp_path, "testMine", "0.1", repository="")
    contrib = tmp_path / "cran" / "src" / "contrib"
    source_package(contrib, "testShared", "1.2-3")
    index(contrib)
    cells = [
        "install.packages('testMine_0.1.tar.gz', repos = NULL)",
        f"install.packages('testShared', repos = 'file://{tmp_path}/cran')",
        "library(testMine); library(testShared); cat(find.package('testShared'))",
    ]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "ir", "display_name": "R", "language": "R"}
    nbformat.write(notebook, tmp_path / "a.ipynb")
    seen: list[Any] = []

    async def keep(kernel: str) -> None:
        seen.append(await services.kernels.drift(kernel))
        seen.append(await services.kernels.to_revision("tiny-r", kernel))

    await services.kernels.run(tmp_path / "a.ipynb", "tiny-r", Recorder(), keep=keep)
    ran = nbformat.read(tmp_path / "a.ipynb", as_version=4)
    assert ran.cells[2].outputs[-1].text == "/opt/env/lib/R/library/testShared"
    drift, (spec, found) = seen
    assert drift.added == (
        Change("cran", "testMine", "", "0.1"),
        Change("cran", "testShared", "", "1.2-3"),
    )
    assert not (drift.removed or drift.changed or drift.patched)
    assert spec.r == ("data.table", "testShared==1.2-3")
    assert [left.name for left in found.left_out] == ["testMine"]


@pytest.fixture(
    params=["docker", pytest.param("podman", marks=pytest.mark.podman)],
)
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def kernel_images(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Of the environment with R, which was built on both engines."""
    names = {"docker": "r_environment", "podman": "r_environment_podman"}

    def image(engine: str) -> str:
        environment: Tiny = request.getfixturevalue(names[engine])
        return environment.revision.image

    return image


@pytest.fixture
def config(config: Config, engine_name: str, request: pytest.FixtureRequest) -> Config:
    if engine_name == "podman":
        config.Mlops.engine_url = request.getfixturevalue("podman_config").Mlops.engine_url
    return config


@pytest.fixture
def r_place(place: Place, r_environment: Tiny) -> Place:
    place.r = r_environment.revision.r
    return place


async def test_crashes_and_out_of_memory_are_told(r_place: Place):
    kernel = await r_place.started(resources=Resources(memory=256 * MIB))
    assert await kernel.value("cat(6 * 7)") == "42"
    kernel.client.execute("tools::pskill(Sys.getpid(), 11)")
    event = await r_place.event(30)
    assert event.reason == "crashed" and "segmentation fault" in event.message
    await kernel.back(60)
    kernel.client.execute("x <- rep(1, 1e9)")
    event = await r_place.event(30)
    assert event.reason == "out_of_memory"
    assert "256 MiB" in event.message and event.hint
    await kernel.back(60)
    assert await kernel.value("cat(6 * 7)") == "42"
