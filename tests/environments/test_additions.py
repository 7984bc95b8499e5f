"""From what a notebook installed to a new revision of its environment."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config

from jupyter_mlops.core.additions import LeftOut, additions, merged, merged_r
from jupyter_mlops.core.errors import ConflictError, UnsatisfiableError
from jupyter_mlops.core.inventory import Inventory, Package, diff
from jupyter_mlops.wiring import Services
from tests.parts.services import Recorder, Tiny, tiny_spec


def inventory(*packages: Package) -> Inventory:
    return Inventory("3.11.2", "CPython", "Debian 12", "glibc 2.36", "x86_64", packages)


def test_what_can_be_added():
    before = inventory(
        Package("pypi", "pandas", "2.1.0"),
        Package("pypi", "rich", "14.0"),
        Package("pypi", "six", "1.16.0"),
        Package("pypi", "tqdm", "4.0"),
    )
    after = inventory(
        Package("pypi", "pandas", "2.2.0"),
        Package("pypi", "lightgbm", "4.6.0"),
        Package("pypi", "six", "1.16.0", "git+https://example.org/six@0123abc"),
        Package("pypi", "own", "0.1", "file:///home/ada/own"),
        Package("pypi", "wheel-of-mine", "1", "https://example.org/wheel.whl"),
        Package("pypi", "tqdm", "4.0", patched=("tqdm/__init__.py",)),
        Package("deb", "libgomp1", "12.2"),
    )
    found = additions(diff(before, after), after)
    assert found.requirements == ("lightgbm==4.6.0", "pandas==2.2.0")
    reasons = {left.name: left.reason for left in found.left_out}
    assert set(reasons) == {"six", "own", "wheel-of-mine", "libgomp1", "rich", "tqdm"}
    assert "the repository git+https://example.org/six@0123abc" in reasons["six"]
    assert "installed from /home/ada/own, not from a package index" in reasons["own"]
    assert "https://example.org/wheel.whl" in reasons["wheel-of-mine"]
    assert "system package" in reasons["libgomp1"]
    assert "uninstalled" in reasons["rich"] and "edited" in reasons["tqdm"]


def test_packages_of_r_can_be_added():
    before = inventory(Package("pypi", "xgboost", "2.0"), Package("cran", "DBI", "1.1.3"))
    after = inventory(
        Package("pypi", "xgboost", "2.0"),
        Package("cran", "DBI", "1.2.0"),
        Package("cran", "xgboost", "1.7.8"),
        Package("cran", "mine", "0.1", "file"),
        Package("cran", "dev", "0.2", "github+ada/dev@0123abc"),
    )
    found = additions(diff(before, after), after)
    assert found.requirements == () and found.r == ("DBI==1.2.0", "xgboost==1.7.8")
    reasons = {left.name: left.reason for left in found.left_out}
    assert "installed from a file, not from CRAN" in reasons["mine"]
    assert "the repository github+ada/dev@0123abc" in reasons["dev"]
    assert merged_r(("DBI", "R6>=2"), found.r) == ("DBI==1.2.0", "R6>=2", "xgboost==1.7.8")


@pytest.mark.parametrize(
    ("python", "more", "after"),
    [
        (["pandas>=2"], ["six==1.17.0"], ("pandas>=2", "six==1.17.0")),
        (["pandas>=2", "six"], ["pandas==2.2.0"], ("pandas==2.2.0", "six")),
        (["Foo_Bar[a]", "foo.bar[b]>1", "six"], ["foo-bar==2"], ("foo-bar[a,b]==2", "six")),
        (["own @ https://example.org/own.whl"], ["own==2"], ("own==2",)),
    ],
)
def test_a_package_is_asked_for_once(python: list[str], more: list[str], after: tuple[str, ...]):
    assert merged(python, more) == after


def wheel(folder: Path) -> Path:
    """A package of the user's own."""
    file = folder / "homemade-0.1-py3-none-any.whl"
    info = "homemade-0.1.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("homemade.py", "answer = 42\n")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: homemade\nVersion: 0.1\n"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", f"homemade.py,,\n{info}/RECORD,,\n")
    return file


