"""A command line with settings and data of its own."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cli.main import main
from tests.parts.engines import OWNER


@dataclass
class Ended:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    def __init__(self, folder: Path, runtime: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.common = [
            f"--Mlops.data_dir={folder / 'data'}",
            f"--Mlops.runtime_dir={runtime}",
            f"--Mlops.owner={OWNER}",
        ]
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ended:
        """Run ``jupyter mlops …`` in this process."""
        self._capsys.readouterr()
        code = main([*self.common, *arguments])
        said = self._capsys.readouterr()
        return Ended(code, said.out, said.err)

    def done(self, *arguments: str) -> Any:
        """Its JSON; fails the test unless it ended well."""
        ended = self(*arguments, "--json")
        assert ended.code == 0, f"{arguments}: {ended.out}\n{ended.err}"
        return ended.data


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[CommandLine]:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    runtime = Path(tempfile.mkdtemp(prefix="jm-", dir="/tmp"))  # Sockets have 107 bytes.
    yield CommandLine(tmp_path, runtime, capsys)
    shutil.rmtree(runtime, ignore_errors=True)
