"""Where engines are looked for, and what is said when there is none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from jupyter_mlops.core.errors import EngineUnavailableError, InvalidError
from jupyter_mlops.core.ports import Engine
from jupyter_mlops.engines import discovery, failures, install_hints
from jupyter_mlops.engines.discovery import EngineDiscovery
from jupyter_mlops.engines.docker import DockerEngine
from jupyter_mlops.engines.podman import PodmanEngine
from tests.parts.engines import settings


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which nothing listens and nothing is installed."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setattr(discovery, "_sockets", lambda _name: iter(()))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


async def test_nothing_is_there(bare: Path) -> None:
    for wanted in ("auto", "docker", "podman"):
        with pytest.raises(EngineUnavailableError) as raised:
            await EngineDiscovery(settings(bare, bare, engine=wanted)).engine()
        assert raised.value.message.count(".") == 1, "one sentence"
        assert raised.value.hint.startswith("Install one: `")
    with pytest.raises(InvalidError):
        await EngineDiscovery(settings(bare, bare, engine="lxc")).engine()
    with pytest.raises(EngineUnavailableError, match=r"nowhere\.sock"):
        await EngineDiscovery(
            settings(bare, bare, engine_url=f"unix://{bare}/nowhere.sock")
        ).engine()
    with pytest.raises(InvalidError, match="no folder"):
        await EngineDiscovery(settings(bare, bare, engine_url="podman://")).engine()


@pytest.mark.docker
async def test_dockers_socket(docker_engine: Engine, tmp_path: Path) -> None:
    finder = EngineDiscovery(settings(tmp_path, tmp_path))
    engine = await finder.engine()
    assert isinstance(engine, DockerEngine)
    assert (await engine.info()).name == "docker"
    await finder.close()


@pytest.mark.podman
async def test_who_answers_decides_not_where(
    bare: Path, podman_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = (await podman_engine.info()).socket
    monkeypatch.setenv("DOCKER_HOST", url)
    finder = EngineDiscovery(settings(bare, bare))
    engine = await finder.engine()
    assert isinstance(engine, PodmanEngine) and engine.service is None
    await finder.close()
    assert (await podman_engine.info()).name == "podman", "not ours to end"
    with pytest.raises(EngineUnavailableError, match="Podman answers at"):
        await EngineDiscovery(settings(bare, bare, engine="docker", engine_url=url)).engine()


@pytest.mark.docker
async def test_dockers_context(bare: Path, docker_engine: Engine) -> None:
    url = (await docker_engine.info()).socket
    name = hashlib.sha256(b"lab").hexdigest()
    meta = bare / "docker/contexts/meta" / name
    meta.mkdir(parents=True)
    (bare / "docker/config.json").write_text(json.dumps({"currentContext": "lab"}))
    (meta / "meta.json").write_text(
        json.dumps({"Name": "lab", "Metadata": {}, "Endpoints": {"docker": {"Host": url}}})
    )
    addresses = list(discovery.docker_addresses())
    assert [(a.url, a.origin) for a in addresses] == [(url, "Docker's context lab")]
    finder = EngineDiscovery(settings(bare, bare))
    assert isinstance(await finder.engine(), DockerEngine)
    await finder.close()


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("ID=debian\nVERSION_CODENAME=bookworm\n", "debian"),
        ("ID=ubuntu\nID_LIKE=debian\n", "debian"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "rhel"),
        ("ID=fedora\n", "fedora"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "suse"),
        ("ID=arch\n", "arch"),
        ("ID=plan9\n", ""),
    ],
)
def test_every_system_gets_its_own_command(tmp_path: Path, text: str, family: str) -> None:
    (tmp_path / "os-release").write_text(text)
    assert install_hints.family(tmp_path / "os-release") == family


def test_who_may_not_use_docker_is_told_how() -> None:
    error = failures.from_engine("Docker", PermissionError(13, "Permission denied"))
    assert isinstance(error, EngineUnavailableError)
    assert "may not use it" in error.message and "usermod -aG docker" in error.hint
