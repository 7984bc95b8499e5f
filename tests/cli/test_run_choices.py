"""``jupyter mlops run`` with limits of its own, and secrets that it asks for."""

from __future__ import annotations

import os
import pty
import secrets
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config

from tests.parts.searching import files_with
from tests.parts.services import Tiny

pytestmark = pytest.mark.docker

LOOK = """
import os
for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
    if os.path.exists(path):
        print(int(open(path).read()) // 1024**2)
print(sorted(os.listdir("/sys/class/net")))
"""


@pytest.fixture
def command(services_config: Config, tiny_environment: Tiny) -> list[str]:
    settings = services_config.Mlops
    start = "import sys; from jupyter_mlops.cli.main import main; sys.exit(main(sys.argv[1:]))"
    names = ("data_dir", "runtime_dir", "owner", "engine")
    chosen = [f"--Mlops.{name}={settings[name]}" for name in names]
    return [sys.executable, "-c", start, *chosen]


def notebook(file: Path, code: str) -> Path:
    nbformat.write(new_notebook(cells=[new_code_cell(code)]), file)
    return file


def printed(file: Path) -> list[str]:
    return [output.text for output in nbformat.read(file, 4).cells[0].outputs]


def run(command: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


def test_limits_of_one_run(command: list[str], tmp_path: Path):
    file = notebook(tmp_path / "a.ipynb", LOOK)
    limits = ("--memory", "300MiB", "--cpus", "0.5", "--network", "none")
    ended = run(command, "run", str(file), "--env", "tiny", *limits)
    assert ended.returncode == 0, ended.stderr
    assert printed(file) == ["300\n['lo']\n"]

    for wrong, said in (
        (("--memory", "1MB"), "is too little for a kernel to start"),
        (("--memory", "900TiB"), "is more than this machine has"),
        (("--cpus", "4096"), "is more than this machine has"),
    ):
        ended = run(command, "run", str(file), "--env", "tiny", *wrong)
        assert ended.returncode == 1 and said in ended.stderr


def test_secrets_are_asked_for_on_a_terminal(
    command: list[str], tmp_path: Path, services_config: Config
):
    spec = tmp_path / "asks.yaml"
    spec.write_text("name: asks-cli\nbase: tiny@active\nsecrets: [ASKED]\n")
    made = run(command, "env", "create", "--from", str(spec))
    assert made.returncode == 0, made.stderr
    file = notebook(tmp_path / "b.ipynb", "import os; print(len(os.environ['ASKED']))")
    wanted = ("run", str(file), "--env", "asks-cli")

    ended = run(command, *wanted)
    assert ended.returncode == 1
    assert "ASKED, which this server does not have" in " ".join(ended.stderr.split())
    assert "on a terminal" in " ".join(ended.stderr.split())

    value = secrets.token_hex(20)
    master, slave = pty.openpty()
    # A session of its own: getpass asks the terminal that controls it.
    process = subprocess.Popen(
        [*command, *wanted], stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    said = b""
    while b"never saved" not in said:
        said += os.read(master, 1024)
    os.write(master, f"{value}\n".encode())
    while True:
        try:
            more = os.read(master, 65536)
        except OSError:
            break  # The last one who had it open has ended.
        if not more:
            break
        said += more
    os.close(master)
    assert process.wait(60) == 0, said.decode()
    assert printed(file) == ["40\n"]
    assert value.encode() not in said
    data = Path(services_config.Mlops.data_dir)
    assert files_with(data, b"asks-cli"), "the search finds what is there"
    assert not [*files_with(tmp_path, value.encode()), *files_with(data, value.encode())]
