"""PyTorch modules of a running notebook: as TorchScript, served as they answered there.

The environment has the distribution's PyTorch: there is no CUDA in it, and it comes from the same
place as everything else that the tests install.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

import jupyter_mlops
from jupyter_mlops.core.model_package import Handler
from tests.parts.engines import run_apart
from tests.parts.live_export import Exporting, exporting
from tests.parts.projects import freeze
from tests.parts.services import Recorder, Tiny, built, open_services

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

SERVE = Path(jupyter_mlops.__file__).parent / "guest" / "serve"
# Unpacked, not installed: dpkg takes four times as long, for packages of which most are never used.
SPEC = r"""
name: torch
base: debian
setup: |
  set -e -o pipefail
  mkdir /var/tmp/debs && cd /var/tmp/debs
  timeout 120 apt-get update -q || apt-get update -q
  names=$(apt-get install -s --no-install-recommends python3-torch | awk '/^Inst/ {print $2}' |
    grep -Ev 'mesa|llvm|libperl|libtorch-test|icon|data$')
  apt-get -o APT::Sandbox::User=root download -q $names
  for file in *.deb; do
    dpkg-deb --fsys-tarfile $file | tar -x --keep-directory-symlink --exclude=./usr/share/doc -C /
  done
  cd /
  rm -r /var/tmp/debs /var/lib/apt/lists/*
  for library in blas lapack; do
    echo /usr/lib/x86_64-linux-gnu/$library > /etc/ld.so.conf.d/$library.conf
  done
  ldconfig
  site=$(/opt/env/bin/python -c 'import site; print(site.getsitepackages()[0])')
  echo /usr/lib/python3/dist-packages > $site/debian.pth
"""

CELL = """
import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
X = np.random.default_rng(0).normal(size=(20, 3))
rows = torch.as_tensor(X, dtype=torch.float32)
ids = np.arange(12).reshape(4, 3)


class Scored(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        found = self.dropout(self.first(x))
        return {"logits": found, "best": found.argmax(1)}


class Traced(nn.Module):
    "torch.jit.script does not know what is in it."
    def __init__(self):
        super().__init__()
        self.first, self.steps = nn.Linear(3, 1), [lambda value: value * 2]

    def forward(self, x):
        return self.steps[0](self.first(x))


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(20, 4)

    def forward(self, x):
        return self.table(x).mean(1)


class Outside(nn.Module):
    "What it does outside of torch is not in its program."
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 1)

    def forward(self, x):
        return self.first(torch.as_tensor(np.sort(x.numpy(), axis=1)))


net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))
net[2].eval()
scored, traced, words, outside = Scored(), Traced(), Words(), Outside()
print("made")
"""

SERVED = """
import os, shutil, sys
sys.path.insert(0, "guest")
from serve import handlers

spec = {"handler": {"kind": "inference", "path": "inference.py", "function": ""}}
shutil.rmtree("package", ignore_errors=True)
os.makedirs("package/code")
for name in ("model.pt", "code/inference.py"):
    os.link("exported/m/" + os.path.basename(name), "package/" + name)
handler = handlers.load(spec, "package", "application/json")
for name, kind in (("sample.json", "application/json"), ("sample.npy", "application/x-npy")):
    body = open("exported/m/" + name, "rb").read()
    print(handler(body, kind, "application/json", "")[2].decode())
"""


@pytest.fixture(scope="module")
def environment(services_config: Config) -> Iterator[Tiny]:
    async def delete() -> None:
        services = open_services(services_config)
        try:
            await services.environments.delete("torch")
        finally:
            await services.close()

    yield run_apart(built(services_config, SPEC))
    run_apart(delete())


@pytest.fixture(scope="module")
def notebook(
    services_config: Config, environment: Tiny, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Exporting]:
    folder = tmp_path_factory.mktemp("torch")
    project = folder / "root" / "project"
    shutil.copytree(SERVE, project / "guest" / "serve")
    (project / "served.py").write_text(SERVED)
    with exporting(services_config, folder, "mlops-torch", CELL) as opened:
        yield opened


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value]


def test_what_is_a_module(notebook: Exporting) -> None:
    found = {m["name"]: m["kind"] for m in notebook.models()["models"]}
    assert found == dict.fromkeys(("net", "scored", "traced", "words", "outside"), "torch")


@pytest.mark.parametrize(
    ("model", "sample"),
    [("net", "X"), ("net", "rows"), ("scored", "X"), ("traced", "X"), ("words", "ids")],
)
def test_it_answers_as_in_the_notebook(notebook: Exporting, model: str, sample: str) -> None:
    made = notebook.export(model, sample)
    assert made["model"] == ["exported/m/model.pt"]
    assert (made["format"], made["trusted_only"]) == ("TorchScript", False)
    # Another process of the environment, that has seen nothing of the notebook.
    served = notebook.tab.run(
        "import subprocess, sys\n"
        "done = subprocess.run([sys.executable, 'served.py'], capture_output=True, text=True)\n"
        "print(done.stdout, done.stderr[-2000:])"
    )
    answers = [json.loads(line) for line in served.splitlines()]
    expected = json.loads((notebook.root / made["expected"]).read_text())
    own = notebook.tab.run(
        f"import json, copy; given = torch.as_tensor(np.asarray({sample}[:5]))\n"
        "given = given if not given.is_floating_point() else given.float()\n"
        f"with torch.no_grad(): answer = copy.deepcopy({model}).eval()(given)\n"
        "answer = answer if isinstance(answer, dict) else {'answer': answer}\n"
        "print(json.dumps({name: value.tolist() for name, value in answer.items()}))"
    )
    assert numbers(expected) == pytest.approx(numbers(json.loads(own)), rel=1e-5)
    assert len(answers) == 2
    for answer in answers:
        assert numbers(answer) == pytest.approx(numbers(expected), rel=1e-5)


def test_the_notebook_stays_as_it_was(notebook: Exporting) -> None:
    notebook.export("net", "X")
    said = notebook.tab.run("print([part.training for part in net])")
    assert said == "[True, True, False, True]"


def test_what_cannot_be_a_program_says_why(notebook: Exporting) -> None:
    said = notebook.refused("outside", "X")
    assert "Outside cannot be written as TorchScript" in said
    assert "the program answers otherwise than the module" in said
    assert "words does not take X" in notebook.refused("words", "X")


async def test_the_package_of_it_passes_its_check(
    notebook: Exporting, services_config: Config, environment: Tiny
) -> None:
    made = notebook.export("net", "X", "net")
    services: Any = open_services(services_config)
    try:
        snapshot = await freeze(services, environment, notebook.root)
        package = await services.packaging.create(
            snapshot.id, "live-net", tuple(made["model"]), Handler("inference", made["handler"]),
            made["sample"], Recorder(), made["expected"],
        )  # fmt: skip
        report = await services.packaging.check(package.id, Recorder())
        assert report.passed, [check for check in report.checks if not check.passed]
        await services.packaging.delete(package.id)
    finally:
        await services.close()
