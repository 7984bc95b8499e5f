"""Kernels reached over TCP, as where Unix sockets do not leave containers; forced here."""

from __future__ import annotations

import asyncio
import json
import logging

import docker
import pytest
import zmq
from traitlets.config import Config

from .conftest import Place
from .machine import Machine, eventually
from .test_pool import know, warm

on_docker = pytest.mark.parametrize(
    "engine_name", [pytest.param("docker", marks=pytest.mark.docker)]
)


@pytest.fixture
def config(config: Config) -> Config:
    config.Mlops.kernel_transport = "tcp"
    return config


async def test_a_kernel_over_tcp_is_the_kernel(place: Place):
    kernel = await place.started()
    info = kernel.manager.get_connection_info()
    assert (info["transport"], info["ip"]) == ("tcp", "127.0.0.1")
    assert info["curve_publickey"] == kernel.client.curve_publickey.decode()

    assert await kernel.value("print(6 * 7)") == "42"
    running = asyncio.ensure_future(kernel.run("while True: __import__('time').sleep(0.1)"))
    await asyncio.sleep(0.5)
    await kernel.manager.interrupt_kernel()
    assert (await asyncio.wait_for(running, 5)).error.startswith("KeyboardInterrupt")
    assert await kernel.value("x = 1; print(len('a' * 2_000_000))") == "2000000"

    await kernel.manager.restart_kernel()
    assert await kernel.value("print('x' in globals())") == "False"
    assert kernel.manager.get_connection_info() == info

    kernel.client.execute("import os; os._exit(3)")
    assert "exit" in (await place.event()).message
    await kernel.back()
    assert await kernel.value("print(2)") == "2"

    # The same ports and the same key for a container that had to be made anew.
    engine = await place.parts.engines.engine()
    await engine.remove(kernel.provisioner.record.container)
    assert (await place.event()).reason == "engine_gone"
    await kernel.back()
    assert await kernel.value("print(3)") == "3"
    assert kernel.manager.get_connection_info() == info


async def test_who_has_no_key_hears_nothing(place: Place):
    kernel = await place.started()
    info = kernel.manager.get_connection_info()
    address = f"tcp://127.0.0.1:{info['iopub_port']}"
    with (
        zmq.Context() as context,
        context.socket(zmq.SUB) as plain,
        context.socket(zmq.SUB) as other,
    ):
        plain.subscribe(b"")
        plain.connect(address)
        # Keys of his own do not help, nor does asking for the right server with a wrong one.
        other.curve_publickey, other.curve_secretkey = zmq.curve_keypair()
        other.curve_serverkey = zmq.curve_keypair()[0]
        other.subscribe(b"")
        other.connect(address)
        for _ in range(3):
            assert await kernel.value("print('for the user alone')") == "for the user alone"
            assert not plain.poll(300) and not other.poll(0)

    # Nor is there anything for him in what the engine tells.
    engine = await place.parts.engines.engine()
    token = (kernel.provisioner.endpoint.folder / "k" / "token").read_text()
    described = json.dumps(await inspected(place, kernel.provisioner.record.container))
    for secret in (token, info["key"].decode(), info["curve_publickey"], info["curve_secretkey"]):
        assert len(secret) > 30 and secret not in described
    ports = await engine.inspect(kernel.provisioner.record.container)
    assert len(set(ports.ports.values())) == 6
    assert '"HostIp": "0.0.0.0"' not in described


async def inspected(place: Place, container: str) -> dict:
    engine = await place.parts.engines.engine()
    return await engine.connection.call(lambda client: client.inspect_container(container))


async def test_without_network_it_cannot_be_reached(place: Place):
    kernel = place.kernel(network="none")
    with pytest.raises(Exception, match="without network cannot be reached") as raised:
        await kernel.start(place.workspace)
    assert "outbound network" in str(raised.value)
    assert await place.containers() == []
    assert await place.parts.store.kernels.list() == []


@on_docker
async def test_a_kernel_that_cannot_encrypt_runs_and_says_so(
    place: Place, caplog: pytest.LogCaptureFixture
):
    client = docker.from_env()
    # What an ipykernel before 7.3 does with keys: nothing.
    older = (
        "cd /opt/env/lib/python3*/site-packages && mv ipykernel-*.dist-info "
        "ipykernel-7.2.0.dist-info && "
        "sed -i 's/^Version: .*/Version: 7.2.0/' ipykernel-7.2.0.dist-info/METADATA"
    )
    made = client.containers.run(place.image, ["sh", "-c", older], detach=True, user="root")
    made.wait()
    image = made.commit()
    made.remove()
    try:
        place.image = image.id
        with caplog.at_level(logging.WARNING):
            kernel = await place.started()
        assert "not encrypted" in caplog.text and "ipykernel 7.3" in caplog.text
        assert await kernel.value("print(1)") == "1"
        assert "curve_publickey" not in kernel.manager.get_connection_info()
        await kernel.close()
    finally:
        client.images.remove(image.id, force=True)
        client.close()


@on_docker
def test_a_server_finds_its_kernels_and_warm_containers(machine: Machine):
    machine.mlops["kernel_transport"] = "tcp"
    know(machine, "tiny")
    server = machine.server()
    server.start(warm_kernels=1)
    first = server.open_session("a.ipynb", machine.kernel)["kernel"]["id"]
    tab = server.tab(first)
    assert tab.run("x = 41; print('set')") == "set"
    eventually(lambda: len(warm(machine)) == 1)
    container = warm(machine)[0].container
    second = server.open_session("b.ipynb", machine.kernel)["kernel"]["id"]
    assert machine.records()[second].container == container
    assert server.tab(second).run("y = 1; print('taken')") == "taken"

    tab.close()
    server.kill()
    server.start(warm_kernels=0)
    assert set(server.kernels()) == {first, second}
    assert server.tab(first).run("print(x + 1)") == "42"
    server.ask("POST", f"api/kernels/{second}/restart")
    assert server.tab(second).run("print('y' in globals())") == "False"
    usage = server.get(f"mlops/kernels/{first}")
    assert usage["alive"] and usage["memory"] > 0
    for kernel in (first, second):
        server.ask("DELETE", f"api/kernels/{kernel}")
    assert server.stop() == 0
