"""Environments from the files of other tools, and from a Python that is there."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_mlops.config import Mlops
from jupyter_mlops.core.errors import IndexUnavailableError, InvalidError
from jupyter_mlops.core.imported import Imported
from jupyter_mlops.core.settings import NetworkSettings, Settings
from jupyter_mlops.services.imports.local import capture
from jupyter_mlops.services.imports.reading import is_specification, read
from jupyter_mlops.wiring import Services
from tests.parts.services import Tiny, make_config

from .test_additions import command_line, wheel


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of this machine: its own package index."""
    return Mlops(config=make_config(tmp_path / "data", tmp_path / "run", "auto")).settings()


async def imported(folder: Path, name: str, text: str, *args: Any, **more: Any) -> Imported:
    file = folder / name
    file.write_text(text)
    settings = more.pop("settings", None) or Settings.__new__(Settings)
    return await read(file, settings, *args, **more)


def reasons(found: Imported) -> dict[str, str]:
    return {left.name: left.reason for left in found.left_out}


async def test_requirements(tmp_path: Path):
    (tmp_path / "more.txt").write_text("six  # small\n-r requirements.txt\n")
    text = (
        "pandas>=2 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n-r more.txt\n"
        "-e ./own\n./wheels/other.whl\nmine @ file:///home/ada/mine\nrich[jupyter] ; "
        "python_version >= '3.9'\n"
    )
    found = await imported(tmp_path, "requirements.txt", text)
    assert found.python == ("pandas>=2", "six", "rich[jupyter] ; python_version >= '3.9'")
    assert set(reasons(found)) == {"./own", "./wheels/other.whl", "mine"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("--index-url https://example.org/simple\nsix\n", "the option '--index-url'"),
        ("-c limits.txt\n", "the option '-c'"),
        ("-r ../secret.txt\n", "outside its folder"),
        ("-r none.txt\n", "'none.txt' cannot be read"),
        ("six = 1\n", "not a package requirement"),
        ("six @ https://me:word@example.org/six.whl\n", "holds a password"),
    ],
)
async def test_what_requirements_may_not_say(tmp_path: Path, text: str, said: str):
    with pytest.raises(InvalidError, match=said) as caught:
        await imported(tmp_path, "requirements.txt", text)
    assert "word@" not in str(caught.value)


PYPROJECT = """
[project]
name = "Churn_Model"
description = "churn"
requires-python = ">=3.10"
dependencies = ["pandas>=2", "inner"]
dynamic = ["version"]
[project.optional-dependencies]
plot = ["matplotlib"]
all = ["churn-model[plot]", "tqdm"]
[dependency-groups]
dev = ["pytest", {include-group = "lint"}]
lint = ["ruff"]
[tool.uv.sources]
inner = {workspace = true}
"""


async def test_pyproject(tmp_path: Path):
    found = await imported(tmp_path, "pyproject.toml", PYPROJECT)
    assert (found.name, found.description) == ("churn-model", "churn")
    assert found.python == ("pandas>=2",)
    assert (found.extras, found.groups) == (("plot", "all"), ("dev", "lint"))
    told = reasons(found)
    assert set(told) == {"inner", "Python >=3.10", "plot", "all", "dev", "lint"}
    assert "tool.uv.sources" in told["inner"]
    found = await imported(tmp_path, "pyproject.toml", PYPROJECT, ["all"], ["dev"])
    assert found.python == ("pandas>=2", "matplotlib", "tqdm", "pytest", "ruff")
    with pytest.raises(InvalidError, match="no extra 'docs'") as caught:
        await imported(tmp_path, "pyproject.toml", PYPROJECT, ["docs"])
    assert caught.value.hint == "It has plot, all."
    with pytest.raises(InvalidError, match=r"no \[project\] table"):
        await imported(tmp_path, "pyproject.toml", "[tool.poetry]\nname = 'x'\n")
    with pytest.raises(InvalidError, match="not valid TOML"):
        await imported(tmp_path, "pyproject.toml", "[project\n")


