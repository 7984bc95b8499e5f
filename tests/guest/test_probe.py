"""The probe as a process of its own, on a small virtual environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from uv import find_uv_bin

import jupyter_mlops
from jupyter_mlops.core.inventory import Inventory

PROBE = Path(jupyter_mlops.__file__).parent / "guest" / "probe.py"


def wheel(folder: Path, name: str, files: dict[str, str]) -> Path:
    """A wheel made by hand, with a RECORD that is right."""
    import base64
    import hashlib
    import zipfile

    info = f"{name.replace('-', '_')}-1.0.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{path},sha256="
        f"{base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},"
        f"{len(text.encode())}"
        for path, text in files.items()
    ]
    file = folder / f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,"]) + "\n")
    return file


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment with the package ``Odd.Name``, installed from a file."""
    uv = find_uv_bin()
    made = tmp_path / "env"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, made], check=True)
    file = wheel(tmp_path, "Odd.Name", {"odd/__init__.py": "value = 1\n", "odd/data.txt": "abc"})
    subprocess.run(
        [uv, "pip", "install", "-q", "--offline", "--python", made / "bin/python", file],
        check=True,
    )
    return made


def probe(environment: Path, **variables: str) -> dict[str, Any]:
    answer = subprocess.run(
        [environment / "bin/python", "-I", "-B", "-"],
        stdin=PROBE.open(),
        capture_output=True,
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", **variables},
    )
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def packages(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {p["name"]: p for p in found["packages"] if p["ecosystem"] == "pypi"}


def test_what_is_installed(environment: Path):
    found = probe(environment, COLOUR="blue", TERM="xterm", EMPTY="")
    inventory = TypeAdapter(Inventory).validate_python(found)
    package = inventory.of("pypi")["odd-name"]
    assert (package.version, package.patched) == ("1.0", ())
    assert package.source.startswith("file:///") and package.source.endswith(".whl")
    assert inventory.variables == {"COLOUR": "blue"}
    assert inventory.arch and inventory.os and inventory.python.startswith("3.")


def test_edited_files_are_found(environment: Path):
    (folder,) = environment.glob("lib/python*/site-packages/odd")
    (folder / "__init__.py").write_text("value = 2\n")
    assert packages(probe(environment))["odd-name"]["patched"] == ["odd/__init__.py"]
    # Another size is seen whatever the time says; the same content is no difference.
    (folder / "__init__.py").write_text("value = 1\n")
    (folder / "data.txt").write_text("abcd")
    os.utime(folder / "data.txt", (1, 1))
    assert packages(probe(environment))["odd-name"]["patched"] == ["odd/data.txt"]
    (folder / "data.txt").unlink()
    assert packages(probe(environment))["odd-name"]["patched"] == ["odd/data.txt"]


def test_nothing_is_written(environment: Path):
    before = sorted(environment.rglob("*"))
    probe(environment)
    assert sorted(environment.rglob("*")) == before


def test_source_without_credentials(environment: Path):
    (info,) = environment.glob("lib/python*/site-packages/*[Oo]dd*.dist-info")
    (info / "direct_url.json").write_text(
        json.dumps(
            {
                "url": "https://user:secret@git.example/team/odd.git",
                "vcs_info": {"vcs": "git", "commit_id": "abc123"},
            }
        )
    )
    assert (
        packages(probe(environment))["odd-name"]["source"]
        == "git+https://git.example/team/odd.git@abc123"
    )
