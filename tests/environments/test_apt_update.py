"""``apt-get update`` that stands still, which a real one does when it likes: a script plays it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from jupyter_mlops.services.build_steps.apt import UPDATE


@pytest.mark.parametrize(
    ("apt", "code", "calls", "said"),
    [
        ("true", 0, 1, ""),
        ("exit 100", 100, 1, ""),
        ('[ "$(wc -l < calls)" -gt 1 ] || exec sleep 60', 0, 2, "once more"),
        ('[ "$(wc -l < calls)" -gt 1 ] && exit 100; exec sleep 60', 100, 2, "once more"),
    ],
    ids=["well", "no mirror", "stands still once", "and then fails"],
)
def test_update(tmp_path: Path, apt: str, code: int, calls: int, said: str) -> None:
    program = tmp_path / "apt-get"
    program.write_text(f"#!/bin/sh\necho $* >> calls\n{apt}\n")
    program.chmod(0o755)
    script = f"set -e\n{UPDATE.replace('300', '1')}\nupdate\n"
    began = time.monotonic()
    answer = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == code, answer.stderr
    assert (tmp_path / "calls").read_text() == "update -q\n" * calls
    assert said in answer.stdout
    assert time.monotonic() - began < 20
