"""The two things that a freeze does to a running container."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from jupyter_mlops.core.layout import LABEL_OWNER
from jupyter_mlops.services.freezing import _share, standing_still
from jupyter_mlops.wiring import Services
from tests.parts.live_notebook import LiveNotebook
from tests.parts.services import Recorder, Tiny


@pytest.mark.docker
async def test_what_a_user_installed_belongs_to_group_0(
    services: Services, tiny_environment: Tiny
) -> None:
    """By that user, who is in group 0 as kernels are, and nothing more."""
    container = docker.from_env().containers.run(
        tiny_environment.revision.image,
        ["sleep", "600"],
        user="1234:1234",
        group_add=["0"],
        cap_drop=["ALL"],
        network_mode="none",
        detach=True,
        labels={LABEL_OWNER: services.settings.owner},
    )

    def sh(script: str, **more: str) -> str:
        code, said = container.exec_run(["sh", "-ec", script], **more)
        assert code == 0, said
        return said.decode().strip()

    try:
        started = time.time()
        sh(
            "umask 022; mkdir /opt/env/lib/new; cd /opt/env/lib/new;"
            "echo x > a.py; chmod 755 a.py; echo y > b.py; echo z > c.py; chmod 600 c.py;"
            "ln -s /etc/passwd link"
        )
        mode = "cd /opt/env/lib/new; echo $(stat -c '%u:%g:%a' . a.py b.py c.py)"
        assert sh(mode) == "1234:1234:755 1234:1234:755 1234:1234:644 1234:1234:600"
        engine = await services.engines.engine()
        await _share(engine, container.id, started, Recorder())
        assert sh(mode) == "1234:0:775 1234:0:775 1234:0:664 1234:0:660"
        assert sh("stat -c '%u %g %a' /etc/passwd") == "0 0 644"
        # Somebody else in group 0 may change it now.
        sh("cd /opt/env/lib/new; rm a.py; echo z >> b.py", user="5678:0")
        # What was there before is not copied into the new layer.
        changed = [c["Path"] for c in container.diff() if c["Path"].startswith("/opt/env/lib/")]
        assert {path for path in changed if not path.startswith("/opt/env/lib/new")} == set()
    finally:
        container.remove(force=True)


@pytest.mark.docker
@pytest.mark.parametrize("can_pause", [True, False])
async def test_processes_stand_still_and_go_on(
    can_pause: bool,
    services: Services,
    open_notebook: Callable[..., LiveNotebook],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the engine cannot pause, the user's own signals do it."""
    engine = await services.engines.engine()
    found = replace(await engine.info(), pause=can_pause)

    async def info() -> object:
        return found

    # What a rootless engine on an old kernel would say; the signals are real.
    monkeypatch.setattr(engine, "info", info)
    beat = tmp_path / "p/beat.txt"
    async with open_notebook(tmp_path / "p/work.ipynb") as notebook:
        await notebook.run(
            "import threading, time\n"
            "def write():\n"
            "    open('beat.txt', 'w').write(str(time.time()))\n"
            "def beat():\n"
            "    while True:\n"
            "        write(); time.sleep(0.01)\n"
            "write()\n"  # the file is there before anybody looks for it
            "threading.Thread(target=beat, daemon=True).start()"
        )
        container = (await services.kernels.record(notebook.kernel_id)).container

        async def beats() -> bool:
            before = beat.stat().st_mtime_ns
            await asyncio.sleep(0.3)
            return beat.stat().st_mtime_ns != before

        assert await beats()
        with pytest.raises(ZeroDivisionError):
            async with standing_still(engine, container):
                assert not await beats()
                raise ZeroDivisionError
        assert await beats()
        assert await notebook.run("6 * 7") == "42"


@pytest.mark.docker
async def test_looking_and_freezing_at_once(
    services: Services, open_notebook: Callable[..., LiveNotebook], tmp_path: Path
) -> None:
    """As the panel does that shows what was added while its user freezes."""
    async with open_notebook(tmp_path / "p/work.ipynb") as notebook:
        await notebook.run("x = 41")
        frozen = asyncio.Event()

        async def look() -> int:
            count = 0
            while not frozen.is_set():
                assert (await services.kernels.drift(notebook.kernel_id)).empty
                count += 1
            return count

        looking = [asyncio.create_task(look()) for _ in range(3)]
        for number in range(3):
            create = services.snapshots.create(
                notebook.kernel_id, f"looked-{number}", "", Recorder()
            )
            snapshot = await asyncio.wait_for(create, 60)
            await services.snapshots.delete(snapshot.id)
        frozen.set()
        assert min(await asyncio.gather(*looking)) > 0
        assert await notebook.run("x + 1") == "42"
