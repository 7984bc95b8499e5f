"""The contract, part two: processes inside containers."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from jupyter_mlops.core.errors import KernelDeadError
from jupyter_mlops.core.ports import Engine, ImageConfig
from jupyter_mlops.engines import processes

from .conftest import LABELS, Make

SECRET = "s3cr3t-0f-th15-t35t"


async def sleepers(engine: Engine, container: str, word: str) -> int:
    """How many processes with this word run in the container."""
    script = 'for f in /proc/[0-9]*/cmdline; do tr "\\0" " " < $f; echo; done 2>/dev/null'
    _, output = await engine.exec(container, ["sh", "-c", script])
    return sum(1 for line in output.splitlines() if line.startswith("sleep") and word in line)


class ProcessContract:
    async def test_exit_code_and_output(self, engine: Engine, make: Make) -> None:
        container = await make()
        chunks: list[str] = []
        code, output = await engine.exec(
            container, ["sh", "-c", "echo out; echo err >&2; exit 3"], on_output=chunks.append
        )
        assert (code, output) == (3, "out\n")
        assert sorted("".join(chunks).split()) == ["err", "out"]
        assert (await engine.exec(container, ["no-such-program"]))[0] == 127

    async def test_output_comes_live(self, engine: Engine, make: Make) -> None:
        container = await make()
        first = asyncio.Event()
        task = asyncio.ensure_future(
            engine.exec(
                container,
                ["sh", "-c", "echo first; while ! test -e /tmp/go; do sleep 0.05; done; echo last"],
                on_output=lambda _text: first.set(),
            )
        )
        await asyncio.wait_for(first.wait(), 10)
        assert not task.done()
        await engine.exec(container, ["touch", "/tmp/go"])
        assert await task == (0, "first\nlast\n")

    async def test_stdin_environment_user_and_folder(self, engine: Engine, make: Make) -> None:
        container = await make()
        data = b"0123456789" * 200_000
        code, output = await engine.exec(container, ["cat"], stdin=data)
        assert (code, output.encode()) == (0, data)
        assert await engine.exec(container, ["wc", "-c"], stdin=b"") == (0, "0\n")
        code, output = await engine.exec(
            container,
            ["sh", "-c", 'echo "$A|$(pwd)|$(id -u)"'],
            environment={"A": "x = 'y' \"z\" $HOME\nnext"},
            user="77:78",
            workdir="/data",
        )
        assert (code, output) == (0, "x = 'y' \"z\" $HOME\nnext|/data|77\n")

    async def test_much_output_of_any_bytes(self, engine: Engine, make: Make) -> None:
        container = await make()
        chunks: list[str] = []
        code, output = await engine.exec(
            container,
            ["sh", "-c", "seq 200000; printf 'h\\303'; sleep 0.2; printf '\\244 \\377'"],
            on_output=chunks.append,
        )
        assert code == 0
        assert output == "".join(chunks)
        assert output.endswith("200000\nhä \ufffd")

    async def test_many_at_once_and_the_loop_stays_free(self, engine: Engine, make: Make) -> None:
        container = await make()
        gaps: list[float] = []

        async def beat() -> None:
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.01)
                gaps.append(time.monotonic() - before)

        heart = asyncio.ensure_future(beat())
        answers = await asyncio.gather(
            *(engine.exec(container, ["sh", "-c", f"sleep 0.2; echo {n}"]) for n in range(20))
        )
        heart.cancel()
        assert answers == [(0, f"{n}\n") for n in range(20)]
        # A call that blocked the loop would show as a gap as long as the whole.
        assert sorted(gaps)[len(gaps) // 2] < 0.1 and len(gaps) > 10

    async def test_cancelling_ends_the_process(
        self, engine: Engine, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(processes, "_GRACE", 1.0)
        container = await make()
        for script in (
            "sleep 7771 & sleep 7771",
            "trap '' TERM; sleep 7771 & while true; do sleep 7771; done",
        ):
            begun = asyncio.Event()
            task = asyncio.ensure_future(
                engine.exec(
                    container,
                    ["sh", "-c", f"echo begun; {script}"],
                    on_output=lambda _text, begun=begun: begun.set(),
                )
            )
            await asyncio.wait_for(begun.wait(), 10)
            await asyncio.sleep(0.3)
            assert await sleepers(engine, container, "7771") == 2
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, 10)
            assert await sleepers(engine, container, "7771") == 0
        # Also at once, before anything was heard of it.
        task = asyncio.ensure_future(engine.exec(container, ["sleep", "7772"]))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.3)
        assert await sleepers(engine, container, "7772") == 0
        assert (await engine.exec(container, ["true"]))[0] == 0

    async def test_a_container_that_ends_takes_its_processes_along(
        self, engine: Engine, make: Make
    ) -> None:
        for end in (engine.kill, engine.remove):
            container = await make()
            begun = asyncio.Event()
            task = asyncio.ensure_future(
                engine.exec(
                    container,
                    ["sh", "-c", "echo begun; sleep 1000"],
                    on_output=lambda _text, begun=begun: begun.set(),
                )
            )
            await asyncio.wait_for(begun.wait(), 10)
            await end(container)
            try:
                code, _ = await asyncio.wait_for(task, 20)
            except KernelDeadError:
                continue
            assert code != 0

    async def test_secrets_stay_out_of_the_engine(self, engine: Engine, make: Make) -> None:
        container = await make()
        code, output = await engine.exec(
            container,
            ["sh", "-c", 'test "$TOKEN" = "$(cat)" && echo same'],
            environment={"TOKEN": SECRET},
            stdin=SECRET.encode(),
        )
        assert (code, output) == (0, "same\n")
        image = await engine.commit(container, ImageConfig(labels=LABELS))
        raw: Any = engine
        told = await raw.connection.call(
            lambda client: [
                client.inspect_container(container),
                client.inspect_image(image),
                client.history(image),
            ]
        )
        assert SECRET not in json.dumps(told)
        await engine.remove_image(image)
