"""Warm containers: made by real servers, taken by their kernels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.environment import Environment, EnvironmentSpec
from jupyter_mlops.core.kernel import KernelRecord
from jupyter_mlops.core.limits import Limits
from jupyter_mlops.kernels.specs import KernelSpecFolder
from tests.parts.jupyter_process import JupyterProcess

from .conftest import install
from .machine import Machine, eventually

on_docker = pytest.mark.parametrize(
    "engine_name", [pytest.param("docker", marks=pytest.mark.docker)]
)

WHO = "import os\nprint(os.getcwd(), os.environ['JPY_SESSION_NAME'])"


def know(machine: Machine, name: str, active: int = 1) -> None:
    """Only environments that exist are kept warm; the kernel spec alone is not one."""
    spec = EnvironmentSpec(name=name, base="debian")
    environment = Environment(
        name, "tests", spec, "2026-01-01T00:00:00+00:00", active=active, latest=active
    )
    machine.ask(lambda services: services.store.environments.save(environment))


@pytest.fixture
def server(machine: Machine) -> JupyterProcess:
    know(machine, "tiny")
    server = machine.server()
    server.start(warm_kernels=1)
    return server


def warm(machine: Machine) -> list[KernelRecord]:
    """Those that are ready."""
    return [r for r in machine.records().values() if r.warm not in ("", "begun")]


def start(server: JupyterProcess, path: str, kernel: str) -> str:
    kernel_id: str = server.open_session(path, kernel)["kernel"]["id"]
    return kernel_id


def container_of(machine: Machine, kernel_id: str) -> str:
    return machine.records()[kernel_id].container


def one(machine: Machine, server: JupyterProcess) -> KernelRecord:
    """The warm container that a first kernel has as its consequence; that kernel has ended."""
    first = start(server, "first.ipynb", machine.kernel)
    eventually(lambda: len(warm(machine)) == 1)
    server.ask("DELETE", f"api/kernels/{first}")
    return warm(machine)[0]


def test_the_next_kernel_takes_it(machine: Machine, server: JupyterProcess):
    found = one(machine, server)
    (machine.root / "sub").mkdir()
    kernel_id = start(server, "sub/b.ipynb", machine.kernel)
    assert container_of(machine, kernel_id) == found.container
    assert found.id not in machine.records() and not machine.private(found.id).exists()
    tab = server.tab(kernel_id)
    folder = machine.root / "sub"
    assert tab.run(WHO) == f"{folder} {folder}/b.ipynb"
    tab.run("x = 41")

    # Another one comes, and the kernel is one as any other: it outlives its server, too.
    eventually(lambda: [r.container for r in warm(machine)] not in ([], [found.container]))
    (other,) = warm(machine)
    tab.close()
    server.kill()
    server.start(warm_kernels=1)
    tab = server.tab(kernel_id)
    assert tab.run("print(x + 1)") == "42"
    # What the killed server kept warm is nobody's; the next one makes its own, for the same.
    eventually(lambda: other.id not in machine.records())
    server.ask("DELETE", f"api/kernels/{kernel_id}")
    eventually(lambda: [r.warm for r in warm(machine)] == [other.warm])
    assert server.stop() == 0
    assert machine.containers() == {} == machine.records()
    assert [f for f in Path(machine.mlops["runtime_dir"]).iterdir() if f.name != "podman"] == []


@on_docker
def test_of_two_servers_one_takes_it(machine: Machine, server: JupyterProcess):
    other = machine.server(machine.root)
    other.start(warm_kernels=0)
    found = one(machine, server)
    with ThreadPoolExecutor() as threads:
        started = list(
            threads.map(
                lambda who: start(who[0], who[1], machine.kernel),
                [(server, "a.ipynb"), (other, "b.ipynb"), (server, "c.ipynb"), (other, "d.ipynb")],
            )
        )
    containers = [container_of(machine, kernel_id) for kernel_id in started]
    assert len(set(containers)) == 4 and containers.count(found.container) == 1
    for kernel_id, who in zip(started, (server, other, server, other), strict=True):
        assert who.tab(kernel_id).run("print(6 * 7)") == "42"


@on_docker
def test_who_wants_another_one_does_not_take_it(machine: Machine, server: JupyterProcess):
    found = one(machine, server)
    limited = machine.root / "limited.ipynb"
    limited.touch()
    for limits in (Limits(memory=300 * 1024**2), Limits(network="none")):
        machine.ask(lambda services, limits=limits: services.limits.save(limited, limits))
        kernel_id = start(server, "limited.ipynb", machine.kernel)
        assert container_of(machine, kernel_id) != found.container
        server.ask("DELETE", f"api/kernels/{kernel_id}")
    stranger = machine.server()
    stranger.mlops = {**machine.mlops, "owner": "somebody-else"}
    stranger.start(warm_kernels=0)
    kernel_id = start(stranger, "a.ipynb", machine.kernel)
    assert container_of(machine, kernel_id) != found.container
    stranger.ask("DELETE", f"api/kernels/{kernel_id}")


@on_docker
def test_one_that_died_is_not_taken(machine: Machine, server: JupyterProcess):
    found = one(machine, server)

    async def remove(services: Any) -> None:
        await (await services.engines.engine()).remove(found.container)

    machine.ask(remove)
    kernel_id = start(server, "a.ipynb", machine.kernel)
    assert container_of(machine, kernel_id) != found.container
    assert server.tab(kernel_id).run("print(6 * 7)") == "42"
    assert found.id not in machine.records() and not machine.private(found.id).exists()


@on_docker
def test_the_environment_used_last_is_kept_warm(machine: Machine, server: JupyterProcess):
    one(machine, server)
    specs = KernelSpecFolder(machine.folder / "data" / "kernels")
    other = install(specs, machine.records().popitem()[1].image, "other")
    know(machine, "other")
    kernel_id = start(server, "a.ipynb", other)
    eventually(lambda: [r.environment for r in warm(machine)] == ["other"])
    server.ask("DELETE", f"api/kernels/{kernel_id}")
    # Nor does it keep anybody from deleting its environment.
    machine.ask(lambda services: services.environments.delete("other"))
    assert machine.containers() == {}


@on_docker
def test_no_more_memory_than_allowed(machine: Machine):
    know(machine, "tiny")
    server = machine.server()
    server.start(warm_kernels=1, warm_memory=1024**2)
    start(server, "a.ipynb", machine.kernel)
    eventually(lambda: "Mlops.warm_memory" in server.log)
    eventually(lambda: len(machine.containers()) == 1)


@on_docker
def test_none_is_kept_for_a_revision_that_is_not_active(machine: Machine):
    know(machine, "tiny", active=2)
    know(machine, "other")
    specs = KernelSpecFolder(machine.folder / "data" / "kernels")
    server = machine.server()
    server.start(warm_kernels=2)
    old = start(server, "a.ipynb", machine.kernel)
    image = machine.records()[old].image
    start(server, "b.ipynb", install(specs, image, "other"))
    eventually(lambda: [r.environment for r in warm(machine)] == ["other"])
