"""What looks right until somebody uses it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import docker
import pytest
from traitlets.config import Config

from jupyter_mlops.core.errors import EngineUnavailableError, InvalidError, NotFoundError

from .conftest import Place

on_docker = pytest.mark.parametrize(
    "engine_name", [pytest.param("docker", marks=pytest.mark.docker)]
)


async def test_science_works(place: Place):
    """Plots, processes that import the user's modules, and random numbers of one's own."""
    (place.workspace / "mymod.py").write_text("def double(x):\n    return 2 * x\n")
    kernel = await place.started()
    await kernel.value("%pip install --quiet numpy matplotlib loky", timeout=240)

    outcome = await kernel.run("import matplotlib.pyplot as plt\nplt.plot([1, 2, 3]);")
    assert "image/png" in outcome.mime, outcome.error

    code = (
        "import multiprocessing, loky, mymod\n"
        "with multiprocessing.get_context('spawn').Pool(2) as pool:\n"
        "    print(pool.map(mymod.double, [1, 2]))\n"
        "with loky.get_reusable_executor(max_workers=2, timeout=5) as executor:\n"
        "    print(list(executor.map(mymod.double, [3, 4])))"
    )
    assert await kernel.value(code, timeout=90) == "[2, 4]\n[6, 8]"

    numbers = (
        "import random\nfrom numpy.random import rand\nprint(random.random(), rand(), hash('a'))"
    )
    drawn = [await kernel.value(numbers)]
    await kernel.manager.restart_kernel()
    await kernel.client.wait_for_ready(timeout=60)
    drawn.append(await kernel.value(numbers))
    assert not set(drawn[0].split()) & set(drawn[1].split())


async def test_two_kernels_share_nothing_but_the_home_folder(place: Place):
    one, two = place.kernel(), place.kernel()
    await asyncio.gather(one.start(place.workspace), two.start(place.workspace))
    numbers = "import random, os; print(random.random(), hash('a'))"
    drawn = [set((await kernel.value(numbers)).split()) for kernel in (one, two)]
    assert not drawn[0] & drawn[1]
    await one.value("open('/tmp/mine', 'w').close()\nopen('/opt/env/mine', 'w').close()")
    assert await two.value("import os; print(os.path.exists('/tmp/mine'))") == "False"
    assert await two.value("print(os.path.exists('/opt/env/mine'))") == "False"
    await one.value("import pathlib; pathlib.Path('~/note').expanduser().write_text('x')")
    assert await two.value("print(os.listdir(os.path.expanduser('~')).count('note'))") == "1"
    assert one.provisioner.connection_info["ip"] != two.provisioner.connection_info["ip"]


async def test_a_freeze_would_find_nothing_of_ours(place: Place):
    kernel = await place.started()
    await kernel.value("open('/tmp/a', 'w').write('x'); open('/run/b', 'w').write('x')")
    engine: Any = await place.parts.engines.engine()
    client = docker.DockerClient(engine.connection.url)
    container = client.containers.get(kernel.provisioner.record.container)
    changed = {entry["Path"] for entry in container.diff() or ()}
    # The workspace's mount point, which is an empty folder, and its parents, are unavoidable;
    # this one is below /tmp.
    assert not {path for path in changed if path.startswith(("/run/", "/tmp/", "/root", "/home"))}
    config = container.attrs["Config"]
    assert config["Volumes"] is None and config["WorkingDir"] in ("", "/")
    names = {line.partition("=")[0] for line in config["Env"]}
    # Podman adds some itself, which no commit keeps but the first two.
    own = {"TERM", "container", "HOME", "HOSTNAME"} if place.engine_name == "podman" else set()
    assert names - own <= {"PATH", "VIRTUAL_ENV", "TINY"}
    key = kernel.manager.session.key.decode()
    assert key not in json.dumps(container.attrs)
    client.close()


async def test_a_link_out_of_the_workspace_can_be_the_notebooks_folder(place: Place):
    outside = place.workspace.parent / "outside"
    outside.mkdir()
    (outside / "data.txt").write_text("there")
    (place.workspace / "link").symlink_to(outside)
    kernel = place.kernel()
    await kernel.start(place.workspace / "link")
    assert await kernel.value("print(open('data.txt').read())") == "there"
    assert kernel.manager.resolve_path("data.txt") == str(place.workspace / "link" / "data.txt")


@on_docker
async def test_paths_that_the_kernel_speaks_of(place: Place):
    (place.workspace / "module.py").touch()
    kernel = await place.started()
    await kernel.value("import pathlib; pathlib.Path('~/note').expanduser().touch()")
    here = str(place.workspace / "module.py")
    assert kernel.manager.resolve_path("module.py") == here
    assert kernel.manager.resolve_path(here) == here
    home = kernel.provisioner.record.home
    assert kernel.manager.resolve_path("~/note") == f"{home}/note"
    assert kernel.manager.resolve_path("/run/mlops/home/note") == f"{home}/note"
    assert kernel.manager.resolve_path("/etc/passwd") is None
    assert kernel.manager.resolve_path("../data") is None


@on_docker
async def test_launch_failures_say_what_to_do_and_leave_nothing(place: Place):
    image, place.image = place.image, "sha256:" + "0" * 64
    kernel = place.kernel()
    with pytest.raises(NotFoundError) as missing:
        await kernel.manager.start_kernel(cwd=str(place.workspace))
    assert "tiny, revision 1" in str(missing.value) and "Build" in missing.value.hint
    assert not kernel.manager.has_kernel

    place.image = image
    kernel = place.kernel()
    with pytest.raises(InvalidError, match="hide the container's own system"):
        await kernel.manager.start_kernel(cwd="/usr")
    assert await place.parts.store.kernels.list() == []
    assert list(place.parts.settings.runtime.iterdir()) == []


@pytest.mark.docker
async def test_no_engine(folder: Path, monkeypatch: pytest.MonkeyPatch, kernel_images):
    from jupyter_mlops.wiring import provisioner_parts

    config = Config(
        {
            "Mlops": {
                "data_dir": str(folder / "data"),
                "runtime_dir": str(folder / "r"),
                "engine_url": f"unix://{folder}/nobody.sock",
            }
        }
    )
    place = Place("docker", config, provisioner_parts(config), None, folder, "", [])  # type: ignore[arg-type]
    from jupyter_mlops.kernels.specs import KernelSpecFolder

    place.specs = KernelSpecFolder(folder / "data" / "kernels")
    kernel = place.kernel()
    with pytest.raises(EngineUnavailableError) as error:
        await kernel.manager.start_kernel(cwd=str(folder))
    assert error.value.hint
    await place.parts.store.close()


AS_SOMEBODY = """
import asyncio, json, os, sys
assert os.getuid() == os.getgid() == 1234
place = json.loads(sys.argv[1])
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.ioloop.manager import AsyncIOLoopKernelManager
from traitlets.config import Config

