"""Operations with a real store, log files and processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlops.core.errors import (
    InternalError,
    NotFoundError,
    UnsatisfiableError,
)
from jupyter_mlops.core.operation import Operation, OperationState
from jupyter_mlops.core.settings import NetworkSettings, Settings
from jupyter_mlops.services.operations import Operations
from jupyter_mlops.store.store import SqlStore
from tests.parts.waiting import wait_until


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data=tmp_path,
        runtime=tmp_path,
        uv=Path("uv"),
        owner="ada",
        network=NetworkSettings(index_url="https://ada:s3cretword@pypi.example/simple"),
    )


@pytest.fixture
def changes() -> list[Operation]:
    return []


@pytest.fixture
def operations(settings: Settings, changes: list[Operation], jp_asyncio_loop):
    store = SqlStore(settings.data / "mlops.sqlite")
    operations = Operations(store, settings, changes.append)
    yield operations
    jp_asyncio_loop.run_until_complete(operations.close())
    jp_asyncio_loop.run_until_complete(store.close())


async def ended(operations: Operations, id: str) -> Operation:
    async def has_ended() -> bool:
        # Only what is saved counts.
        return (await operations.get(id)).state.ended and id not in operations._running

    await wait_until(has_ended)
    return await operations.get(id)


async def test_work_that_succeeds(operations: Operations, changes: list[Operation]):
    async def work(progress):
        progress.phase("resolve", "Asking the index")
        progress.log("resolved 3 packages\n")
        await asyncio.sleep(0.05)
        # The same step goes on.
        progress.phase("resolve", "Once more")
        progress.phase("python")
        progress.update("2 of 4", 0.5)
        progress.log("installed ü\n")
        return {"environment": "churn", "revision": 1}

    started = await operations.start("build", "churn", work)
    assert started.state is OperationState.RUNNING and started.owner == "ada"
    operation = await ended(operations, started.id)
    assert operation.state is OperationState.SUCCEEDED
    assert operation.result == {"environment": "churn", "revision": 1}
    assert [p.name for p in operation.phases] == ["resolve", "python"]
    assert operation.phases[0].seconds is not None and operation.phases[0].seconds >= 0.05
    assert operation.phases[1].seconds is not None
    assert operation.started and operation.ended and operation.progress == 1.0
    text, next = await operations.log(operation.id)
    assert text == (
        "== resolve: Asking the index\nresolved 3 packages\n== resolve: Once more\n"
        "== python\ninstalled ü\n"
    )
    assert await operations.log(operation.id, next) == ("", next)
    assert await operations.log(operation.id, next - len("installed ü\n".encode())) == (
        "installed ü\n",
        next,
    )
    states = [o.state.value for o in changes]
    assert states[0] == "running" and states[-1] == "succeeded"
    assert 0.5 in [o.progress for o in changes]


async def test_a_domain_error_is_recorded_without_secrets(operations: Operations):
    async def work(progress):
        progress.phase("resolve", "from https://ada:s3cretword@pypi.example/simple")
        progress.log("GET https://ada:s3cretword@pypi.example/simple\n")
        raise UnsatisfiableError("No pandas 99 at s3cretword.", "Ask for another version.")

    operation = await ended(operations, (await operations.start("build", "churn", work)).id)
    assert operation.state is OperationState.FAILED
    assert operation.error is not None
    assert operation.error.code == "unsatisfiable"
    assert operation.error.hint == "Ask for another version."
    text, _ = await operations.log(operation.id)
    assert "s3cretword" not in f"{operation}{text}"
    assert "Failed: No pandas 99" in text


async def test_an_unforeseen_error_is_put_in_plain_words(operations: Operations):
    async def work(progress):
        progress.phase("freeze")
        raise KeyError("layers")

    operation = await ended(operations, (await operations.start("build", "churn", work)).id)
    assert operation.state is OperationState.FAILED
    assert operation.error is not None and operation.error.code == "internal"
    assert "freeze" in operation.error.message
    assert "Traceback" not in operation.error.message + operation.error.hint
    text, _ = await operations.log(operation.id)
    assert "Traceback" in text and "KeyError" in text


async def test_a_full_disk_is_named(operations: Operations):
    async def work(progress):
        # The device that is always full.
        await asyncio.to_thread(Path("/dev/full").write_text, "x" * 100_000)

    operation = await ended(operations, (await operations.start("build", "churn", work)).id)
    assert operation.error is not None and operation.error.code == "disk_full"


async def test_cancel_waits_for_the_cleaning_up(operations: Operations):
    begun, cleaned = asyncio.Event(), []

    async def work(progress):
        try:
            begun.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            cleaned.append(True)

    started = await operations.start("build", "churn", work)
    await begun.wait()
    operation = await operations.cancel(started.id)
    assert operation.state is OperationState.CANCELLED and cleaned
    again = await operations.cancel(started.id)
    assert again.state is OperationState.CANCELLED
    with pytest.raises(NotFoundError):
        await operations.cancel("o-none")


async def test_cancel_before_the_work_began(operations: Operations):
    done = []

    async def work(progress):
        done.append(True)

    started = await operations.start("build", "churn", work)
    assert (await operations.cancel(started.id)).state is OperationState.CANCELLED
    assert not done


async def test_a_cancelled_operation_stays_cancelled_when_cleaning_up_fails(operations):
    begun = asyncio.Event()

    async def work(progress):
        try:
            begun.set()
            await asyncio.sleep(60)
        finally:
            raise OSError("the engine is gone")

    started = await operations.start("build", "churn", work)
    await begun.wait()
    operation = await operations.cancel(started.id)
    assert operation.state is OperationState.CANCELLED
    assert "the engine is gone" in (await operations.log(started.id))[0]


async def test_run_tells_its_listener_and_raises(operations: Operations):
    heard: list[tuple[str, str | None]] = []

    async def work(progress):
        progress.phase("one")
        progress.log("text")
        raise UnsatisfiableError("No.")

    def listener(operation: Operation, text: str | None) -> None:
        heard.append((operation.state.value, text))
        raise RuntimeError("a listener that fails is no failure of the work")

    with pytest.raises(UnsatisfiableError):
        await operations.run("build", "churn", work, listener)
    assert ("running", "text") in heard and heard[-1] == ("failed", None)
    (recorded,) = await operations.list()
    assert recorded.state is OperationState.FAILED

    async def broken(progress):
        raise ZeroDivisionError

    with pytest.raises(InternalError):
        await operations.run("build", "churn", broken)


async def test_cancelling_the_caller_of_run_cancels_the_work(operations: Operations):
    begun, cleaned = asyncio.Event(), []

    async def work(progress):
        try:
            begun.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            cleaned.append(True)

    task = asyncio.create_task(operations.run("build", "churn", work))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned
    (recorded,) = await operations.list()
    assert recorded.state is OperationState.CANCELLED


async def test_progress_from_a_thread_arrives_on_the_loop(
    operations: Operations, changes: list[Operation]
):
    threads = set()
    tell, operations._on_change = operations._on_change, None

    def on_change(operation: Operation) -> None:
        threads.add(threading.get_ident())
        tell(operation)

    operations._on_change = on_change

    async def work(progress):
        await asyncio.to_thread(progress.phase, "elsewhere")
        await asyncio.to_thread(progress.log, "from a thread\n")
        await asyncio.sleep(0)
        return {}

    operation = await ended(operations, (await operations.start("build", "churn", work)).id)
    assert operation.phase == "elsewhere"
    assert threads == {threading.get_ident()}


async def test_progress_is_saved_for_other_processes(operations: Operations, settings: Settings):
    begun = asyncio.Event()

    async def work(progress):
        progress.phase("python", "half")
        progress.update(fraction=0.5)
        begun.set()
        await asyncio.sleep(60)

    started = await operations.start("build", "churn", work)
    await begun.wait()
    other = Operations(SqlStore(settings.data / "mlops.sqlite"), settings)

    async def is_half_done() -> bool:
        return (await other.get(started.id)).progress == 0.5

    await wait_until(is_half_done)
    # Another process cancels by its file.
    (settings.data / "logs" / f"{started.id}.cancel").touch()
    assert (await ended(operations, started.id)).state is OperationState.CANCELLED
    assert not (settings.data / "logs" / f"{started.id}.cancel").exists()


PROCESS = """
import asyncio, sys
from pathlib import Path
from jupyter_mlops.core.settings import Settings
from jupyter_mlops.services.operations import Operations
from jupyter_mlops.store.store import SqlStore

