"""The supervisor as a process of this machine: its protocol, without a container."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import jupyter_mlops

SOURCE = Path(jupyter_mlops.__file__).parent / "guest" / "kernel" / "supervisor.py"


class Client:
    """Talks to it as any language could: JSON lines."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 10
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                assert time.monotonic() < deadline, "the supervisor does not listen"
                time.sleep(0.01)
        self.socket.settimeout(15)
        self.stream = self.socket.makefile("rw")
        self.events: list[dict] = []
        self.number = 0

    def ask(self, command: str, **fields) -> dict:
        self.number += 1
        self.stream.write(json.dumps({"id": self.number, "command": command, **fields}) + "\n")
        self.stream.flush()
        while True:
            message = json.loads(self.stream.readline())
            if message.get("id") == self.number:
                return message
            self.events.append(message)

    def event(self) -> dict:
        return self.events.pop(0) if self.events else json.loads(self.stream.readline())

    def start(self, code: str, run: int = 1, cwd: str = "/", **environment: str) -> dict:
        argv = [sys.executable, "-c", code]
        return self.ask("start", run=run, argv=argv, environment=environment, cwd=cwd)


@pytest.fixture
def supervisor():
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "c"
        process = subprocess.Popen([sys.executable, "-I", str(SOURCE), str(path)])
        client = Client(path)
        client.path, client.process = path, process
        yield client
        process.kill()
        process.wait()


def test_reports_how_a_program_ended(supervisor):
    assert supervisor.start("import os; os._exit(7)", run=4)["ok"]
    event = supervisor.event()
    assert (event["event"], event["run"], event["code"]) == ("exit", 4, 7)
    assert supervisor.start("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", run=5)["ok"]
    assert supervisor.event()["code"] == -signal.SIGSEGV


def test_the_program_gets_the_given_environment_and_no_other(supervisor, tmp_path):
    code = "import json, os; json.dump([dict(os.environ), os.getcwd()], open('out', 'w'))"
    supervisor.start(code, cwd=str(tmp_path), A="1")
    supervisor.event()
    environment, cwd = json.loads((tmp_path / "out").read_text())
    environment.pop("LC_CTYPE", None)  # Python sets it itself.
    assert environment == {"A": "1"}
    assert cwd == str(tmp_path)


def test_the_program_leads_its_own_session_and_dies_first(supervisor, tmp_path):
    code = (
        "import os; print(os.getsid(0) == os.getpid(), open('/proc/self/oom_score_adj').read(),"
        " file=open('out', 'w'))"
    )
    supervisor.start(code, cwd=str(tmp_path))
    supervisor.event()
    assert (tmp_path / "out").read_text().split() == ["True", "1000"]


def test_signals_reach_the_whole_group(supervisor, tmp_path):
    code = (
        "import subprocess, time; p = subprocess.Popen(['sleep', '60']);"
        " open('pid', 'w').write(str(p.pid)); p.wait()"
    )
    supervisor.start(code, cwd=str(tmp_path))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.02)
    child = int((tmp_path / "pid").read_text())
    assert supervisor.ask("signal", signal=int(signal.SIGKILL))["delivered"]
    assert supervisor.event()["code"] == -signal.SIGKILL
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}").exists() and "Z" not in _state(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not supervisor.ask("signal", signal=2)["delivered"], "a dead kernel is no error"


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_a_program_that_cannot_run_says_why(supervisor, tmp_path):
    answer = supervisor.ask("start", run=1, argv=["/no/such"], environment={}, cwd="/")
    assert not answer["ok"]
    assert answer["error"] == "cannot run /no/such: No such file or directory"
    answer = supervisor.ask("start", run=1, argv=["true"], environment={}, cwd="/no/folder")
    assert answer["error"] == "cannot enter the folder /no/folder: No such file or directory"
    assert not supervisor.ask("status")["running"]
    assert supervisor.start("pass")["ok"], "and the next one can"


