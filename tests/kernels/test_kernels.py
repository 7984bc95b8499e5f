"""What a kernel in a container must do, on each engine."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time

import pytest

from jupyter_mlops.core.environment import Resources
from jupyter_mlops.core.errors import KernelDeadError

from .conftest import MIB, Place


@pytest.fixture(
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        # Its image comes from Docker, where it was built.
        pytest.param("podman", marks=[pytest.mark.docker, pytest.mark.podman]),
    ]
)
def engine_name(request: pytest.FixtureRequest) -> str:
    return request.param


async def test_a_kernel_is_at_home_in_its_container(place: Place):
    kernel = await place.started(variables={"OMP_NUM_THREADS": "2"})
    found = json.loads(
        await kernel.value(
            "import getpass, json, os, sys\n"
            "print(json.dumps([os.getcwd(), sys.executable, getpass.getuser(),"
            " os.path.expanduser('~'), dict(os.environ), os.getpid()]))"
        )
    )
    cwd, python, user, home, environment, _ = found
    assert cwd == str(place.workspace)
    assert python == "/opt/env/bin/python"
    assert user and home == environment["HOME"] == "/run/mlops/home"
    assert environment["OMP_NUM_THREADS"] == "2"

    # What the server knows stays with the server.
    assert "hunter2" not in json.dumps(environment)
    assert not {"MY_SECRET_TOKEN", "JPY_PARENT_PID", "JUPYTER_TOKEN"} & set(environment)

    # And no variable of a process is in the container's configuration, which a freeze keeps.
    process = await kernel.value("print(open('/proc/1/environ').read())")
    for word in ("hunter2", "PIP_", "SSL_CERT_FILE", kernel.manager.session.key.decode()):
        assert word not in process

    # Subprocesses see the environment first, and their output arrives.
    assert await kernel.value("!command -v python") == "/opt/env/bin/python"
    code = (
        "import os, subprocess\nsubprocess.run(['echo', 'by child'])\nos.system('echo by shell');"
    )
    assert (await kernel.value(code)).split("\n") == ["by child", "by shell"]

    # Files are the server's own.
    await kernel.value("open('made', 'w').write('x')")
    assert (place.workspace / "made").stat().st_uid == os.getuid()

    # A child that nobody waits for does not stay as a zombie.
    await kernel.value("import subprocess\nsubprocess.run('sleep 0.1 & sleep 0.2 &', shell=True)")
    await asyncio.sleep(0.6)
    assert await kernel.value("!cat /proc/[0-9]*/stat | grep -c ') Z ' || true") == "0"

    record = await place.parts.store.kernels.get(kernel.manager.kernel_id)
    assert record is not None
    assert (record.project, record.workspace) == (cwd, cwd)
    assert [c.id for c in await place.containers()] == [record.container]

    folder = kernel.provisioner.endpoint.folder
    assert folder.stat().st_mode & 0o777 == 0o700
    await kernel.close()
    assert await place.containers() == []
    assert await place.parts.store.kernels.get(record.id) is None
    assert not folder.exists()
    assert not place.events


async def test_restart_is_in_place_and_keeps_what_was_installed(place: Place):
    kernel = await place.started()
    await kernel.value("%pip install --quiet toolz", timeout=120)
    before = json.loads(
        await kernel.value(
            "import toolz, os, socket\nvariable = 1\nopen('/var/tmp/mark', 'w').close()\n"
            "print('[%d, \"%s\"]' % (os.getpid(), socket.gethostname()))"
        )
    )
    await kernel.manager.restart_kernel()
    await kernel.client.wait_for_ready(timeout=60)
    after = json.loads(
        await kernel.value(
            "import toolz, os, socket\nopen('/var/tmp/mark').close()\n"
            "print('[%d, \"%s\"]' % (os.getpid(), socket.gethostname()))"
        )
    )
    assert before[0] != after[0] and before[1] == after[1]
    assert (await kernel.run("variable")).error.startswith("NameError")
    # Also when the kernel hangs so that it does not hear the request.
    kernel.client.execute(
        "import signal, time; signal.pthread_sigmask(0, range(1, 20))\nwhile True: time.sleep(1)"
    )
    await asyncio.sleep(0.5)
    await kernel.manager.restart_kernel(now=True)
    await kernel.client.wait_for_ready(timeout=60)
    assert await kernel.value("import toolz; print(1 + 1)") == "2"
    assert not place.events


async def test_interrupt(place: Place):
    kernel = await place.started()
    for code in ("import time\nwhile True: time.sleep(0.1)", "!sleep 60"):
        running = asyncio.ensure_future(kernel.run(code))
        await asyncio.sleep(0.7)
        started = time.monotonic()
        await kernel.manager.interrupt_kernel()
        outcome = await asyncio.wait_for(running, 5)
        assert time.monotonic() - started < 2
        assert "sleep 60" in code or outcome.error.startswith("KeyboardInterrupt")
    # By signal, as kernels without interrupt messages need it.
    running = asyncio.ensure_future(kernel.run("while True: time.sleep(0.1)"))
    await asyncio.sleep(0.5)
    await kernel.manager.signal_kernel(signal.SIGINT)
    assert (await asyncio.wait_for(running, 5)).error.startswith("KeyboardInterrupt")
    assert await kernel.value("print(1 + 1)") == "2"


async def test_out_of_memory_of_the_kernel_and_of_its_child(place: Place):
    kernel = await place.started(resources=Resources(memory=256 * MIB))
    child = "[sys.executable, '-c', 'bytearray(10**9)']"
    code = f"import subprocess, sys\nsubprocess.run({child}).returncode"
    assert await kernel.value(code) == "-9"
    event = await place.event()
    assert event.reason == "child_out_of_memory"
    assert "256 MiB" in event.message and "kernel itself still runs" in event.message

    kernel.client.execute("x = bytearray(10**9)")
    event = await place.event()
    assert event.reason == "out_of_memory"
    assert event.limit == 256 * MIB and "256 MiB" in event.message and event.hint
    # The container lived on, and the restarter brings the kernel back in it.
    await kernel.back()
    assert await kernel.value("print(1 + 1)") == "2"
    assert not place.events


async def test_a_crash_is_told_and_the_kernel_comes_back(place: Place):
    kernel = await place.started()
    await kernel.value("%pip install --quiet toolz", timeout=120)
    kernel.client.execute("import os; os._exit(7)")
    event = await place.event()
    assert event.reason == "crashed" and "exit code 7" in event.message
    assert await kernel.provisioner.poll() == 7
    assert kernel.provisioner.has_process, "until wait, or the automatic restart is lost"
    await kernel.back()
    assert await kernel.value("import toolz; print(1 + 1)") == "2"

    kernel.client.execute("import ctypes; ctypes.string_at(0)")
    assert "segmentation fault" in (await place.event()).message
    await kernel.back()


async def test_a_container_that_goes_away_is_told_and_replaced(place: Place):
    kernel = await place.started()
    engine = await place.parts.engines.engine()
    await engine.remove(kernel.provisioner.record.container)
    event = await place.event()
    assert event.reason == "engine_gone" and "container" in event.message
    # The same kernel id, the same sockets, a new container.
    await kernel.back()
    assert await kernel.value("print(1 + 1)") == "2"
    assert len(await place.containers()) == 1
    await kernel.close()
    assert await place.containers() == []


async def test_input_is_asked(place: Place):
    kernel = await place.started()
    outcome = await kernel.run(
        "name = input('who? '); print('hello', name)",
        allow_stdin=True,
        stdin_hook=lambda _message: kernel.client.input("Ada"),
    )
    assert outcome.text.endswith("hello Ada")


async def test_without_network(place: Place):
    kernel = await place.started(network="none")
    code = (
        "import socket\n"
        "try:\n    socket.create_connection(('192.0.2.1', 80), 3)\nexcept OSError as e:\n"
        "    print(e.strerror)\n"
        "print(socket.gethostbyname(socket.gethostname()))"
    )
    first, own = (await kernel.value(code)).split("\n")
    assert first == "Network is unreachable"
    assert own == "127.0.0.1"
    environment = await kernel.value("import os; print(sorted(os.environ))")
    assert "SSL_CERT_FILE" not in environment and "PIP_INDEX_URL" not in environment


async def test_the_debugger_answers(place: Place):
    kernel = await place.started()
    message = kernel.client.session.msg(
        "debug_request",
        {
            "type": "request",
            "seq": 1,
            "command": "initialize",
            "arguments": {"clientID": "test", "adapterID": "", "pathFormat": "path"},
        },
    )
    kernel.client.control_channel.send(message)
    reply = await kernel.client.control_channel.get_msg(timeout=30)
    assert reply["content"]["success"], reply["content"]


async def test_a_kernel_that_cannot_start_says_why_and_leaves_nothing(
    place: Place, caplog: pytest.LogCaptureFixture
):
    kernel = place.kernel()
    spec = kernel.manager.kernel_spec
    assert spec is not None
    spec.argv = ["/opt/env/bin/pythom", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    with pytest.raises(KernelDeadError, match="cannot run /opt/env/bin/pythom: No such file"):
        await kernel.manager.start_kernel(cwd=str(place.workspace))
    assert "Container of kernel" in caplog.text
    assert await place.containers() == []
    assert await place.parts.store.kernels.list() == []
