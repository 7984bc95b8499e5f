"""Kernels that are forked from a process with ipykernel imported, and what must not tell."""

from __future__ import annotations

import json

import pytest

from tests.parts.waiting import wait_until

from .conftest import Kernel, Place


@pytest.fixture(
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        # Its image comes from Docker, where it was built.
        pytest.param("podman", marks=[pytest.mark.docker, pytest.mark.podman]),
    ]
)
def engine_name(request: pytest.FixtureRequest) -> str:
    return request.param


docker_only = pytest.mark.parametrize(
    "engine_name", [pytest.param("docker", marks=pytest.mark.docker)], indirect=True
)

FORKED = "print('zygote.py' in open('/proc/self/cmdline').read())"
ABOUT = """
import json, multiprocessing.process, os, signal, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "path": sys.path, "argv": sys.argv, "original": sys.orig_argv[-2:], "flags": list(sys.flags),
    "options": sys._xoptions, "environment": dict(os.environ), "cwd": os.getcwd(),
    "folder": multiprocessing.process.ORIGINAL_DIR,
    "main": [sys.modules["__main__"].__name__, hasattr(sys.modules["__main__"], "__file__")],
    "signals": [repr(signal.getsignal(n)) for n in sorted(signal.valid_signals())],
    "masks": [status[name].strip() for name in ("SigBlk", "SigIgn", "Umask")],
    "input": os.readlink("/proc/self/fd/0"), "output": os.readlink("/proc/self/fd/1")[:4],
    "first to go": open("/proc/self/oom_score_adj").read(),
    "leads": os.getsid(0) == os.getpid(), "parent": os.getppid(),
    "threads": len(os.listdir("/proc/self/task")),
}))
"""
ZYGOTES = """
import os
found = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        words = open(f"/proc/{pid}/cmdline").read().split("\\0")
    except OSError:
        continue
    if any(word.endswith("zygote.py") for word in words) and int(pid) != os.getpid():
        found.append(int(pid))
"""


async def restart(kernel: Kernel) -> None:
    await kernel.manager.restart_kernel()
    await kernel.client.wait_for_ready(timeout=60)


async def forked(kernel: Kernel) -> bool:
    return await kernel.value(FORKED) == "True"


async def test_a_forked_kernel_is_like_a_started_one(place: Place):
    kernel = await place.started(variables={"PYTHONUTF8": "1", "MINE": "x"})
    assert await forked(kernel)
    ours = json.loads(await kernel.value(ABOUT))
    # An option of two words is one that the supervisor does not understand.
    argv = kernel.manager.kernel_spec.argv
    argv[argv.index("-Xfrozen_modules=off")] = "-X"
    argv.insert(argv.index("-X") + 1, "frozen_modules=off")
    await restart(kernel)
    assert not await forked(kernel)
    assert ours == json.loads(await kernel.value(ABOUT))


async def test_the_zygote_may_die(place: Place):
    kernel = await place.started()
    code = f"{ZYGOTES}\nimport signal\nfor pid in found: os.kill(pid, signal.SIGKILL)\nprint(found)"
    assert len(json.loads(await kernel.value(code))) == 1
    assert await kernel.value("print(1 + 1)") == "2", "the kernel lives on"

    async def gone() -> bool:
        return json.loads(await kernel.value(f"{ZYGOTES}\nprint(found)")) == []

    await wait_until(gone)
    await restart(kernel)
    assert await forked(kernel)
    assert not place.events


@docker_only
async def test_kernels_of_one_zygote_draw_numbers_of_their_own(place: Place):
    kernel = await place.started()
    code = (
        "import json, multiprocessing, os, random, tempfile, uuid\n"
        f"{ZYGOTES}\n"
        "print(json.dumps([random.random(), multiprocessing.current_process().authkey.hex(),"
        " tempfile.mktemp(), str(uuid.uuid4()), os.getpid(), found]))"
    )
    first = json.loads(await kernel.value(code))
    await restart(kernel)
    second = json.loads(await kernel.value(code))
    assert first.pop() == second.pop(), "the zygote was the same"
    assert not set(first) & set(second)


@docker_only
async def test_what_was_installed_over_a_preloaded_package_is_there_after_a_restart(place: Place):
    kernel = await place.started()
    versions = (
        "import importlib.metadata, parso; print(parso.__version__,"
        " importlib.metadata.version('parso'))"
    )
    before = (await kernel.value(versions)).split()
    assert before[0] == before[1] != "0.8.3"
    await kernel.value("%pip install --quiet parso==0.8.3", timeout=120)
    await restart(kernel)
    assert await kernel.value(versions) == "0.8.3 0.8.3"
    assert await forked(kernel), "from a new zygote"


@docker_only
@pytest.mark.parametrize(
    "what",
    [
        "__import__('threading').Thread(target=__import__('time').sleep, args=(600,),"
        " daemon=True).start()",
        "__import__('os')._exit(1)",
        "raise SystemExit('no')",
    ],
    ids=["has threads", "dies", "does not start"],
)
async def test_without_a_zygote_that_can_be_trusted_a_kernel_is_started(place: Place, what: str):
    kernel = await place.started()
    code = (
        "import sysconfig\n"
        "with open(sysconfig.get_path('purelib') + '/site_of_test.pth', 'w') as file:\n"
        "    file.write(\"import sys; exec('''if 'zygote.py' in open('/proc/self/cmdline').read():"
        f" {{}}''')\\n\".format({what!r}))"
    )
    await kernel.value(code)
    await restart(kernel)
    assert not await forked(kernel)
    assert await kernel.value("print(1 + 1)") == "2"
    assert not place.events
