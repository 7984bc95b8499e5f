"""The contract, part four: events, figures and logs."""

from __future__ import annotations

import asyncio
import threading

import pytest

from jupyter_mlops.core.environment import Resources
from jupyter_mlops.core.errors import KernelDeadError
from jupyter_mlops.core.layout import LABEL_KERNEL
from jupyter_mlops.core.ports import Engine, EngineEvent

from .conftest import LABELS, Make


class WatchingContract:
    async def test_events(self, engine: Engine, make: Make) -> None:
        before = threading.active_count()
        seen: list[EngineEvent] = []
        stream = engine.events({**LABELS, LABEL_KERNEL: "watched"})

        async def watch() -> None:
            async for event in stream:
                seen.append(event)

        labels = {**LABELS, LABEL_KERNEL: "watched"}
        # Begun before anybody waits for the first event, and seen all the same.
        container = await make("sleep", "1000", labels=labels)
        watching = asyncio.ensure_future(watch())
        other = await make(labels={**LABELS, LABEL_KERNEL: "other"})
        await engine.exec(container, ["echo", "not an event"])
        pauses = (await engine.info()).pause
        if pauses:
            await engine.pause(container)
            await engine.unpause(container)
        await engine.kill(container)
        await engine.remove(container)
        await engine.remove(other)
        for _ in range(100):
            if seen and seen[-1].action == "remove":
                break
            await asyncio.sleep(0.05)
        actions = [event.action for event in seen if event.action != "kill"]
        middle = ["pause", "unpause"] if pauses else []
        assert actions == ["create", "start", *middle, "die", "remove"]
        assert {event.container for event in seen} == {container}
        assert {event.labels[LABEL_KERNEL] for event in seen} == {"watched"}
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(watching, 5)
        await asyncio.sleep(0.1)
        assert threading.active_count() <= before + 6  # Idle ones of the pool may stay.

    async def test_an_event_stream_ends_when_it_is_closed(self, engine: Engine, make: Make) -> None:
        stream = engine.events(LABELS)
        container = await make()
        async for event in stream:
            assert event.container == container
            break
        await asyncio.wait_for(stream.aclose(), 5)  # type: ignore[attr-defined]
        # And one in which nothing ever happened.
        silent = engine.events({LABEL_KERNEL: "nobody"})
        waiting = asyncio.ensure_future(anext(silent))
        await asyncio.sleep(0.3)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, 5)

    async def test_stats(self, engine: Engine, make: Make) -> None:
        busy = await make(
            "sh",
            "-c",
            "while true; do :; done",
            resources=Resources(cpus=0.5, memory=100 * 1024**2),
        )
        usage = await engine.stats(busy)
        if (await engine.info()).limits:
            assert usage.memory_limit == 100 * 1024**2 and 0 < usage.memory < 50 * 1024**2
            assert 0.05 < usage.cpu < 1.5
        await engine.kill(busy)
        await engine.wait(busy)
        with pytest.raises(KernelDeadError):
            await engine.stats(busy)

    async def test_logs(self, engine: Engine, make: Make) -> None:
        container = await make(
            "sh", "-c", "for n in 1 2 3; do echo out $n; echo err $n >&2; done; echo ä"
        )
        await engine.wait(container)
        lines = (await engine.logs(container)).splitlines()
        assert sorted(lines) == ["err 1", "err 2", "err 3", "out 1", "out 2", "out 3", "ä"]
        assert len((await engine.logs(container, tail=2)).strip().split("\n")) == 2

    async def test_what_the_engine_can_do(self, engine: Engine) -> None:
        capabilities = await engine.info()
        assert capabilities.title.lower().startswith(capabilities.name)
        assert capabilities.title.split()[1][0].isdigit()
        assert capabilities.socket.startswith("unix://") and capabilities.ipc
