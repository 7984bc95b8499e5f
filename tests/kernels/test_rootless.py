"""A user without any right of root's, with rootless Podman, without a Jupyter server."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.parts.engines import BASE_REF, debian_archive
from tests.parts.rootless import OtherUser

from .machine import eventually

pytestmark = pytest.mark.podman

BASE = """
import asyncio, sys
from pathlib import Path
from traitlets.config import Config
from jupyter_mlops import wiring
from jupyter_mlops.core.environment import Base
from jupyter_mlops.core.ports import ImageConfig

async def main(archive, ref):
    services = wiring.build(Config({"Mlops": {"engine": "podman"}}))
    engine = await services.engines.engine()
    image = await engine.import_image(Path(archive), ref, ImageConfig({}, command=("/bin/bash",)))
    base = Base("debian", image, ref, "debian bookworm", "2026-01-01T00:00:00+00:00")
    await services.store.bases.save(base)
    await services.close()

asyncio.run(main(*sys.argv[1:]))
"""

# What the kernel is inside of its container.
ABOUT = """
import getpass, json, os
open('made', 'w').close()
os.mkdir('folder')
with open('/proc/self/uid_map') as file:
    first = file.readline().split()
print(json.dumps([os.getuid(), os.getgid(), getpass.getuser(), os.getcwd(), first]))
"""

# Two cells of one notebook, the second of which never ends.
CLIENT = """
import sys
import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

name = sys.argv[1]
cells = [
    new_code_cell(f"import os\\nwith open('{name}', 'w') as f: print(os.getpid(), file=f)"),
    new_code_cell(f"import time\\nos.rename('{name}', '{name}.txt')\\nwhile True: time.sleep(1)"),
]
NotebookClient(new_notebook(cells=cells), kernel_name="mlops-small", timeout=None).execute()
"""

# A service of Podman that is too busy to end when it is told.
BUSY = """
import os, signal, sys
from pathlib import Path
from jupyter_mlops.engines.podman_service import PodmanService

service = PodmanService(Path(sys.argv[1]), None)
service.ensure()
pid = service.pid()
for file in Path(f"/proc/{pid}/task").glob("*/children"):
    for child in file.read_text().split():
        os.kill(int(child), signal.SIGSTOP)
        print(child)
service.release()
"""


@pytest.fixture(scope="module")
def user(other_user: OtherUser) -> Iterator[OtherUser]:
    """Somebody who has built the environment ``small`` with default settings."""
    settings = {"Mlops": {"engine": "podman", "warm_kernels": 0}}
    other_user.write(other_user.home / ".jupyter/jupyter_mlops_config.json", json.dumps(settings))
    other_user.run("python", "-c", BASE, str(debian_archive()), BASE_REF)
    spec = other_user.home / "small.yaml"
    other_user.write(spec, "name: small\nbase: debian\npython: [humanize]\n")
    mlops(other_user, "env", "create", "--from", str(spec))
    yield other_user
    assert mlops(other_user, "env", "delete", "small", "--yes")["freed"] > 0


def mlops(user: OtherUser, *words: str) -> Any:
    return json.loads(user.run("jupyter", "mlops", "--json", *words))


def with_kernels(user: OtherUser, *words: str) -> list[str]:
    """Programs that know nothing of our settings find the kernels as the users' guide says."""
    return ["sh", "-c", 'JUPYTER_PATH="$(jupyter --data-dir)/mlops" exec "$@"', "sh", *words]


def containers(user: OtherUser) -> list[str]:
    return user.run("podman", "ps", "--all", "--quiet").split()


def inside(user: OtherUser) -> dict[str, dict[str, list[str]]]:
    """Of every process in a container of this user's: its id there, and the lines of its
    ``/proc/PID/status`` on the host."""
    found = {}
    for pid in user.processes():
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            status = {name: rest.split() for name, _, rest in (ln.partition(":") for ln in lines)}
            if len(status["NSpid"]) > 1:
                found[status["NSpid"][-1]] = status
    return found


def test_jupyter_execute_runs_a_notebook(user: OtherUser):
    work = user.home / "a project"
    cells = [
        new_code_cell(ABOUT),
        new_code_cell("%pip install --quiet toolz"),
        new_code_cell("import humanize, toolz; print(humanize.intcomma(12345))"),
    ]
    file = work / "a.ipynb"
    user.write(file, nbformat.writes(new_notebook(cells=cells)))
    execute = ["jupyter", "execute", "--kernel_name=mlops-small", "--inplace", "a.ipynb"]
    user.run(*with_kernels(user, *execute), cwd=work)

    # The program knows nothing of Podman's service, which ends with it all the same.
    eventually(
        lambda: not [t for t in user.processes().values() if "system service" in t],
        told=user.processes,
    )
    ran = nbformat.read(file, as_version=4)
    assert ran.cells[2].outputs[0].text == "12,345\n"
    # Root of a container in which root is this user.
    assert mlops(user, "engine", "info")["capabilities"]["rootless"]
    about = json.loads(ran.cells[0].outputs[0].text)
    assert about == [0, 0, user.name, str(work), ["0", str(user.uid), "1"]]
    for name in ("made", "folder", "a.ipynb"):
        found = (work / name).stat()
        assert (found.st_uid, found.st_gid) == (user.uid, user.uid), name
    assert containers(user) == []
    eventually(lambda: not inside(user))


def test_nothing_is_left_of_clients_that_were_killed(user: OtherUser):
    work = user.home / "work"
    user.run("mkdir", str(work))
    call = with_kernels(user, "python", "-c", CLIENT)
    clients = [user.start(*call, name, cwd=work) for name in ("one", "two")]
    try:
        files = [work / "one.txt", work / "two.txt"]
        eventually(lambda: all(file.exists() for file in files))
        for file in files:
            status = inside(user)[file.read_text().strip()]
            assert set(status["Uid"]) == {str(user.uid)} == set(status["Gid"])
            assert int(status["CapEff"][0], 16) == 0
        listed = mlops(user, "kernel", "list")
        assert [(k["environment"], k["alive"]) for k in listed] == [("small", True)] * 2
        assert {k["project"] for k in listed} == {str(work)}
        assert len(containers(user)) == 2

        clients[0].kill()
        clients[0].communicate()
        # Whoever of ours looks next finds it, and leaves the other one alone.
        (left,) = mlops(user, "kernel", "list")
        assert left["alive"] and len(containers(user)) == 1
    finally:
        for client in clients:
            client.kill()
            client.communicate()
    assert mlops(user, "kernel", "list") == []
    assert containers(user) == []
    eventually(lambda: not inside(user))
    ours = user.runtime / f"jmlops-{user.uid}"
    assert [entry.name for entry in ours.iterdir()] == ["podman"]


def test_podmans_service_is_ended_with_what_works_for_it(user: OtherUser):
    # The first one after this makes the namespace, and a child in it; later ones join.
    user.run("podman", "system", "migrate")
    folder = user.runtime / "service"
    children = user.run("python", "-c", BUSY, str(folder)).split()
    assert children, "rootless, it works in a child that has a user namespace"
    eventually(lambda: not {int(child) for child in children} & set(user.processes()))
