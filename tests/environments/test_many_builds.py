"""Many builds asked for at once: bounded, on one cache, each of them can be cancelled."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_mlops.core.operation import Operation, OperationState
from jupyter_mlops.core.ports import Progress
from jupyter_mlops.wiring import Services
from tests.parts.services import Tiny, tiny_spec
from tests.parts.waiting import wait_until

from .test_build import containers, images

pytestmark = pytest.mark.docker

NAMES = [f"many-{number}" for number in range(10)]


async def test_ten_at_once(services: Services, tiny_environment: Tiny):
    async def start(name: str) -> Operation:
        spec = tiny_spec(services, name=name, variables={"NAME": name})

        async def work(progress: Progress) -> dict[str, str]:
            await services.environments.build(spec, progress)
            return {}

        return await services.operations.start("build", name, work)

    ids = [(await start(name)).id for name in NAMES]

    async def states() -> list[OperationState]:
        return [(await services.operations.get(id)).state for id in ids]

    async def many_run() -> bool:
        return len(await containers(services)) == services.settings.concurrent_builds

    await wait_until(many_run, seconds=120)
    assert (await states()).count(OperationState.QUEUED) == 8
    waiting = await services.operations.get(ids[-1])
    assert waiting.message == "Waiting for other builds" and not waiting.started

    # One that runs, and some that wait for their turn.
    for number in (0, 9, 7, 8, 6):
        ended = await services.operations.cancel(ids[number])
        assert ended.state is OperationState.CANCELLED
        assert await images(services, NAMES[number]) == []
        assert await services.environments.revisions(NAMES[number]) == []

    most = 0
    while not all(state.ended for state in await states()):
        most = max(most, len(await containers(services)))
        await asyncio.sleep(0.2)
    # A build's own container, and one in which its image is looked at.
    assert 1 < most <= 2 * services.settings.concurrent_builds
    assert (await states())[1:6] == [OperationState.SUCCEEDED] * 5
    for name in NAMES[1:6]:
        await services.environments.delete(name)
    assert await containers(services) == []
