"""The contract, part one: containers, their safety, limits, networks and files."""

from __future__ import annotations

import asyncio
import io
import tarfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.environment import Resources
from jupyter_mlops.core.errors import (
    ConflictError,
    KernelDeadError,
    NotFoundError,
    UnsupportedError,
)
from jupyter_mlops.core.ports import Engine, Mount

from .conftest import LABELS, Make, spec


def tar_of(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


async def running(engine: Engine, container: str) -> bool:
    state = await engine.inspect(container)
    return state is not None and state.phase == "running"


class ContainerContract:
    async def test_a_container_lives_and_ends(self, engine: Engine, make: Make) -> None:
        container = await make(start=False)
        created = await engine.inspect(container)
        assert created is not None and (created.phase, created.exit_code) == ("created", None)
        await engine.start(container)
        await engine.start(container)
        state = await engine.inspect(container)
        assert state is not None and state.phase == "running" and state.exit_code is None
        assert state.started.endswith("+00:00")
        found = [c for c in await engine.list(LABELS) if c.id == container]
        assert found[0].running and found[0].labels.items() >= LABELS.items()
        assert found[0].image.startswith("sha256:")
        await engine.kill(container)
        assert await engine.wait(container) == 137
        await engine.kill(container)
        await engine.stop(container, 1)
        ended = await engine.inspect(container)
        assert ended is not None and (ended.phase, ended.exit_code) == ("exited", 137)
        await engine.remove(container)
        await engine.remove(container)
        assert await engine.inspect(container) is None
        await engine.stop(container, 1)
        assert container not in [c.id for c in await engine.list(LABELS)]

    async def test_exit_codes_are_told(self, engine: Engine, make: Make) -> None:
        container = await make("sh", "-c", "exit 7")
        assert await engine.wait(container) == 7
        state = await engine.inspect(container)
        assert state is not None and state.exit_code == 7

    async def test_stop_asks_before_it_kills(self, engine: Engine, make: Make) -> None:
        polite = await make("sh", "-c", "trap 'exit 5' TERM; while true; do sleep 0.1; done")
        await engine.exec(polite, ["true"])
        waiting = asyncio.ensure_future(engine.wait(polite))
        await engine.stop(polite, 20)
        assert await waiting == 5
        stubborn = await make("sh", "-c", "trap '' TERM; while true; do sleep 0.1; done")
        await engine.exec(stubborn, ["true"])
        before = time.monotonic()
        await engine.stop(stubborn, 1)
        assert time.monotonic() - before < 15
        state = await engine.inspect(stubborn)
        assert state is not None and state.exit_code == 137

    async def test_a_wait_can_be_given_up(self, engine: Engine, make: Make) -> None:
        container = await make()
        waiting = asyncio.ensure_future(engine.wait(container))
        await asyncio.sleep(0.3)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, 5)
        assert await running(engine, container)

    async def test_pause(self, engine: Engine, make: Make) -> None:
        container = await make()
        if not (await engine.info()).pause:
            with pytest.raises(UnsupportedError):
                await engine.pause(container)
            return
        await engine.pause(container)
        await engine.pause(container)
        state = await engine.inspect(container)
        assert state is not None and state.phase == "paused"
        await engine.unpause(container)
        await engine.unpause(container)
        assert await running(engine, container)
        await engine.pause(container)
        await engine.stop(container, 1)
        assert not await running(engine, container)

    async def test_a_paused_container_can_be_removed(self, engine: Engine, make: Make) -> None:
        container = await make()
        if (await engine.info()).pause:
            await engine.pause(container)
        await engine.remove(container)
        assert await engine.inspect(container) is None

    async def test_what_is_missing_or_taken_is_told(
        self, engine: Engine, make: Make, tiny: str
    ) -> None:
        with pytest.raises(NotFoundError, match="mlops/test/nothing"):
            await engine.create(spec("mlops/test/nothing:1"))
        wanted = spec(tiny)
        container = await make(name=wanted.name, start=False)
        with pytest.raises(ConflictError):
            await engine.create(wanted)
        await engine.remove(container)
        with pytest.raises(NotFoundError):
            await engine.start(container)
        with pytest.raises(NotFoundError):
            await engine.wait(container)
        with pytest.raises(NotFoundError):
            await engine.exec(container, ["true"])
        with pytest.raises(NotFoundError):
            await engine.logs(container)
        ended = await make("true")
        await engine.wait(ended)
        with pytest.raises(KernelDeadError):
            await engine.exec(ended, ["true"])
        with pytest.raises(KernelDeadError):
            await engine.kill(ended, "INT")

    async def test_containers_are_born_without_rights(self, engine: Engine, make: Make) -> None:
        container = await make()
        _, status = await engine.exec(container, ["cat", "/proc/self/status"])
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
        assert fields["NoNewPrivs"].strip() == "1"
        assert fields["Seccomp"].strip() == "2"
        kept = await make(capabilities=("CHOWN", "SETUID"))
        _, status = await engine.exec(kept, ["sh", "-c", "grep CapBnd /proc/self/status"])
        assert int(status.split()[1], 16) == 1 << 0 | 1 << 7

    async def test_user_and_groups(self, engine: Engine, make: Make) -> None:
        container = await make(user="1234:1234", groups=("0",))
        code, output = await engine.exec(container, ["id"])
        if (await engine.info()).rootless:
            assert "uid=0" in output, "container root is the user"
            return
        assert code == 0 and "uid=1234" in output and "gid=1234" in output
        _, groups = await engine.exec(container, ["grep", "Groups", "/proc/self/status"])
        assert "0" in groups.split()
        code, output = await engine.exec(container, ["id", "-u"], user="0:0")
        assert output.strip() == "0"

    async def test_limits(self, engine: Engine, make: Make) -> None:
        limits = Resources(cpus=4096, memory=64 * 1024**2, pids=40, shm=16 * 1024**2)
        container = await make(resources=limits)
        if not (await engine.info()).limits:
            assert await running(engine, container), "a limit that cannot be is left out"
            return
        script = (
            "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max "
            "2>/dev/null || cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max"
        )
        _, output = await engine.exec(container, ["sh", "-c", script])
        assert [int(word) for word in output.split()] == [64 * 1024**2, 40]
        _, mounts = await engine.exec(container, ["grep", "/dev/shm", "/proc/mounts"])
        assert "size=16384k" in mounts
        # Swap is not given in memory's place: what fills the limit ends.
        eater = await make(
            "sh",
            "-c",
            "dd if=/dev/zero of=/tmp/x bs=1M count=200; echo alive",
            resources=limits,
            tmpfs={"/tmp": "mode=1777,size=300m"},
        )
        assert await engine.wait(eater) in (0, 137)
        assert "200+0 records out" not in await engine.logs(eater)

    async def test_mounts(self, engine: Engine, make: Make, tmp_path: Path) -> None:
        (tmp_path / "seen.txt").write_text("seen")
        (tmp_path / "ca.crt").write_text("certificate")
        container = await make(
            mounts=(
                Mount(str(tmp_path), "/work"),
                Mount(str(tmp_path / "ca.crt"), "/run/mlops/ca.crt", read_only=True),
            ),
            tmpfs={"/tmp": "exec,mode=1777,size=10m", "/run": "mode=1777"},
            read_only=True,
        )
        script = (
            "cat /work/seen.txt /run/mlops/ca.crt; echo new > /work/new.txt; "
            "cp /bin/busybox /tmp/echo 2>/dev/null || cat /bin/busybox > /tmp/echo; "
            "chmod +x /tmp/echo && /tmp/echo ' ran'; touch /run/mine && echo in run; "
            "touch /data/x || echo read-only; echo y > /run/mlops/ca.crt || echo kept"
        )
        _, output = await engine.exec(container, ["sh", "-c", script])
        assert output.splitlines() == ["seencertificate ran", "in run", "read-only", "kept"]
        assert (tmp_path / "new.txt").read_text() == "new\n"
        with pytest.raises(Exception, match="nothing-here"):
            await make(mounts=(Mount(str(tmp_path / "nothing-here"), "/x"),))

    async def test_volumes_are_shared(self, engine: Engine, make: Make) -> None:
        cache = Mount("mlops-test-cache", "/cache")
        first = await make(mounts=(cache,))
        await engine.exec(first, ["sh", "-c", "echo kept > /cache/x"])
        await engine.remove(first)
        second = await make(mounts=(cache,))
        assert await engine.exec(second, ["cat", "/cache/x"]) == (0, "kept\n")
        await engine.remove(second)
        raw: Any = engine
        await raw.connection.call(lambda client: client.remove_volume("mlops-test-cache"))

    async def test_without_a_network(self, engine: Engine, make: Make) -> None:
        container = await make(network="none", hostname="alone")
        _, output = await engine.exec(container, ["ls", "/sys/class/net"])
        assert output.split() == ["lo"]
        # Its own name and ::1 work all the same: debuggers and cluster libraries use them.
        for address in ("alone", "::1", "127.0.0.1"):
            script = f"(echo hi | nc -l -p 5000 &) ; sleep 0.3; nc {address} 5000"
            assert await engine.exec(container, ["sh", "-c", script]) == (0, "hi\n"), address

    async def test_published_ports_are_on_loopback_only(self, engine: Engine, make: Make) -> None:
        container = await make(
            "sh",
            "-c",
            "echo served > /tmp/index.html; exec httpd -f -p 8080 -h /tmp",
            network="bridge",
            ports={8080: 0},
            tmpfs={"/tmp": ""},
        )
        state = await engine.inspect(container)
        assert state is not None
        url = f"http://127.0.0.1:{state.ports[8080]}/index.html"

        def fetch() -> bytes:
            for _ in range(50):
                try:
                    with urllib.request.urlopen(url, timeout=5) as answer:
                        return answer.read()
                except OSError:
                    time.sleep(0.1)
            raise AssertionError(f"{url} does not answer")

        assert await asyncio.to_thread(fetch) == b"served\n"
        raw: Any = engine
        answer = await raw.connection.call(lambda client: client.inspect_container(container))
        bindings = answer["NetworkSettings"]["Ports"]["8080/tcp"]
        assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}

    async def test_files_go_in_and_out(self, engine: Engine, make: Make, tmp_path: Path) -> None:
        container = await make(start=False)
        await engine.put_archive(container, "/data", tar_of(a=b"one"))
        await engine.start(container)
        file = tmp_path / "b.tar"
        file.write_bytes(tar_of(b=b"two" * 100_000))
        await engine.put_archive(container, "/data", file)
        script = "cat /data/a; wc -c < /data/b"
        assert await engine.exec(container, ["sh", "-c", script]) == (0, "one300000\n")
        with tarfile.open(fileobj=io.BytesIO(await engine.get_archive(container, "/data"))) as tar:
            names = {Path(name).name for name in tar.getnames()}
        assert names == {"data", "a", "b"}
        with pytest.raises(NotFoundError):
            await engine.get_archive(container, "/data/nothing")
        with pytest.raises(FileNotFoundError):
            await engine.put_archive(container, "/data", tmp_path / "missing.tar")

    async def test_a_cancelled_create_leaves_nothing(self, engine: Engine, tiny: str) -> None:
        wanted = spec(tiny)
        task = asyncio.ensure_future(engine.create(wanted))
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert wanted.name not in [c.name for c in await engine.list(LABELS)]
