"""Events reach whoever listens, few enough, and the last one always."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anyio
import pytest

from jupyter_mlops.core.kernel import KernelEvent
from jupyter_mlops.server.events import ENVIRONMENTS, KERNEL, OPERATION
from tests.parts.waiting import wait_until


@pytest.fixture
def heard(jp_serverapp: Any) -> list[tuple[str, dict[str, Any]]]:
    """(schema, data) of every event of ours."""
    events: list[tuple[str, dict[str, Any]]] = []

    async def listener(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        events.append((schema_id, data))

    for schema in (OPERATION, KERNEL, ENVIRONMENTS):
        jp_serverapp.event_logger.add_listener(schema_id=schema, listener=listener)
    return events


async def settled(services: Any) -> None:
    await wait_until(lambda: not services.operations._tasks)
    # Listeners are called by tasks of their own.
    await asyncio.sleep(0.05)


async def test_an_operation_is_told_a_few_times_a_second(running, heard):
    services = await running.services()

    async def work(progress: Any) -> dict[str, Any]:
        progress.phase("push")
        for number in range(100):
            progress.update(f"layer {number}", number / 100)
            await asyncio.sleep(0.01)
        return {}

    await services.operations.start("publish", "churn", work)
    await settled(services)
    operations = [data for schema, data in heard if schema == OPERATION]
    states = [data["state"] for data in operations]
    assert states == ["running"] * (len(states) - 1) + ["succeeded"]
    # One second of work: the start, the phase, four or five of progress, the end.
    assert 5 <= len(operations) <= 12
    assert any(data["progress"] for data in operations)
    assert operations[-1]["kind"] == "publish" and operations[-1]["subject"] == "churn"


async def test_the_newest_progress_is_told_though_nothing_follows(running, heard):
    services = await running.services()

    async def work(progress: Any) -> dict[str, Any]:
        progress.phase("push")
        progress.update("first", 0.1)
        progress.update("last", 0.9)
        await asyncio.sleep(0.6)
        return {}

    await services.operations.start("publish", "churn", work)
    await settled(services)
    assert 0.9 in [data.get("progress") for _, data in heard]


async def test_environments_changed_after_a_build_and_a_change(running, heard, api):
    services = await running.services()

    async def work(progress: Any) -> dict[str, Any]:
        return {}

    await services.operations.start("build", "churn", work)
    await settled(services)
    assert (ENVIRONMENTS, {"action": "changed"}) in [(s, _plain(d)) for s, d in heard]


async def test_what_happened_to_a_kernel_is_told(running, heard):
    from jupyter_mlops import wiring

    services = await running.services()
    parts = wiring._parts[str(services.settings.data)]
    assert parts.on_event is not None
    event = KernelEvent("k-1", "out_of_memory", "The kernel used all its memory.", "Use less.")
    parts.on_event(event)
    await asyncio.sleep(0.05)
    ((schema, data),) = heard
    assert schema == KERNEL
    assert _plain(data) == {
        "kernel_id": "k-1",
        "reason": "out_of_memory",
        "message": "The kernel used all its memory.",
        "hint": "Use less.",
        "limit": 0,
    }


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    """Without what the event system adds."""
    return {key: value for key, value in data.items() if not key.startswith("__")}


async def test_a_browser_hears_of_an_operation(running, jp_ws_fetch):
    """Over the socket that JupyterLab listens to."""
    socket = await jp_ws_fetch("api", "events", "subscribe")

    async def work(progress: Any) -> dict[str, Any]:
        return {}

    services = await running.services()
    started = await services.operations.start("check", "churn", work)
    heard = []
    with anyio.fail_after(10):
        while not heard or heard[-1]["state"] != "succeeded":
            message = json.loads(await socket.read_message())
            if message["schema_id"] == OPERATION:
                heard.append(message)
    assert {message["id"] for message in heard} == {started.id}
    socket.close()