def test_a_kernel_that_cannot_be_forked_says_why_as_any_program(supervisor):
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "/tmp/none"]
    environment = {"PATH": os.environ["PATH"], "HOME": "/tmp"}
    answer = supervisor.ask("start", run=1, argv=argv, environment=environment, cwd="/no/folder")
    assert answer["error"] == "cannot enter the folder /no/folder: No such file or directory"


def test_a_forked_kernel_is_watched_as_any_program(supervisor, tmp_path):
    file = tmp_path / "connection.json"
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", str(file)]
    fields = {
        "argv": argv,
        "environment": {"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        "cwd": str(tmp_path),
        "files": {str(file): json.dumps({"transport": "ipc", "ip": str(tmp_path / "z")})},
    }
    answer = supervisor.ask("start", run=1, **fields)
    assert answer["forked"]
    assert supervisor.ask("status")["pid"] == answer["pid"]
    assert os.getsid(answer["pid"]) == answer["pid"]
    assert supervisor.ask("signal", signal=int(signal.SIGKILL))["delivered"]
    event = supervisor.event()
    assert (event["event"], event["run"], event["code"]) == ("exit", 1, -signal.SIGKILL)
    again = supervisor.ask("start", run=2, **fields)
    assert again["forked"] and again["pid"] != answer["pid"]
    # It ends with its supervisor, and the zygote as well.
    group = _children(supervisor.process.pid)
    assert len(group) == 2
    supervisor.ask("stop", grace=0)
    assert supervisor.process.wait(5) == 0
    for pid in group:
        _wait_for_end(pid)


def test_the_zygote_of_an_expected_kernel_is_there_before_it_is_asked_for(tmp_path):
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", str(tmp_path / "none")]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path, expected = Path(folder) / "c", Path(folder) / "expected.json"
        expected.write_text(json.dumps({"argv": argv, "environment": environment}))
        process = subprocess.Popen([sys.executable, "-I", str(SOURCE), str(path)])
        try:
            client = Client(path)
            assert not expected.exists()
            zygotes = _children(process.pid)
            assert len(zygotes) == 1
            environment["JPY_SESSION_NAME"] = "a.ipynb"
            answer = client.ask("start", run=1, argv=argv, environment=environment, cwd="/")
            assert answer["forked"]
            assert set(_children(process.pid)) >= {*zygotes, answer["pid"]}
            client.ask("stop", grace=0)
            assert process.wait(5) == 0
        finally:
            process.kill()
            process.wait()


def test_private_variables_are_the_kernels_only(supervisor, tmp_path):
    fields = {"environment": {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, "cwd": "/"}
    kernel = [sys.executable, "-m", "ipykernel_launcher", "-f", str(tmp_path / "none")]
    code = "import os; open('out', 'w').write(os.environ['KEY'])"
    answer = supervisor.ask("start", run=1, argv=kernel, private={"KEY": "hunter2"}, **fields)
    assert answer["forked"]
    (zygote,) = set(_children(supervisor.process.pid)) - {answer["pid"]}
    assert "hunter2" not in Path(f"/proc/{zygote}/environ").read_text()
    supervisor.ask("signal", signal=int(signal.SIGKILL))
    assert supervisor.event()["event"] == "exit"
    fields["cwd"] = str(tmp_path)
    argv = [sys.executable, "-c", code]
    assert not supervisor.ask("start", run=2, argv=argv, private={"KEY": "x"}, **fields)["forked"]
    assert supervisor.event()["code"] == 0
    assert (tmp_path / "out").read_text() == "x"
    # A setting of the interpreter needs a new one.
    private = {"PYTHONHASHSEED": "1"}
    assert not supervisor.ask("start", run=3, argv=kernel, private=private, **fields)["forked"]
    supervisor.ask("stop", grace=0)
    assert supervisor.process.wait(5) == 0


def test_an_expectation_that_is_not_understood_disturbs_nobody():
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "c"
        (Path(folder) / "expected.json").write_text('{"argv": 1}')
        process = subprocess.Popen([sys.executable, "-I", str(SOURCE), str(path)])
        try:
            assert Client(path).start("pass")["ok"]
        finally:
            process.kill()
            process.wait()


def test_a_zygote_that_is_silent_does_not_keep_a_kernel_waiting(tmp_path):
    """The limit is half a minute in earnest."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "c"
        code = (
            f"import runpy, sys; sys.argv = ['supervisor.py', {str(path)!r}];"
            f" found = runpy.run_path({str(SOURCE)!r});"
            " found['main'].__globals__['FORK_SECONDS'] = 0.05; found['main'](sys.argv)"
        )
        process = subprocess.Popen([sys.executable, "-I", "-c", code])
        try:
            client = Client(path)
            answer = client.ask(
                "start",
                run=1,
                argv=[sys.executable, "-m", "ipykernel_launcher", "-f", str(tmp_path / "none")],
                environment={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
                cwd=str(tmp_path),
            )
            assert answer["ok"] and not answer["forked"]
            for zygote in set(_children(process.pid)) - {answer["pid"]}:
                _wait_for_end(zygote)
            client.ask("stop", grace=0)
            assert process.wait(5) == 0
        finally:
            process.kill()
            process.wait()


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 15
    while Path(f"/proc/{pid}").exists() and "Z" not in _state(pid):
        assert time.monotonic() < deadline, f"process {pid} is left"
        time.sleep(0.02)


def test_files_are_private_and_a_second_start_is_refused(supervisor, tmp_path):
    file = tmp_path / "connection.json"
    argv = ["sleep", "60"]
    environment = {"PATH": os.environ["PATH"]}
    answer = supervisor.ask(
        "start", run=1, argv=argv, environment=environment, cwd="/", files={str(file): "secret"}
    )
    assert answer["ok"]
    assert file.read_text() == "secret"
    assert file.stat().st_mode & 0o777 == 0o600
    again = supervisor.ask("start", run=2, argv=argv, environment=environment, cwd="/")
    assert again["error"] == "a kernel is running already"
    status = supervisor.ask("status")
    assert status["running"] and status["pid"] == answer["pid"] and status["run"] == 1


def test_requests_it_does_not_understand_are_answered(supervisor):
    assert not supervisor.ask("dance")["ok"]
    supervisor.stream.write("no json\n")
    supervisor.stream.flush()
    assert json.loads(supervisor.stream.readline())["id"] is None
    assert not supervisor.ask("start", run=1)["ok"]
    assert supervisor.ask("status")["ok"]


def test_every_client_hears_events_and_a_lost_one_disturbs_nobody(supervisor):
    other, lost = Client(supervisor.path), Client(supervisor.path)
    lost.socket.close()
    lost.stream.close()
    supervisor.start("pass")
    assert supervisor.event()["event"] == other.event()["event"] == "exit"


def test_stop_gives_the_kernel_time_and_then_ends(supervisor, tmp_path):
    code = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(3));"
        " open('up', 'w').close(); time.sleep(60)"
    )
    supervisor.start(code, cwd=str(tmp_path))
    while not (tmp_path / "up").exists():
        time.sleep(0.02)
    assert supervisor.ask("stop", grace=5)["ok"]
    assert supervisor.events[-1]["code"] == 3
    assert supervisor.process.wait(5) == 0


def test_stop_does_not_wait_for_ever(supervisor, tmp_path):
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); open('up', 'w'); time.sleep(60)"
    supervisor.start(code, cwd=str(tmp_path))
    while not (tmp_path / "up").exists():
        time.sleep(0.02)
    started = time.monotonic()
    supervisor.process.terminate()  # What an engine does to process 1.
    supervisor.ask("stop", grace=0.3)
    assert supervisor.process.wait(5) == 0
    assert time.monotonic() - started < 4