async def test_pylock(tmp_path: Path):
    text = """
lock-version = "1.0"
requires-python = ">=3.11"
[[packages]]
name = "pandas"
version = "2.2.0"
[[packages]]
name = "tomli"
version = "2.0"
marker = "python_version < '3.11'"
[[packages]]
name = "pytest"
version = "8.0"
marker = "'dev' in dependency_groups"
[[packages]]
name = "six"
vcs = {type = "git", url = "https://example.org/six", commit-id = "0123"}
[[packages]]
name = "own"
directory = {path = "../own"}
[[packages]]
name = "far"
archive = {url = "https://example.org/far.zip"}
[tool.jupyter-mlops.r]
version = "4.2.2"
packages = ["data.table==1.14.8", "--vanilla"]
"""
    found = await imported(tmp_path, "pylock.dev.toml", text)
    assert found.python == (
        "pandas==2.2.0",
        "tomli==2.0 ; python_version < '3.11'",
        "far @ https://example.org/far.zip",
    )
    assert found.r == ("data.table==1.14.8",)
    told = reasons(found)
    assert set(told) == {"pytest", "six", "own", "Python >=3.11", "R 4.2.2", "--vanilla"}
    assert "https://example.org/six" in told["six"] and "../own" in told["own"]


CONDA = """
name: Churn 2026
channels: [conda-forge]
prefix: /home/ada/conda/envs/churn
variables: {OMP_NUM_THREADS: 2, API_TOKEN: x}
dependencies:
  - python=3.11
  - pip
  - conda-forge::humanize=4.9
  - six=1.16.0=pyhd3eb1b0_1
  - PyYAML>=6,<7
  - pytorch
  - openssl
  - libgomp
  - r-base
  - no-such-package-of-anybody-0
  - toolz=1.0|2.0
  - pip:
      - tabulate
      - -e .
"""


async def test_conda(tmp_path: Path, settings: Settings):
    found = await imported(tmp_path, "environment.yml", CONDA, settings=settings)
    assert found.name == "churn-2026"
    assert found.python == (
        "tabulate", "humanize==4.9.*", "six==1.16.0", "pyyaml>=6,<7", "torch"
    )  # fmt: skip
    assert found.variables == {"OMP_NUM_THREADS": "2"}
    told = reasons(found)
    assert set(told) == {
        "python=3.11", "pip", "openssl", "libgomp", "r-base", "no-such-package-of-anybody-0",
        "toolz=1.0|2.0", ".", "API_TOKEN", "channels", "prefix",
    }  # fmt: skip
    assert "index has no package" in told["no-such-package-of-anybody-0"]
    assert "package of R" in told["r-base"] and "secret" in told["API_TOKEN"]
    assert not is_specification(tmp_path / "environment.yml")
    with pytest.raises(InvalidError, match="'--index-url' of pip"):
        text = "dependencies: [{pip: ['--index-url https://example.org', six]}]"
        await imported(tmp_path, "environment.yml", text, settings=settings)


async def test_an_index_that_does_not_answer(tmp_path: Path, settings: Settings):
    from dataclasses import replace

    nowhere = replace(settings, network=NetworkSettings(index_url="http://127.0.0.1:9/simple"))
    with pytest.raises(IndexUnavailableError, match=r"127\.0\.0\.1 does not answer"):
        await imported(tmp_path, "environment.yml", "dependencies: [six]", settings=nowhere)


async def test_files_that_are_something_else(tmp_path: Path):
    with pytest.raises(InvalidError, match="no file that packages can be imported from"):
        await imported(tmp_path, "setup.py", "")
    with pytest.raises(InvalidError, match="no extras"):
        await imported(tmp_path, "requirements.txt", "six", ["dev"])
    spec = tmp_path / "environment.yaml"
    spec.write_text("name: a\nbase: b\n")
    assert is_specification(spec)


