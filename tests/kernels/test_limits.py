"""Limits and network of an environment are in force, as the kernel itself meets them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from jupyter_mlops.core.environment import Resources
from jupyter_mlops.core.errors import UnsupportedError
from jupyter_mlops.core.limits import Limits
from jupyter_mlops.kernels.notebooks import ContainerNotebooks
from jupyter_mlops.services.limits import KernelLimitChoices

from .conftest import MIB, Kernel, Place

LOOK = """
import glob, json, os
def read(*paths):
    for path in paths:
        if os.path.exists(path):
            return open(path).read().split()
v2 = "/sys/fs/cgroup/"
quota = read(v2 + "cpu.max") or (
    read(v2 + "cpu/cpu.cfs_quota_us") + read(v2 + "cpu/cpu.cfs_period_us"))
shm = os.statvfs("/dev/shm")
print(json.dumps({
    "memory": read(v2 + "memory.max", v2 + "memory/memory.limit_in_bytes"),
    "swap": read(v2 + "memory.swap.max", v2 + "memory/memory.memsw.limit_in_bytes"),
    "cpu": quota,
    "pids": read(v2 + "pids.max", v2 + "pids/pids.max"),
    "shm": shm.f_blocks * shm.f_frsize,
    "v2": os.path.exists(v2 + "cgroup.controllers"),
}))
"""

# Children that wait are started until one is refused; `bound` protects a machine without limits.
FORKS = """
import os, signal
children, bound = [], 400
refused = ""
try:
    while len(children) < bound:
        pid = os.fork()
        if pid == 0:
            signal.pause()
            os._exit(0)
        children.append(pid)
except BlockingIOError as error:
    refused = error.strerror
for pid in children:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
print(len(children), refused)
"""

# Two busy processes for three seconds of wall time: their share is what the limit leaves them.
BUSY = """
import os, time, subprocess, sys
spin = "import time\\nend = time.monotonic() + 3\\nwhile time.monotonic() < end: pass"
children = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(2)]
started = time.monotonic()
before = os.times()
for child in children: child.wait()
after = os.times()
used = after.children_user + after.children_system - before.children_user - before.children_system
print(used / (time.monotonic() - started))
"""


@pytest.fixture(
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        # Its image comes from Docker, where it was built.
        pytest.param("podman", marks=[pytest.mark.docker, pytest.mark.podman]),
    ]
)
def engine_name(request: pytest.FixtureRequest) -> str:
    return request.param


async def test_memory_processors_and_processes(place: Place):
    limits = Resources(cpus=0.5, memory=300 * MIB, pids=60, shm=32 * MIB)
    kernel = await place.started(resources=limits)
    found = json.loads(await kernel.value(LOOK))
    assert found["memory"] == [str(300 * MIB)]
    # Version 1 counts memory and swap together, version 2 swap alone: none in both.
    assert found["swap"] == ["0" if found["v2"] else str(300 * MIB)]
    quota, period = map(int, found["cpu"])
    assert quota / period == 0.5
    assert found["pids"] == ["60"]
    assert found["shm"] == 32 * MIB

    count, _, refused = (await kernel.value(FORKS)).partition(" ")
    assert refused == "Resource temporarily unavailable" and int(count) < 60
    # More than the limit would be two, or one on a machine with one processor.
    assert float(await kernel.value(BUSY)) < 0.7
    assert await kernel.value("print(1 + 1)") == "2"
    assert not place.events


async def test_nothing_is_limited_that_is_not_asked_for(place: Place):
    kernel = await place.started()
    found = json.loads(await kernel.value(LOOK))
    assert found["memory"] == ["max"] if found["v2"] else int(found["memory"][0]) >= 1 << 60
    assert found["cpu"][0] in ("max", "-1")
    # A runaway program must not take the machine with it.
    assert found["pids"] == [str(Resources().pids)]


@contextmanager
def listening() -> Iterator[tuple[str, int]]:
    """An address of this machine that containers may reach, and nobody else's."""
    # No packet is sent: it is how one asks for the address that leads out.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect(("192.0.2.1", 9))
        address = way.getsockname()[0]
    with socket.create_server((address, 0)) as server:
        yield address, server.getsockname()[1]


