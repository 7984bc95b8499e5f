"""Modules that kernels begin with: recorded by a build, or asked for by the environment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from traitlets.config import Config

from jupyter_mlops.core.errors import InvalidError
from jupyter_mlops.core.revision import Revision
from jupyter_mlops.services.spec_file import parse_spec
from tests.parts.services import Recorder, open_services, run_apart, tiny_spec

from .conftest import Place

LIST = "/opt/env/share/jupyter-mlops/kernel-modules.json"
FORKED = "print('zygote.py' in open('/proc/self/cmdline').read())"
SETUP = r"""
cd "$(/opt/env/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
printf 'import os\nwhere = os.getpid()\n' > slow_tables.py
echo 'import threading, time' > busy_tables.py
echo 'threading.Thread(target=time.sleep, args=(9999,), daemon=True).start()' >> busy_tables.py
printf 'raise SystemExit(3)\n' > ended_tables.py
"""


@pytest.fixture
def engine_name() -> str:
    return "docker"


pytestmark = pytest.mark.docker


@dataclass(frozen=True)
class Built:
    revision: Revision
    log: str


@pytest.fixture(scope="module")
def built(services_config: Config) -> Iterator[Built]:
    recorder = Recorder()

    async def build() -> Revision:
        services = open_services(services_config)
        try:
            spec = tiny_spec(
                services,
                name="preloading",
                python=("numpy",),
                setup=SETUP,
                preload=("slow_tables", "busy_tables", "ended_tables", "nowhere.at_all", "numpy"),
            )
            return await services.environments.build(spec, recorder)
        finally:
            await services.close()

    async def remove() -> None:
        services = open_services(services_config)
        try:
            await services.environments.delete("preloading")
        finally:
            await services.close()

    yield Built(run_apart(build()), recorder.text)
    run_apart(remove())


async def restart(kernel) -> None:
    await kernel.manager.restart_kernel()
    await kernel.client.wait_for_ready(timeout=60)


async def test_a_kernel_begins_with_what_a_live_one_had(place: Place):
    kernel = await place.started()
    found = json.loads(await kernel.value(f"print(open({LIST!r}).read())"))
    assert found["preload"] == []
    assert found["kernel"] == sorted(found["kernel"])
    assert {"ipykernel.ipkernel", "IPython.core.history", "zmq", "json"} <= set(found["kernel"])
    assert "humanize" not in found["kernel"]
    assert len(found["kernel"]) > 400
    assert await kernel.value(FORKED) == "True"


async def test_modules_that_were_asked_for_are_there_in_the_first_cell(place: Place, built: Built):
    place.image = built.revision.image
    kernel = await place.started("preloading")
    loaded = "import os, sys; print('slow_tables' in sys.modules, 'numpy' in sys.modules)"
    assert await kernel.value(loaded) == "True True"
    assert await kernel.value(FORKED) == "True"
    code = "import slow_tables; print(slow_tables.where != os.getpid())"
    assert await kernel.value(code) == "True", "imported by another process"


async def test_what_cannot_be_preloaded_is_said_and_left_to_the_notebook(
    place: Place, built: Built
):
    assert "Not preloaded: busy_tables (it starts threads)" in built.log
    assert "Not preloaded: ended_tables (it cannot be imported: SystemExit: 3)" in built.log
    assert "Not preloaded: nowhere.at_all (it cannot be imported: ModuleNotFound" in built.log
    assert "Kernels begin with slow_tables, numpy imported" in built.log
    place.image = built.revision.image
    kernel = await place.started("preloading")
    code = "import sys; print([name for name in sys.modules if name.endswith('_tables')])"
    assert await kernel.value(code) == "['slow_tables']"
    assert await kernel.value("import busy_tables, threading; print('fine')") == "fine"


async def test_kernels_with_numpy_imported_compute_and_draw_on_their_own(
    place: Place, built: Built
):
    place.image = built.revision.image
    kernel = await place.started("preloading")
    code = (
        "import json, os, sys, numpy as np\n"
        "n = np.ones((600, 600)) @ np.ones((600, 600))\n"
        "print(json.dumps([float(n.sum()), float(np.random.rand()),"
        " len(os.listdir('/proc/self/task'))]))"
    )
    assert await kernel.value(FORKED) == "True", "its threads are no reason against a fork"
    first = json.loads(await kernel.value(code))
    await restart(kernel)
    assert await kernel.value(FORKED) == "True"
    second = json.loads(await kernel.value(code))
    assert first[0] == second[0] == 600.0**3
    assert first[1] != second[1], "one zygote, two kernels"


@pytest.mark.parametrize(
    "content",
    [
        "{ no json",
        "[]",
        '{"kernel": [1], "preload": []}',
        '{"kernel": ["no.such", "IPython"], "preload": []}',
        # A module that was harmless in the build.
        '{"kernel": [], "preload": ["busy_tables", "ended_tables", "slow_tables"]}',
        '{"kernel": ["busy_tables"], "preload": ["slow_tables"]}',
    ],
)
async def test_a_broken_list_keeps_no_kernel_from_starting(
    place: Place, built: Built, content: str
):
    place.image = built.revision.image
    kernel = await place.started("preloading")
    await kernel.value(f"with open({LIST!r}, 'w') as file: file.write({content!r})")
    # What was installed last is older than the zygote: it begins anew.
    await kernel.value(
        "import sysconfig; open(sysconfig.get_path('purelib') + '/x.py', 'w').close()"
    )
    await restart(kernel)
    assert await kernel.value("print(1 + 1)") == "2"
    assert await kernel.value(FORKED) == "True"
    loaded = "import sys; print('busy_tables' in sys.modules, 'slow_tables' in sys.modules)"
    assert await kernel.value(loaded) == f"False {'slow_tables' in content}"
    engine = await place.parts.engines.engine()
    log = await engine.logs(kernel.provisioner.record.container, 100)
    assert ("cannot be read" in log) == (
        content[0] == "[" or "no json" in content or "1" in content
    )
    assert ("not preloaded: busy_tables (it starts threads)" in log) == ("ended" in content)
    assert ("not preloaded: the recorded modules (they start threads)" in log) == (
        '["busy_tables"]' in content
    )
    assert not place.events


def test_names_are_those_of_modules():
    spec = parse_spec("name: a\nbase: b\npreload: [pandas, sklearn.linear_model, pandas]\n")
    assert spec.preload == ("pandas", "sklearn.linear_model")
    for wrong in ("scikit-learn", "pandas>=2", "a..b", "1st", "a.class", "'a; b'", "'.'"):
        with pytest.raises(InvalidError, match="is not the name of a Python module"):
            parse_spec(f"name: a\nbase: b\npreload: [{wrong}]\n")


def test_only_what_is_preloaded_makes_another_image():
    def digest(more: str) -> str:
        return parse_spec(f"name: a\nbase: b\n{more}").digest

    assert digest("") == digest("preload: []") != digest("preload: [pandas]")
