"""Kernels outlive their Jupyter server: real servers, killed and started again."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from jupyter_mlops.core.layout import LABEL_KERNEL

from .machine import Machine, eventually

BUSY = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.02)\ndone = 'finished'"


on_docker = pytest.mark.parametrize(
    "engine_name", [pytest.param("docker", marks=pytest.mark.docker)]
)


def test_kernels_survive_a_killed_server(machine: Machine):
    server = machine.server()
    server.start()
    (machine.root / "project").mkdir()
    first = server.open_session("project/a.ipynb", machine.kernel)
    second = server.open_session("console-1", machine.kernel, "console")
    busy = server.open_session("busy.ipynb", machine.kernel)
    ids = [session["kernel"]["id"] for session in (first, second, busy)]
    tabs = [server.tab(id) for id in ids]
    assert tabs[0].run("x = 41; print('set')") == "set"
    assert tabs[1].run("y = 'of the console'") == ""
    renamed = {"path": "project/renamed.ipynb", "name": "renamed.ipynb"}
    server.ask("PATCH", f"api/sessions/{first['id']}", renamed)
    tabs[2].wait_for(tabs[2].send(BUSY), "busy")
    before, containers = server.sessions(), machine.containers()
    assert len(before) == 3 and set(containers) == set(ids)

    server.kill()
    assert machine.ask(lambda services: services.kernels.collect()) == 0, "they wait for a server"
    server.start()

    # The first request of all finds them: a browser never sees a server without its kernels.
    assert server.sessions() == before
    for id, state in zip(ids, ("idle", "idle", "busy"), strict=True):
        server.wait_for_state(id, state)
    assert {id: c.id for id, c in machine.containers().items()} == {
        id: c.id for id, c in containers.items()
    }
    tabs = [server.tab(id) for id in ids]
    assert tabs[0].run("print(x + 1)") == "42"
    assert tabs[1].run("print(y)") == "of the console"

    # The cell goes on, and its end is seen; the tab of a busy kernel need not wait for it.
    server.wait_for_state(ids[2], "busy")
    (machine.root / "go").touch()
    server.wait_for_state(ids[2], "idle")
    assert tabs[2].run("print(done)") == "finished"

    # It is a kernel as any other.
    endless = "import time\nopen('running', 'w').close()\nwhile True: time.sleep(0.05)"
    number = tabs[0].send(endless)
    # "busy" is told before the cell is entered, and a signal in between is lost.
    eventually(lambda: (machine.root / "project" / "running").exists())
    server.ask("POST", f"api/kernels/{ids[0]}/interrupt")
    assert tabs[0].wait_for(number) == "KeyboardInterrupt"
    server.ask("POST", f"api/kernels/{ids[0]}/restart")
    # A tab that was open may miss the first output: its subscription connects anew in 0.1 s.
    tabs[0].close()
    tabs[0] = server.tab(ids[0])
    assert tabs[0].run("x") == "NameError"
    code = "import os\nprint(os.getcwd(), os.environ['JPY_SESSION_NAME'])\nprint(dict(os.environ))"
    said, environment = tabs[0].run(code).split("\n")
    assert said == f"{machine.root}/project {machine.root}/project/renamed.ipynb"
    assert "hunter2" not in environment
    tabs[0].send("import os; os._exit(3)")
    tabs[0].wait_for_restart()
    # Until the kernel answers: what is sent while it is started may be too early for its output.
    tabs[0].close()
    tabs[0] = server.tab(ids[0])
    assert tabs[0].run("x") == "NameError"
    for id in ids:
        server.ask("DELETE", f"api/kernels/{id}")
        assert not machine.private(id).exists()
    assert machine.containers() == {} == machine.records()
    assert server.sessions() == []
    assert server.stop() == 0


@on_docker
def test_what_the_next_server_needs_stays_private(machine: Machine):
    server = machine.server()
    server.start()
    kernel_id = server.open_session("a.ipynb", machine.kernel)["kernel"]["id"]
    folder = machine.private(kernel_id)
    assert folder.stat().st_mode & 0o777 == 0o700
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.suffix == ".json")
    assert [file.name for file in files] == ["launch.json", "use.json"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    launch = json.loads(files[0].read_text())
    assert "hunter2" not in files[0].read_text() and len(launch["key"]) > 30
    assert set(launch["environment"]) <= {"JPY_SESSION_NAME", "TZ", "TERM", "COLORTERM"}

    import docker

    client = docker.from_env()
    try:
        container = client.containers.list(filters={"label": f"{LABEL_KERNEL}={kernel_id}"})[0]
        assert launch["key"] not in json.dumps(container.attrs)
        assert launch["key"] not in json.dumps(container.image.attrs)
        found = container.exec_run(["sh", "-c", "find / -name launch.json 2>/dev/null"])
        assert found.output == b"", "the container does not see it"
    finally:
        client.close()
    server.ask("DELETE", f"api/kernels/{kernel_id}")
    assert server.stop() == 0


@on_docker
def test_a_clean_stop_follows_the_setting(machine: Machine):
    server = machine.server()
    server.start(keep_kernels=True)
    session = server.open_session("a.ipynb", machine.kernel)
    # Without a session, as extensions start them.
    other = server.ask("POST", "api/kernels", {"name": machine.kernel})["id"]
    kernel_id = session["kernel"]["id"]
    assert server.tab(kernel_id).run("x = 1; print(x)") == "1"
    assert server.tab(other).run("y = 2; print(y)") == "2"
    before, active = server.sessions(), server.kernels()[kernel_id]["last_activity"]
    assert server.stop() == 0
    assert [c.running for c in machine.containers().values()] == [True, True]
    assert {record.pid for record in machine.records().values()} == {0}
    assert list((server.folder / "runtime").glob("kernel-*.json")) == []

    server.start()
    assert server.sessions() == before
    assert set(server.kernels()) == {kernel_id, other}
    assert server.kernels()[kernel_id]["last_activity"] == active
    assert server.tab(kernel_id).run("print(x)") == "1"
    assert server.tab(other).run("print(y)") == "2"

    # Off, as it is by default.
    assert server.stop() == 0
    assert machine.containers() == {} == machine.records()
    assert list(Path(machine.mlops["runtime_dir"]).iterdir()) == []
    server.start()
    assert server.kernels() == {} and server.sessions() == []
    assert server.stop() == 0


@on_docker
def test_what_does_not_run_any_more_is_cleaned_up(machine: Machine):
    server = machine.server()
    server.start()
    paths = ("removed.ipynb", "ended.ipynb", "alive.ipynb")
    sessions = [server.open_session(path, machine.kernel) for path in paths]
    removed, ended, alive = (session["kernel"]["id"] for session in sessions)
    code = indent(f"{BUSY}\nos._exit(3)", "    ")
    code = f"import threading\ndef end():\n{code}\nthreading.Thread(target=end).start()"
    assert server.tab(ended).run(code) == ""
    assert server.tab(alive).run("x = 1; print(x)") == "1"
    server.kill()

    container = machine.records()[removed].container

    async def take_away(services: Any) -> None:
        await (await services.engines.engine()).remove(container)

    machine.ask(take_away)
    (machine.root / "go").touch()

    async def runs(services: Any) -> bool:
        return bool((await services.kernels.get(ended)).alive)

    eventually(lambda: not machine.ask(runs))
    server.start()
    assert server.sessions() == [(sessions[2]["id"], paths[2], paths[2], "notebook", alive)]
    assert server.tab(alive).run("print(x)") == "1"
    assert set(machine.containers()) == set(machine.records()) == {alive}
    for id, reason in ((removed, "container has ended"), (ended, "exit code 3")):
        line = next(line for line in server.log.splitlines() if f"{id} could not be taken" in line)
        assert reason in line
        assert not machine.private(id).exists()
    assert server.stop() == 0


@on_docker
def test_a_kernel_without_a_server_is_listed_and_stopped(machine: Machine):
    server = machine.server()
    server.start()
    kernel_id = server.open_session("a.ipynb", machine.kernel)["kernel"]["id"]

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        traits = [f"--Mlops.{name}={value}" for name, value in machine.mlops.items()]
        call = [sys.executable, "-m", "jupyter_mlops.cli.main", "--json", *words, *traits]
        return subprocess.run(call, capture_output=True, text=True, timeout=60)

    refused = command("kernel", "stop", kernel_id)
    assert refused.returncode == 1 and "belongs to a process that runs" in refused.stderr
    server.kill()
    (found,) = json.loads(command("kernel", "list").stdout)
    assert found["id"] == kernel_id and found["alive"]
    assert command("kernel", "stop", kernel_id).returncode == 0
    assert machine.containers() == {} == machine.records()
    assert not machine.private(kernel_id).exists()
    assert command("kernel", "list").stdout.strip() == "[]"
    assert command("kernel", "stop", kernel_id).returncode == 1


@on_docker
def test_servers_do_not_take_each_others_kernels(machine: Machine):
    first, second = machine.server(), machine.server()
    first.start()
    ids = [first.open_session(f"{n}.ipynb", machine.kernel)["kernel"]["id"] for n in range(2)]
    # A trace of nobody, which a server removes once it has looked for kernels to take over.
    trace = replace(machine.records()[ids[0]], id="trace", container="none", pid=0, server="")
    machine.ask(lambda services: services.store.kernels.save(trace))
    second.start()
    eventually(lambda: "trace" not in machine.records())
    other = second.open_session("other.ipynb", machine.kernel)["kernel"]["id"]
    assert set(second.kernels()) == {other}
    first.kill()

    # One with other notebooks leaves them alone.
    (machine.folder / "elsewhere").mkdir()
    elsewhere = machine.server(machine.folder / "elsewhere")
    elsewhere.start()
    assert elsewhere.get("mlops/kernels") != [], "its services are there"
    assert elsewhere.kernels() == {}
    assert set(second.kernels()) == {other}
    assert set(machine.containers()) == {*ids, other}

    # Of two that start at once, each kernel has one.
    third = machine.server()
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda server: server.start(), (first, third)))
    held = [set(first.kernels()), set(third.kernels())]
    assert held[0] | held[1] == set(ids) and not held[0] & held[1]
    assert set(second.kernels()) == {other}
    for server in (first, third, elsewhere):
        assert server.stop() == 0
    assert set(machine.containers()) == {other}
    assert second.tab(other).run("print(1)") == "1"
    assert second.stop() == 0
    assert machine.containers() == {}