async def test_network(place: Place):
    with listening() as (address, port):
        code = (
            "import socket, os\n"
            f"try:\n    socket.create_connection(({address!r}, {port}), 10).close()\n"
            "    print('reached')\n"
            "except OSError as error:\n    print(error.strerror)\n"
            "print(sorted(os.listdir('/sys/class/net')))\n"
        )
        outbound = await place.started("out", network="outbound")
        assert (await outbound.value(code)).split("\n")[0] == "reached"
        cut_off = await place.started("cut", network="none")
        assert (await cut_off.value(code)).split("\n") == ["Network is unreachable", "['lo']"]


async def test_a_notebook_chooses_for_its_kernel_alone(place: Place):
    """Over its environment's limits, below the server's ceiling, for a container to come."""
    parts = place.parts
    ceiling = Limits(memory=600 * MIB, cpus=1.5)
    parts.settings = replace(parts.settings, max_resources=ceiling)
    choices = KernelLimitChoices(settings=parts.settings, store=parts.store, engines=parts.engines)
    notebook, other = place.workspace / "a.ipynb", place.workspace / "b.ipynb"
    await choices.save(notebook, Limits(memory=400 * MIB, network="none"))

    async def started(path: Path) -> Kernel:
        kernel = place.kernel(resources=Resources(memory=300 * MIB, pids=70))
        await kernel.start(place.workspace, env={"JPY_SESSION_NAME": str(path)})
        record = await parts.store.kernels.get(kernel.manager.kernel_id)
        assert record is not None and record.notebook == str(path)
        assert record.limits == kernel.provisioner.record.limits
        return kernel

    kernel = await started(notebook)
    found = json.loads(await kernel.value(LOOK))
    assert (found["memory"], found["pids"]) == ([str(400 * MIB)], ["70"])
    assert int(found["cpu"][0]) / int(found["cpu"][1]) == 1.5, "what nobody limits is lowered too"
    nets = "import os; print(os.listdir('/sys/class/net'))"
    assert await kernel.value(nets) == "['lo']"

    beside = await started(other)
    found = json.loads(await beside.value(LOOK))
    assert found["memory"] == [str(300 * MIB)] and "eth0" in await beside.value(nets)

    # A restart is in the same container: what is installed there must not go by itself.
    await choices.save(notebook, Limits(memory=500 * MIB))
    await kernel.manager.restart_kernel()
    await kernel.client.wait_for_ready(timeout=30)
    assert json.loads(await kernel.value(LOOK))["memory"] == [str(400 * MIB)]
    found = json.loads(await (await started(notebook)).value(LOOK))
    assert found["memory"] == [str(500 * MIB)] and found["pids"] == ["70"]


async def test_a_run_has_limits_of_its_own(place: Place):
    choices = KernelLimitChoices(
        settings=place.parts.settings, store=place.parts.store, engines=place.parts.engines
    )
    notebook = place.workspace / "a.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(LOOK)]), notebook)
    await choices.save(notebook, Limits(memory=400 * MIB, pids=90))
    place.install()
    await ContainerNotebooks(place.parts.settings, place.specs).run(
        notebook,
        kernel_name="mlops-tiny",
        output=notebook,
        timeout=60,
        allow_errors=False,
        on_cell=lambda index, total, seconds: None,
        extra={"limits": asdict(Limits(memory=200 * MIB))},
    )
    (output,) = nbformat.read(notebook, 4).cells[0].outputs
    found = json.loads(output.text)
    assert (found["memory"], found["pids"]) == ([str(200 * MIB)], ["90"])


async def test_a_graphics_processor_that_is_not_there(place: Place):
    """Before anything starts; this machine has none, and engines too old to give one."""
    with pytest.raises(UnsupportedError, match=r"1 graphics processor, and .* offers none"):
        await place.started(resources=Resources(gpus=1))
    assert await place.containers() == []
    assert await place.parts.store.kernels.list() == []
    choices = KernelLimitChoices(
        settings=place.parts.settings, store=place.parts.store, engines=place.parts.engines
    )
    with pytest.raises(UnsupportedError, match="offers none"):
        await choices.save(place.workspace / "a.ipynb", Limits(gpus=2))
