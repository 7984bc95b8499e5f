"""Base images from distribution packages, with the real mmdebstrap."""

from __future__ import annotations

import asyncio
import contextlib
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlops.core.container_network import process_environment
from jupyter_mlops.core.errors import BuildFailedError, InvalidError, UnsupportedError
from jupyter_mlops.core.ports import Engine
from jupyter_mlops.core.settings import NetworkSettings, Settings
from jupyter_mlops.engines.debian import Debian
from jupyter_mlops.engines.debian_sources import DEFAULT_MIRROR, Mirrors, mirrors, sources
from tests.parts.engines import CACHE, ensure, settings
from tests.parts.services import Recorder

from .conftest import spec

DEB822 = """\
Types: deb
# http://old.example/debian
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    from jupyter_mlops.config import Mlops

    return replace(settings(tmp_path, tmp_path), network=Mlops().settings().network)


@pytest.fixture
def mmdebstrap() -> Iterator[None]:
    ensure("ensure_apt", "mmdebstrap")
    yield


def test_this_machines_mirror(tmp_path: Path) -> None:
    folder = tmp_path / "apt/sources.list.d"
    folder.mkdir(parents=True)
    assert mirrors("", tmp_path).main == DEFAULT_MIRROR
    (folder / "node.sources").write_text(
        "Types: deb\nURIs: https://deb.example.com/node\nSuites: nodistro\nComponents: main\n"
    )
    assert mirrors("", tmp_path).main == DEFAULT_MIRROR
    (folder / "debian.sources").write_text(DEB822)
    expected = Mirrors("http://mirror.example/debian", "http://mirror.example/debian-security")
    assert mirrors("", tmp_path) == expected
    (folder / "debian.sources").unlink()
    (tmp_path / "apt/sources.list").write_text(
        "# deb http://cd.example/debian bookworm main\n"
        "deb [signed-by=/usr/share/x.gpg] http://mirror.example/debian/ bookworm main contrib\n"
        "deb http://mirror.example/debian-security bookworm-security main\n"
    )
    assert mirrors("", tmp_path) == expected
    (tmp_path / "apt/sources.list").write_text("deb http://x.example/ubuntu noble main\n")
    assert mirrors("", tmp_path).main == DEFAULT_MIRROR
    assert mirrors("http://site.example/debian/", tmp_path) == Mirrors(
        "http://site.example/debian", "http://site.example/debian-security"
    )


def test_what_the_mirror_has(here: Settings) -> None:
    network = here.network
    found = mirrors(network.apt_mirror)
    result = sources("bookworm", found, network.proxies, network.ca_bundle)
    assert result.lines[0] == f"deb {found.main} bookworm main"
    assert result.date > 1_600_000_000
    with pytest.raises(BuildFailedError, match="no Debian release nosuchsuite"):
        sources("nosuchsuite", found, network.proxies, network.ca_bundle)
    with pytest.raises(BuildFailedError, match="does not answer"):
        sources("bookworm", Mirrors("http://127.0.0.1:9/debian", ""), {}, "")


async def test_without_mmdebstrap(
    here: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_arguments, **_options: None)
    with pytest.raises(UnsupportedError) as raised:
        await Debian(here).make("bookworm", (), tmp_path / "x.tar", Recorder())
    assert "apt-get install mmdebstrap" in raised.value.hint
    with pytest.raises(InvalidError):
        await Debian(here).make("bookworm", ("x; rm -rf /",), tmp_path / "x.tar", Recorder())


async def test_a_package_that_does_not_exist(
    here: Settings, tmp_path: Path, mmdebstrap: None
) -> None:
    recorder = Recorder()
    with pytest.raises(BuildFailedError, match="no package no-such-package"):
        await Debian(here).make("bookworm", ("no-such-package",), tmp_path / "x.tar", recorder)
    assert "Unable to locate package" in recorder.text
    assert files_in(tmp_path) == []


async def test_cancelling_ends_mmdebstrap(here: Settings, tmp_path: Path, mmdebstrap: None) -> None:
    recorder = Recorder()
    task = asyncio.ensure_future(Debian(here).make("bookworm", (), tmp_path / "x.tar", recorder))
    for _ in range(600):
        if "running apt-get update" in recorder.text:
            break
        await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 40)
    assert running_with(str(tmp_path)) == []
    assert files_in(tmp_path) == []


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def running_with(word: str) -> list[Path]:
    """Processes that have this in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in process.read_bytes():
                found.append(process)
    return found


def test_the_archive_is_small_and_plain(debian_base: str) -> None:
    with tarfile.open(CACHE / "debian-base.tar") as tar:
        names = set(tar.getnames())
        text = tar.extractfile("./etc/apt/sources.list")
        assert text is not None and b"deb http" in text.read()
    assert "./usr/bin/python3" in names
    for unwanted in ("./var/lib/apt/lists/", "./var/cache/apt/archives/", "./usr/share/man/"):
        files = [n for n in names if n.startswith(unwanted) and not n.endswith(("lock", "partial"))]
        assert files == [] or all("/man/man" not in name for name in files), files
    assert (CACHE / "debian-base.tar").stat().st_size < 220e6


@pytest.mark.docker
async def test_the_base_has_python_and_reaches_its_mirror(
    docker_engine: Engine, debian_base: str, here: Settings
) -> None:
    container = await docker_engine.create(
        spec(
            debian_base,
            "sleep",
            "1000",
            network="bridge",
            capabilities=("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"),
        )
    )
    try:
        await docker_engine.start(container)
        code, _ = await docker_engine.exec(container, ["python3", "-m", "venv", "/opt/env"])
        assert code == 0
        lines: list[str] = []
        proxies = process_environment(NetworkSettings(proxies=here.network.proxies))
        code, _ = await docker_engine.exec(
            container,
            [
                "sh",
                "-c",
                "apt-get update -q && apt-get install -y -q --no-install-recommends hello",
            ],
            environment={"DEBIAN_FRONTEND": "noninteractive", **proxies},
            on_output=lines.append,
        )
        assert code == 0, "".join(lines)
        code, output = await docker_engine.exec(container, ["hello"])
        assert "Hello" in output
    finally:
        await docker_engine.remove(container)
