"""A package index that asks for a password: it works, and the password is nowhere."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from traitlets.config import Config

from jupyter_mlops.config import Mlops
from jupyter_mlops.core.container_network import secrets_of, without_credentials
from jupyter_mlops.core.errors import BuildFailedError
from jupyter_mlops.core.settings import NetworkSettings
from jupyter_mlops.wiring import Services
from tests.parts.searching import files_with
from tests.parts.services import Recorder, Tiny, open_services, tiny_spec

from .test_build import nothing_is_left

USER, PASSWORD = "alice", "s3cr3t-of-the-index"


class Front(BaseHTTPRequestHandler):
    """Asks for the password, then answers with what this machine's own index says; its files
    are made to come from here too."""

    upstream = ""
    client: httpx.Client
    refused = 0
    files: ClassVar[list[str]] = []
    """That were fetched. Nobody may keep them: many in-house indexes say so."""

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            type(self).refused += 1
            self.answer(401, b"who are you?", [("WWW-Authenticate", "Basic")])
            return
        if self.path.startswith("/files/"):
            scheme, _, rest = self.path.removeprefix("/files/").partition("/")
            self.files.append(rest.rpartition("/")[2])
            found = self.client.get(f"{scheme}://{rest}")
            self.answer(found.status_code, found.content, [])
            return
        found = self.client.get(
            self.upstream + self.path.removeprefix("/simple"), headers={"Accept": "text/html"}
        )
        page = re.sub(
            r'href="(https?)://([^"#]+)',
            r'href="/files/\1/\2',
            found.text,
        )
        self.answer(found.status_code, page.encode(), [("Content-Type", "text/html")])

    def answer(self, status: int, body: bytes, headers: list[tuple[str, str]]) -> None:
        self.send_response(status)
        headers = [*headers, ("Cache-Control", "no-store")]
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


def serve() -> Iterator[str]:
    """``host:port`` of the index, as containers reach it."""
    own = Mlops()
    Front.upstream = (own.index_url or "https://pypi.org/simple").rstrip("/")
    Front.client = httpx.Client(
        verify=ssl.create_default_context(cafile=own.ca_bundle or None),
        follow_redirects=True,
        timeout=60,
    )
    Front.refused = 0
    Front.files.clear()
    server = ThreadingHTTPServer(("0.0.0.0", 0), Front)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    (network,) = json.loads(output("docker", "network", "inspect", "bridge"))
    subnet = ip_network(network["IPAM"]["Config"][0]["Subnet"])
    yield f"{subnet[1]}:{server.server_port}"
    server.shutdown()
    server.server_close()
    Front.client.close()


@pytest.fixture
def index() -> Iterator[str]:
    yield from serve()


def with_index(config: Config, url: str) -> Config:
    changed = Config(config)
    changed.Mlops = Config({**config.Mlops, "index_url": url, "extra_index_urls": []})
    return changed


def output(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout


async def said(services: Services, *command: str) -> bytes:
    """What Docker's client says of the engine, which may be Podman: it speaks Docker's API."""
    engine: Any = await services.engines.engine()
    return await asyncio.to_thread(output, "docker", "-H", engine.connection.url, *command)


@pytest.mark.docker
async def test_password_of_the_index_is_nowhere(
    services_config: Config, tiny_environment: Tiny, index: str
):
    config = with_index(services_config, f"http://{USER}:{PASSWORD}@{index}/simple")
    services = open_services(config)
    try:
        recorder = Recorder()
        setup = 'test -n "$PIP_INDEX_URL"\necho "the index is $PIP_INDEX_URL"\npip install six\n'
        spec = tiny_spec(services, name="private", python=("humanize==4.9.0",), setup=setup)
        started = int(time.time())
        revision = await services.environments.build(spec, recorder)
        lock = await services.environments.lock(revision)
        # The lock names the index, and its hashes are those of this build.
        assert index in lock and "humanize" in lock
        assert f"the index is http://****@{index}/simple" in recorder.text
        assert "six" in (await services.environments.inventory(revision)).of("pypi")
        until = str(int(time.time()) + 1)
        secret = PASSWORD.encode()
        for command in (
            ["image", "inspect", revision.image],
            ["history", "--no-trunc", revision.image],
            ["events", "--since", str(started), "--until", until],
            ["save", revision.image],
        ):
            found = await said(services, *command)
            # Podman may have kept none: of all its commands, two processes use one store.
            assert found or command[0] == "events", command
            assert secret not in found, command
        assert PASSWORD not in lock + recorder.text + " ".join(recorder.messages)
        assert not files_with(Path(config.Mlops.data_dir), secret)
        await services.environments.delete("private")
    finally:
        await services.close()


@pytest.mark.docker
async def test_each_file_is_fetched_once(
    services_config: Config, tiny_environment: Tiny, index: str
):
    services = open_services(
        with_index(services_config, f"http://{USER}:{PASSWORD}@{index}/simple")
    )
    try:
        spec = tiny_spec(services, name="once", python=("humanize",))
        await services.environments.build(spec, Recorder())
        wheels = [name for name in Front.files if name.endswith(".whl")]
        assert [name for name in wheels if name.startswith("humanize")]
        spec = tiny_spec(services, name="twice", python=("humanize", "six"))
        await services.environments.build(spec, Recorder())
        again = [name for name in Front.files if name.endswith(".whl")][len(wheels) :]
        assert {name.partition("-")[0] for name in again} == {"six"}
        for name in ("once", "twice"):
            await services.environments.delete(name)
    finally:
        await services.close()


@pytest.mark.docker
@pytest.mark.parametrize("account", [f"{USER}:wrong-password", ""])
async def test_index_refuses(
    services_config: Config, tiny_environment: Tiny, index: str, account: str
):
    at = f"{account}@" if account else ""
    services = open_services(with_index(services_config, f"http://{at}{index}/simple"))
    try:
        recorder = Recorder()
        spec = tiny_spec(services, name="refused", python=("humanize==4.8.0",))
        with pytest.raises(BuildFailedError, match=f"{index} refused") as caught:
            await services.environments.build(spec, recorder)
        assert "index_url" in caught.value.hint
        assert "wrong-password" not in str(caught.value) + recorder.text
        await nothing_is_left(services, "refused")
        await services.environments.delete("refused")
    finally:
        await services.close()


@pytest.mark.docker
async def test_index_does_not_answer(services_config: Config, tiny_environment: Tiny):
    services = open_services(with_index(services_config, "http://127.0.0.1:9/simple"))
    try:
        spec = tiny_spec(services, name="silent", python=("humanize==4.8.0",))
        with pytest.raises(BuildFailedError, match=r"127\.0\.0\.1:9 does not answer"):
            await services.environments.build(spec, Recorder())
        await services.environments.delete("silent")
    finally:
        await services.close()


def test_what_is_secret():
    network = NetworkSettings(
        index_url="https://alice:open-sesame@index.example/simple",
        extra_index_urls=("https://token1234@other.example/simple", "https://free.example/simple"),
        proxies={"http_proxy": "http://proxy:3128"},
    )
    assert secrets_of(network) == ["alice:open-sesame", "open-sesame", "token1234"]
    assert without_credentials(network.index_url) == "https://index.example/simple"