_NEEDED = ("data_dir", "runtime_dir", "engine", "engine_url", "owner")


async def command_line(config: Config, *arguments: str) -> Any:
    """The JSON of ``jupyter mlops …`` in a process of its own."""
    settings = config.Mlops
    answer = await anyio.run_process(
        [
            *(sys.executable, "-m", "jupyter_mlops.cli.main"),
            *(f"--Mlops.{name}={settings[name]}" for name in _NEEDED if name in settings),
            *arguments,
            "--json",
        ],
        check=False,
    )
    assert answer.returncode == 0, answer.stderr.decode()
    return json.loads(answer.stdout)


async def after_running(
    services: Services,
    folder: Path,
    environment: str,
    cell: str,
    look: Callable[[str], Awaitable[None]],
) -> None:
    """Run one cell, and look at the kernel while it lives."""
    looked: list[str] = []

    async def keep(kernel_id: str) -> None:
        await look(kernel_id)
        looked.append(kernel_id)

    notebook = folder / "a.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(cell)]), notebook)
    await services.kernels.run(
        notebook, environment, Recorder(), output=folder / "out.ipynb", keep=keep
    )
    assert looked


@pytest.mark.docker
@pytest.mark.timeout(300)
async def test_drift_becomes_a_revision(
    services: Services, services_config: Config, tiny_environment: Tiny, tmp_path: Path
):
    environments = services.environments
    await environments.build(tiny_spec(services, name="grow"), Recorder())
    file = wheel(tmp_path)

    async def add(kernel_id: str) -> None:
        found = await services.kernels.additions(kernel_id)
        assert [text.partition("==")[0] for text in found.requirements] == ["toolz"]
        (left,) = found.left_out
        assert left == LeftOut(
            "homemade", f"It was installed from {file}, not from a package index."
        )
        with pytest.raises(ConflictError, match="'grow', not in 'tiny'"):
            await services.kernels.to_revision("tiny", kernel_id)

        made = await command_line(
            services_config, "env", "build", "grow", "--from-kernel", kernel_id
        )
        assert made["number"] == 2
        assert [left["name"] for left in made["left_out"]] == ["homemade"]
        revision = await environments.revision("grow")
        assert revision.spec.python == ("humanize", *found.requirements)
        assert "toolz" in (await environments.inventory(revision)).of("pypi")
        # Asked for again, it is there already.
        spec, _ = await services.kernels.to_revision("grow", kernel_id)
        assert (await environments.build(spec, Recorder(), replace=True)).number == 2

    await after_running(services, tmp_path, "grow", f"%pip install -q toolz {file}", add)

    async def conflict(kernel_id: str) -> None:
        spec, found = await services.kernels.to_revision("grow", kernel_id)
        assert found.requirements == ("black==24.1.0", "packaging==21.3")
        with pytest.raises(UnsatisfiableError) as caught:
            await environments.build(spec, Recorder(), replace=True)
        assert "cannot be installed together" in caught.value.message
        assert "packaging" in caught.value.message and "black" in caught.value.message
        assert caught.value.hint and "\n" not in str(caught.value)
        # The next one is not built on what failed.
        assert "packaging==21.3" in (await environments.get("grow")).spec.python
        assert "packaging==21.3" not in (await environments.active_spec("grow")).python

    await after_running(
        services,
        tmp_path,
        "grow",
        "%pip install -q --no-deps packaging==21.3 black==24.1.0",
        conflict,
    )

    async def nothing(kernel_id: str) -> None:
        with pytest.raises(ConflictError, match=r"homemade: It was installed from"):
            await services.kernels.to_revision("grow", kernel_id)

    await after_running(services, tmp_path, "grow", f"%pip install -q {file}", nothing)
    await environments.delete("grow")
