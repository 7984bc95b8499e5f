"""A Debian mirror that asks for a password: real apt takes it, and the password is nowhere."""

from __future__ import annotations

import base64
import json
import re
import ssl
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import ClassVar

import httpx
import pytest
from traitlets.config import Config

from jupyter_mlops.config import Mlops
from jupyter_mlops.core.container_network import apt_account, secrets_of
from jupyter_mlops.core.errors import BuildFailedError
from jupyter_mlops.core.settings import NetworkSettings
from jupyter_mlops.engines.debian import Debian
from jupyter_mlops.engines.debian_sources import mirrors
from tests.parts.engines import ensure
from tests.parts.searching import files_with
from tests.parts.services import Recorder, Tiny, make_config, open_services, tiny_spec

from .test_build import nothing_is_left
from .test_index import output, said

USER, PASSWORD = "alice", "s3cr3t@of-the-mirror"
ACCOUNT = "alice:s3cr3t%40of-the-mirror"
FORMS = (b"s3cr3t", base64.b64encode(f"{USER}:{PASSWORD}".encode())[:-4])
"""How it could be written anywhere."""


class Mirror(BaseHTTPRequestHandler):
    """Passes on what the machine's own mirror has, to who knows the password."""

    client: httpx.Client
    upstreams: ClassVar[dict[str, str]] = {}
    fetched: ClassVar[list[str]] = []
    refused = 0

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            type(self).refused += 1
            self.answer(401, b"who are you?")
            return
        root, _, rest = self.path.removeprefix("/").partition("/")
        found = self.client.get(f"{self.upstreams[root]}/{rest}")
        if found.status_code == 200:
            self.fetched.append(self.path)
        self.answer(found.status_code, found.content)

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="mirror"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[str]:
    """``host:port`` of the mirror, as containers and this machine reach it."""
    own = Mlops()
    found = mirrors("")
    Mirror.upstreams.update({"debian": found.main, "debian-security": found.security})
    context = ssl.create_default_context(cafile=own.ca_bundle or None)
    Mirror.client = httpx.Client(verify=context, follow_redirects=True, timeout=120)
    Mirror.fetched.clear()
    Mirror.refused = 0
    server = ThreadingHTTPServer(("0.0.0.0", 0), Mirror)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (network,) = json.loads(output("docker", "network", "inspect", "bridge"))
    subnet = ip_network(network["IPAM"]["Config"][0]["Subnet"])
    yield f"{subnet[1]}:{server.server_port}"
    server.shutdown()
    server.server_close()
    Mirror.client.close()


def with_mirror(config: Config, url: str) -> Config:
    changed = Config(config)
    changed.Mlops = Config({**config.Mlops, "apt_mirror": url})
    return changed


def test_what_apt_is_told():
    network = NetworkSettings(apt_mirror=f"https://{ACCOUNT}@mirror.example:8443/debian")
    assert apt_account(network) == (
        f"machine https://mirror.example:8443/ login alice password {PASSWORD}\n"
    )
    assert set(secrets_of(network)) == {ACCOUNT, ACCOUNT.partition(":")[2], PASSWORD}
    assert apt_account(NetworkSettings(apt_mirror="http://mirror.example/debian")) == ""


@pytest.mark.docker
async def test_password_of_the_mirror_is_nowhere(
    services_config: Config, tiny_environment: Tiny, mirror: str
):
    config = with_mirror(services_config, f"http://{ACCOUNT}@{mirror}/debian/")
    services = open_services(config)
    try:
        recorder = Recorder()
        spec = tiny_spec(
            services,
            name="mirrored",
            apt=("sl",),
            # Neither the setup script nor what stays in the image knows the mirror.
            setup="env | sort\ncat /etc/apt/sources.list /etc/apt/apt.conf.d/* || true\n",
        )
        started = int(time.time())
        revision = await services.environments.build(spec, recorder)
        assert "sl" in (await services.environments.inventory(revision)).of("deb")
        # apt asked this mirror alone, for security updates too.
        assert [f for f in Mirror.fetched if "/sl_" in f or f.endswith("InRelease")]
        assert any(f.startswith("/debian-security/") for f in Mirror.fetched)
        asked = re.findall(r"^(?:Get|Hit|Ign|Err):\d+ (\S+)", recorder.text, re.M)
        assert asked and {url.split("/")[2] for url in asked} == {mirror}
        until = str(int(time.time()) + 1)
        for command in (
            ["image", "inspect", revision.image],
            ["history", "--no-trunc", revision.image],
            ["events", "--since", str(started), "--until", until],
            ["save", revision.image],
        ):
            found = await said(services, *command)
            assert found or command[0] == "events", command
            assert not [form for form in FORMS if form in found], command
            if command[0] != "events":
                assert mirror.encode() not in found, command
        assert "s3cr3t" not in recorder.text + " ".join(recorder.messages)
        for form in FORMS:
            assert not files_with(Path(config.Mlops.data_dir), form)
        volume = "jupyter-mlops-cache:/cache:ro"
        kept = ["run", "--rm", "-v", volume, revision.image, "sh", "-c"]
        search = "grep -rlF s3cr3t /cache/apt || true"
        assert (await said(services, *kept, search)).split() == []
        await services.environments.delete("mirrored")
    finally:
        await services.close()


@pytest.mark.docker
async def test_mirror_refuses(services_config: Config, tiny_environment: Tiny, mirror: str):
    services = open_services(with_mirror(services_config, f"http://alice:wr0ng@{mirror}/debian"))
    try:
        recorder = Recorder()
        with pytest.raises(BuildFailedError, match="step apt: the distribution's mirror") as caught:
            await services.environments.build(
                tiny_spec(services, name="refused", apt=("sl",)), recorder
            )
        assert "refused the request" in caught.value.message
        assert "Mlops.apt_mirror" in caught.value.hint
        assert "wr0ng" not in str(caught.value) + recorder.text
        await nothing_is_left(services, "refused")
        await services.environments.delete("refused")
    finally:
        await services.close()


@pytest.mark.docker
async def test_a_base_image_from_the_mirror(mirror: str, tmp_path: Path):
    ensure("ensure_apt", "mmdebstrap")
    config = make_config(tmp_path / "data", tmp_path, "docker")
    settings = Mlops(config=with_mirror(config, f"http://{ACCOUNT}@{mirror}/debian")).settings()
    recorder = Recorder()
    archive = tmp_path / "base.tar"
    await Debian(settings).make("bookworm", (), archive, recorder)
    assert f"deb http://{mirror}/debian bookworm main" in sources_of(archive)
    content = archive.read_bytes()
    assert not [form for form in FORMS if form in content]
    assert b"base.tar.auth" not in content
    assert "s3cr3t" not in recorder.text
    # Neither a half-made archive nor the file with the password is left.
    assert list(tmp_path.glob("*.tar*")) == [archive]  # noqa: ASYNC240
    refused = Mlops(config=with_mirror(config, f"http://alice:no@{mirror}/debian")).settings()
    with pytest.raises(BuildFailedError, match="refused the request") as caught:
        await Debian(refused).make("bookworm", (), archive, Recorder())
    assert "Mlops.apt_mirror" in caught.value.hint


def sources_of(archive: Path) -> str:
    with tarfile.open(archive) as tar:
        member = tar.extractfile("./etc/apt/sources.list")
        assert member is not None
        return member.read().decode()