os.environ.update(HOME=place["folder"], JUPYTER_RUNTIME_DIR=place["folder"], USER="alice")
os.environ["LOGNAME"] = "alice"

async def main():
    manager = AsyncIOLoopKernelManager(
        kernel_name="mlops-tiny",
        kernel_spec_manager=KernelSpecManager(
            kernel_dirs=[place["specs"]], ensure_native_kernel=False
        ),
        config=Config({"Mlops": place["config"]}),
    )
    await manager.start_kernel(cwd=place["workspace"])
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        await client.execute_interactive(place["code"], timeout=120)
    finally:
        client.stop_channels()
        await manager.shutdown_kernel()

asyncio.run(main())
"""


@on_docker
async def test_a_user_whom_the_image_does_not_know(place: Place, folder: Path):
    place.install()
    home = folder / "alice"
    home.mkdir()
    work = home / "work"
    work.mkdir()
    for owned in (home, work):
        os.chown(owned, 1234, 1234)
    folder.chmod(0o755)  # noqa: ASYNC240
    code = (
        "import getpass, os\n"
        "get_ipython().run_line_magic('pip', 'install --quiet toolz')\n"
        "get_ipython().run_line_magic('pip', 'uninstall --quiet --yes humanize')\n"
        "import toolz, subprocess\n"
        "open('made', 'w').close()\n"
        "print(getpass.getuser(), os.getuid(), os.getgroups(), os.path.expanduser('~'),"
        " subprocess.check_output('whoami', text=True))"
    )
    docker_group = os.stat("/var/run/docker.sock").st_gid  # noqa: PTH116
    place_facts = {
        "folder": str(home),
        "workspace": str(work),
        "specs": str(folder / "data" / "kernels"),
        "config": {
            **place.config.Mlops,
            "data_dir": str(home / "data"),
            "runtime_dir": str(home / "r"),
        },
        "code": code,
    }
    script = folder / "somebody.py"
    script.write_text(textwrap.dedent(AS_SOMEBODY))
    answer = await asyncio.to_thread(
        subprocess.run,
        # Another user who may read everything: Python itself may be in root's home folder.
        [
            "setpriv",
            "--reuid=1234",
            "--regid=1234",
            f"--groups={docker_group}",
            "--inh-caps=+dac_read_search",
            "--ambient-caps=+dac_read_search",
            sys.executable,
            str(script),
            json.dumps(place_facts),
        ],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert answer.returncode == 0, answer.stderr
    last = [line for line in answer.stdout.splitlines() if line.strip()][-1]
    assert last.split() == ["alice", "1234", "[0,", "1234]", "/run/mlops/home", "alice"], (
        answer.stdout
    )
    made = (work / "made").stat()
    assert (made.st_uid, made.st_gid) == (1234, 1234)
    assert await place.containers() == []