async def main():
    data = Path(sys.argv[1])
    settings = Settings(data=data, runtime=data, uv=Path("uv"), owner="ada")
    operations = Operations(SqlStore(data / "mlops.sqlite"), settings)

    async def work(progress):
        progress.phase("python")
        try:
            await asyncio.sleep(60)
        finally:
            Path(data / "cleaned").touch()
    started = await operations.start("build", "churn", work)
    print(started.id, flush=True)
    while not (await operations.get(started.id)).state.ended or operations._tasks:
        await asyncio.sleep(0.05)

asyncio.run(main())
"""


@pytest.fixture
def elsewhere(settings: Settings):
    """An operation that another process runs: (process, operation id)."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(settings.data)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield process, process.stdout.readline().strip()
    process.kill()
    process.wait()


async def test_an_operation_of_another_process_is_cancelled(
    operations: Operations, settings: Settings, elsewhere
):
    process, id = elsewhere
    assert (await operations.get(id)).pid == process.pid
    assert await operations.recover() == 0
    operation = await operations.cancel(id)
    assert operation.state is OperationState.CANCELLED
    assert (settings.data / "cleaned").exists()
    assert process.wait(10) == 0


async def test_operations_of_a_killed_process_are_interrupted(
    operations: Operations, elsewhere, changes: list[Operation]
):
    process, id = elsewhere
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert await operations.recover() == 1
    operation = await operations.get(id)
    assert operation.state is OperationState.INTERRUPTED and operation.ended
    assert changes[-1] == operation
    assert await operations.recover() == 0


@pytest.fixture
def other_process():
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


async def test_a_process_number_that_was_given_out_again_is_not_trusted(
    operations: Operations, other_process
):
    left = Operation("o-old", "build", "churn", OperationState.RUNNING, "2020-01-01T00:00:00+00:00")
    await operations._store.operations.save(replace(left, pid=other_process.pid))
    assert await operations.recover() == 1
    assert (await operations.get("o-old")).state is OperationState.INTERRUPTED


async def test_close_interrupts_what_runs(operations: Operations, settings: Settings):
    begun = asyncio.Event()

    async def work(progress):
        begun.set()
        await asyncio.sleep(60)

    started = await operations.start("build", "churn", work)
    await begun.wait()
    await operations.close()
    fresh = Operations(SqlStore(settings.data / "mlops.sqlite"), settings)
    assert (await fresh.get(started.id)).state is OperationState.INTERRUPTED
