"""Fixtures: Docker and Podman as they really are, with images small enough for quick tests."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from jupyter_mlops.core.layout import LABEL_KIND, LABEL_OWNER
from jupyter_mlops.core.ports import Engine, ImageConfig
from jupyter_mlops.core.settings import Settings
from jupyter_mlops.engines.discovery import EngineDiscovery
from jupyter_mlops.engines.podman import PodmanEngine

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jupyter-mlops-tests"
OWNER = f"tests-{os.getpid()}"
"""The label that tells this run's containers and images from everybody else's."""

TINY_REF = "mlops/test/tiny:latest"
BASE_REF = "mlops/test/debian:latest"
_RECIPE = "io.jupyter-mlops.test.recipe"
_APPLETS = (
    "sh cat chmod cut dd echo env false grep head hostname httpd id kill ls mkdir nc nslookup od "
    "ping printf ps pwd readlink seq setsid sleep stat sync tail tee test touch trap true umask "
    "wc whoami yes"
)

T = TypeVar("T")


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end in a loop of its own: fixtures of a session outlive every test's loop. The
    time limit of a test cancels it."""
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = []

    async def known() -> T:
        task = asyncio.current_task()
        assert task is not None
        running.append((asyncio.get_running_loop(), task))
        return await work

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(asyncio.run, known())
        try:
            return done.result()
        except BaseException:
            for loop, task in running:
                with contextlib.suppress(RuntimeError):  # It has ended by itself.
                    loop.call_soon_threadsafe(task.cancel)
            raise


def ensure(*words: str) -> str:
    """Call a function of ``scripts/lib/engines.sh``: it installs and starts what is missing, and
    says so in the text that is returned."""
    script = f"set -euo pipefail; . scripts/lib/engines.sh; {' '.join(words)}"
    answer = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, f"{' '.join(words)} failed:\n{answer.stdout}{answer.stderr}"
    return answer.stdout


def settings(data: Path, runtime: Path, **changes: Any) -> Settings:
    """Settings of tests that need no more than an engine."""
    return Settings(data=data, runtime=runtime, uv=Path("uv"), owner=OWNER, **changes)


def find_engine(**changes: Any) -> Engine:
    folder = Path(tempfile.gettempdir())
    return run_apart(EngineDiscovery(settings(folder, folder, **changes)).engine())


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """Docker, started for these tests when none answers."""
    said = ensure("ensure_docker")
    engine = find_engine(engine="docker")
    yield engine
    run_apart(_sweep_and_close(engine))
    if "started" in said:
        ensure("stop_docker")


@pytest.fixture(scope="session")
def podman_engine() -> Iterator[Engine]:
    """Podman with a service and a store of its own, apart from this machine's other Podman."""
    ensure("ensure_podman")
    runtime = Path(tempfile.mkdtemp(prefix="jm-", dir="/tmp"))  # Sockets have 107 bytes.
    store = CACHE / "podman"
    store.mkdir(parents=True, exist_ok=True)
    engine = run_apart(
        PodmanEngine.start_service(
            settings(runtime, runtime, engine="podman", engine_url=f"podman://{store}")
        )
    )
    yield engine
    run_apart(_sweep_and_close(engine))
    shutil.rmtree(runtime, ignore_errors=True)


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("podman", marks=pytest.mark.podman),
    ],
)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Both engines, one after the other."""
    found: Engine = request.getfixturevalue(f"{request.param}_engine")
    return found


@pytest.fixture(scope="session")
def debian_base(docker_engine: Engine) -> str:
    """Docker's image id of a Debian base image with Python, tagged ``BASE_REF``."""
    return run_apart(make_debian_base(docker_engine))


@pytest.fixture(scope="session")
def debian_base_podman(podman_engine: Engine) -> str:
    """Podman's image id of the same."""
    return run_apart(make_debian_base(podman_engine))


async def make_debian_base(engine: Engine) -> str:
    """Import the base image, made once per machine by mmdebstrap and kept in the cache."""
    archive = await asyncio.to_thread(debian_archive)
    recipe = archive.with_suffix(".recipe").read_text()
    found = await engine.image(BASE_REF)
    if found is not None and found.labels.get(_RECIPE) == recipe:
        return found.id
    return await engine.import_image(
        archive,
        BASE_REF,
        ImageConfig(
            labels={LABEL_KIND: "base", LABEL_OWNER: "tests", _RECIPE: recipe},
            command=("/bin/bash",),
        ),
    )


async def tiny_image(engine: Engine) -> str:
    """Image id of BusyBox in 2 MB, tagged ``TINY_REF``; imported once per engine."""
    archive = await asyncio.to_thread(_tiny_archive)
    recipe = hashlib.sha256(archive.read_bytes()).hexdigest()[:16]
    found = await engine.image(TINY_REF)
    if found is not None and found.labels.get(_RECIPE) == recipe:
        return found.id
    return await engine.import_image(
        archive,
        TINY_REF,
        ImageConfig(
            labels={_RECIPE: recipe},
            environment={"PATH": "/bin"},
            command=("sleep", "1000000"),
        ),
    )


def debian_archive() -> Path:
    """The cached tar; made again when what makes it has changed."""
    from jupyter_mlops.config import Mlops
    from jupyter_mlops.engines import debian

    sources = [Path(debian.__file__), Path(debian.__file__).with_name("debian_sources.py")]
    recipe = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:16]
    return _made_once(
        CACHE / "debian-base.tar",
        recipe,
        lambda part: run_apart(
            debian.Debian(Mlops().settings()).make("bookworm", (), part, _Silent())
        ),
        needs="mmdebstrap",
    )


def _tiny_archive() -> Path:
    def make(part: Path) -> None:
        busybox = shutil.which("busybox", path="/bin:/usr/bin")
        assert busybox, "busybox-static is missing"
        passwd = part.with_name("tiny.passwd")
        passwd.write_text("root:x:0:0:root:/root:/bin/sh\n")
        with tarfile.open(part, "w") as tar:
            for name in ("bin", "etc", "root", "tmp", "run", "data"):
                folder = tarfile.TarInfo(name)
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(folder)
            tar.add(busybox, "bin/busybox")
            tar.add(passwd, "etc/passwd")
            for applet in _APPLETS.split():
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        passwd.unlink()

    return _made_once(CACHE / "tiny.tar", _APPLETS, make, needs="busybox-static")


def _made_once(file: Path, recipe: str, make: Callable[[Path], None], needs: str) -> Path:
    """``file``, made by ``make`` unless it is there of this recipe; for several processes."""
    CACHE.mkdir(parents=True, exist_ok=True)
    stamp = file.with_suffix(".recipe")
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (file.exists() and stamp.exists() and stamp.read_text() == recipe):
            ensure("ensure_apt", needs)
            part = file.with_suffix(".part")
            make(part)
            part.replace(file)
            stamp.write_text(recipe)
    return file


async def _sweep_and_close(engine: Engine) -> None:
    """Remove what tests of this run have left on the engine."""
    for container in await engine.list({LABEL_OWNER: OWNER}):
        await engine.remove(container.id)
    images = await engine.images({LABEL_OWNER: OWNER})
    for image in sorted(images, key=lambda i: (len(i.layers), i.created), reverse=True):
        for ref in image.tags or (image.id,):
            await engine.remove_image(ref, force=True)
    await engine.close()


class _Silent:
    def phase(self, name: str, message: str = "") -> None: ...
    def update(self, message: str = "", fraction: float | None = None) -> None: ...
    def log(self, text: str) -> None: ...