@pytest.fixture
def python(tmp_path: Path, settings: Settings) -> Path:
    """A virtual environment with a package of the index, and one of a file."""
    folder = tmp_path / "venv"
    for command in (
        ["venv", "-q", "--python", sys.executable, str(folder)],
        ["pip", "install", "-q", "--python", str(folder), "six", str(wheel(tmp_path))],
    ):
        done = subprocess.run([str(settings.uv), *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder / "bin" / "python"


async def test_what_a_python_has(python: Path):
    found = await capture(python)
    (six,) = found.python
    assert six.startswith("six==")
    told = reasons(found)
    version = ".".join(map(str, sys.version_info[:3]))
    assert set(told) == {"homemade", f"Python {version}", "system packages"}
    assert "homemade-0.1-py3-none-any.whl, not from a package index" in told["homemade"]
    own = await capture()
    assert any(text.startswith("uv==") for text in own.python)
    assert not any(text.startswith("jupyter-mlops") for text in own.python)


@pytest.mark.docker
@pytest.mark.timeout(300)
async def test_from_a_file_to_an_environment(
    services: Services, services_config: Config, tiny_environment: Tiny, tmp_path: Path
):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("humanize\n-e ./own\n")
    made = await command_line(
        services_config, "env", "create", "taken", "--from", str(requirements), "--base", "debian"
    )
    assert (made["environment"], made["number"]) == ("taken", 1)
    assert [left["name"] for left in made["left_out"]] == ["./own"]
    assert made["spec"]["python"] == ["humanize"]
    project = tmp_path / "pyproject.toml"
    project.write_text("[project]\nname = 'taken'\ndependencies = ['humanize']\n"
                       "[dependency-groups]\nmore = ['six']\n")  # fmt: skip
    made = await command_line(
        services_config, "env", "build", "taken", "--from", str(project), "--group", "more"
    )
    assert made["number"] == 2 and made["spec"]["python"] == ["humanize", "six"]
    assert "six" in (await services.environments.inventory(
        await services.environments.revision("taken")
    )).of("pypi")  # fmt: skip
    await services.environments.delete("taken")


RENV = {
    "R": {"Version": "4.3.1", "Repositories": [{"Name": "CRAN", "URL": "https://cran.example"}]},
    "Packages": {
        "testAbove": {"Package": "testAbove", "Version": "1.0", "Source": "Repository"},
        "testPlain": {"Package": "testPlain", "Version": "1.0", "Source": "Repository"},
        "testC": {"Package": "testC", "Version": "0.9-1", "Source": "CRAN"},
        "praise": {"Package": "praise", "Version": "1.0.0", "Source": "Repository"},
        "renv": {"Package": "renv", "Version": "1.0.3", "Source": "Repository"},
        "limma": {"Package": "limma", "Version": "3.56", "Source": "Bioconductor"},
        "dev": {
            "Package": "dev", "Version": "0.2", "Source": "GitHub", "RemoteType": "github",
            "RemoteUsername": "ada", "RemoteRepo": "dev", "RemoteSha": "0123abc",
        },
    },
}  # fmt: skip


@pytest.mark.docker
async def test_renv_lock(tmp_path: Path, settings: Settings, cran_mirror: str):
    asked = replace(settings, network=NetworkSettings(cran_mirror=cran_mirror))
    found = await imported(tmp_path, "renv.lock", json.dumps(RENV), settings=asked)
    # The second version is in the archive, the third one is gone, the fourth package is elsewhere.
    assert found.r == ("testAbove==1.0", "testPlain==1.0", "testC", "praise")
    assert not found.python
    notes = reasons(found)
    assert set(notes) == {"renv", "limma", "dev", "testC 0.9-1", "praise 1.0.0", "R 4.3.1"}
    assert "it has 1.0" in notes["testC 0.9-1"] and "distribution" in notes["praise 1.0.0"]
    assert "ada/dev, not from CRAN" in notes["dev"] and "Bioconductor" in notes["limma"]


async def test_renv_lock_without_a_mirror(tmp_path: Path, settings: Settings):
    asked = replace(settings, network=NetworkSettings(cran_mirror="http://127.0.0.1:9"))
    found = await imported(tmp_path, "renv.lock", json.dumps(RENV), settings=asked)
    assert found.r == ("testAbove==1.0", "testPlain==1.0", "testC==0.9-1", "praise==1.0.0")
    assert "127.0.0.1 does not answer" in reasons(found)["the versions"]
    with pytest.raises(InvalidError, match="no lock of renv"):
        await imported(tmp_path, "renv.lock", "{}")
