"""Operations: long pieces of work that are recorded, can be watched, and can be cancelled.

The process that runs an operation holds its newest state and saves it now and then; others read
the store. To cancel one that another process runs, a file next to its log is the request.
"""

from __future__ import annotations

import asyncio
import builtins
import logging
import os
import uuid
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import anyio.to_thread

from ..core.container_network import secrets_of
from ..core.errors import CancelledError, MlopsError, NotFoundError
from ..core.operation import Operation, OperationError, OperationState
from ..core.ports import Progress, Store
from ..core.settings import Settings
from .operation_failures import explained
from .operation_logs import read_log
from .processes import started_after
from .running_operation import RunningOperation, now

logger = logging.getLogger("jupyter_mlops.operations")

Work = Callable[[Progress], Awaitable[dict[str, Any]]]
Listener = Callable[[Operation, "str | None"], None]

SAVE_SECONDS = 0.5
"""Progress is saved, and requests to cancel are looked for, this often."""
CANCEL_SECONDS = 5.0
"""How long ``cancel`` waits for the work to clean up before it answers."""
CLOSE_SECONDS = 15.0
"""How long ``close`` waits for everything to clean up."""

_here: dict[str, RunningOperation] = {}
"""What this process runs, whichever service started it."""


class Operations:
    """Starts, watches and ends operations. One per set of services."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        on_change: Callable[[Operation], None] | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._on_change = on_change
        self._running: dict[str, RunningOperation] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        # Builds keep processors, disk and network busy: more of them at once end later, not sooner.
        self._turns = {"build": asyncio.Semaphore(settings.concurrent_builds)}

    # ---------------------------------------------------------------------- start, run

    async def start(self, kind: str, subject: str, work: Work) -> Operation:
        """Run ``work`` in the background; its dict becomes the operation's result."""
        running = await self._begin(kind, subject, None)
        task = asyncio.create_task(self._carry(running, work), name=f"operation {kind} {subject}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return running.operation

    async def run(
        self, kind: str, subject: str, work: Work, listener: Listener | None = None
    ) -> Operation:
        """Run ``work`` to its end. Raises its MlopsError, or InternalError for any other, once
        it is recorded; cancelling the caller cancels the work."""
        running = await self._begin(kind, subject, listener)
        error = await self._carry(running, work)
        if error is not None:
            raise error
        return running.operation

    # ------------------------------------------------------------------------- look at

    async def get(self, id: str) -> Operation:
        if id in self._running:
            return self._running[id].operation
        operation = await self._store.operations.get(id)
        if operation is None:
            raise NotFoundError(f"There is no operation {id}.")
        return operation

    async def list(
        self, limit: int | None = None, after: str = "", state: str = "", kind: str = ""
    ) -> builtins.list[Operation]:
        """Newest first."""
        where = {name: value for name, value in (("state", state), ("kind", kind)) if value}
        found = await self._store.operations.list(limit=limit, after=after, **where)
        newest = [self._running[o.id].operation if o.id in self._running else o for o in found]
        # One that just ended may not be saved yet.
        return [o for o in newest if not state or o.state.value == state]

    async def log(self, id: str, offset: int = 0) -> tuple[str, int]:
        """Text from a byte offset on, and the offset to go on from. Empty text: no more yet."""
        await self.get(id)
        return await anyio.to_thread.run_sync(read_log, self._log_file(id), max(0, offset))

    # --------------------------------------------------------------------------- end

    async def cancel(self, id: str) -> Operation:
        """Ask the work to stop and clean up; answers when it has, or after a few seconds.

        An operation that has ended stays as it is.
        """
        operation = await self.get(id)
        if operation.state.ended:
            return operation
        running = self._running.get(id)
        if running is not None:
            running.cancel()
        elif _alive(operation):
            self._cancel_file(id).touch(mode=0o600)
        else:
            return await self._interrupted(operation)
        deadline = monotonic() + CANCEL_SECONDS
        while not operation.state.ended and monotonic() < deadline:
            await asyncio.sleep(0.1)
            operation = await self.get(id)
        return operation

    async def recover(self) -> int:
        """Mark what a dead process left behind as interrupted; returns how many."""
        count = 0
        for state in (OperationState.QUEUED, OperationState.RUNNING):
            for operation in await self._store.operations.list(state=state.value):
                if not _alive(operation):
                    await self._interrupted(operation)
                    count += 1
        return count

    async def close(self) -> None:
        """End what runs here: it is recorded as interrupted, and cleans up."""
        for running in self._running.values():
            running.stopping = True
            running.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)

    # ------------------------------------------------------------------------- private

    async def _begin(self, kind: str, subject: str, listener: Listener | None) -> RunningOperation:
        same = [r for r in self._running.values() if r.operation.kind == kind]
        waits = kind in self._turns and len(same) >= self._settings.concurrent_builds
        operation = Operation(
            id=f"o-{uuid.uuid4().hex[:16]}",
            kind=kind,
            subject=subject,
            state=OperationState.QUEUED if waits else OperationState.RUNNING,
            created=now(),
            started="" if waits else now(),
            message="Waiting for other builds" if waits else "",
            owner=self._settings.owner,
            pid=os.getpid(),
        )
        await self._store.operations.save(operation)
        running = RunningOperation(
            operation,
            self._log_file(operation.id),
            secrets_of(self._settings.network),
            lambda changed, text: self._tell(changed, text, listener),
        )
        self._running[operation.id] = _here[operation.id] = running
        self._tell(operation, None, listener)
        return running

    async def _carry(self, running: RunningOperation, work: Work) -> MlopsError | None:
        """Do the work and record how it ended; returns the error that it ended with."""
        running.begin(asyncio.create_task(self._result(work, running)))
        assert running.task is not None
        watch = asyncio.create_task(self._watch(running))
        error: MlopsError | None = None
        asked_to_stop = False
        try:
            while not running.task.done():
                try:
                    await asyncio.wait([running.task])
                except asyncio.CancelledError:
                    # The caller is cancelled: the work is to clean up first.
                    asked_to_stop = True
                    running.cancel()
            error = self._record(running)
        finally:
            watch.cancel()
            # Else its last save could come after ours.
            await asyncio.wait([watch])
            await self._settle(running)
        if asked_to_stop and running.operation.state is not OperationState.SUCCEEDED:
            raise asyncio.CancelledError
        return error

    async def _result(self, work: Work, running: RunningOperation) -> dict[str, Any]:
        async with self._turns.get(running.operation.kind) or nullcontext():
            if running.operation.state is OperationState.QUEUED:
                running.set(state=OperationState.RUNNING, started=now(), message="")
            return await work(running)

    async def _settle(self, running: RunningOperation) -> None:
        """Save the end, whatever else happens, and forget the operation here."""
        id = running.operation.id
        try:
            await self._store.operations.save(running.operation)
        except MlopsError as error:
            logger.error("The end of operation %s is not recorded: %s", id, error)
        finally:
            self._running.pop(id, None)
            _here.pop(id, None)
            self._cancel_file(id).unlink(missing_ok=True)

    def _record(self, running: RunningOperation) -> MlopsError | None:
        """Turn what became of the task into the operation's last state."""
        assert running.task is not None
        if running.task.cancelled():
            return self._record_cancelled(running)
        failure = running.task.exception()
        if failure is None:
            running.end(
                state=OperationState.SUCCEEDED, result=running.task.result() or {}, progress=1.0
            )
            return None
        if isinstance(failure, CancelledError):
            return self._record_cancelled(running)
        if running.cancelling:
            # The cleaning up failed; what the user asked for is still that it ends.
            logger.warning("Cleaning up after %s: %s", running.operation.id, failure)
            running.write(f"\nWhile cleaning up: {failure}\n")
            return self._record_cancelled(running)
        error = failure if isinstance(failure, MlopsError) else explained(failure, running)
        message, hint = running.masked(error.message), running.masked(error.hint)
        running.write(f"\nFailed: {message} {hint}\n")
        running.end(
            state=OperationState.FAILED,
            error=OperationError(error.code, message, hint),
            result=error.result,
        )
        return error

    def _record_cancelled(self, running: RunningOperation) -> MlopsError:
        if running.stopping:
            running.write("\nInterrupted: the process that ran this was stopped.\n")
            running.end(state=OperationState.INTERRUPTED, message=INTERRUPTED)
        else:
            running.write("\nCancelled.\n")
            running.end(state=OperationState.CANCELLED, message="Cancelled.")
        return CancelledError(f"{running.operation.kind} {running.operation.subject}: cancelled.")

    async def _watch(self, running: RunningOperation) -> None:
        """Save progress for other processes, and hear their requests to cancel."""
        saved: Operation | None = None
        file = self._cancel_file(running.operation.id)
        while True:
            if file.exists():
                file.unlink(missing_ok=True)
                running.cancel()
            if running.operation is not saved and not running.operation.state.ended:
                saved = running.operation
                try:
                    await self._store.operations.save(saved)
                except MlopsError as error:
                    logger.warning("Progress of operation %s is not saved: %s", saved.id, error)
            await asyncio.sleep(SAVE_SECONDS)

    async def _interrupted(self, operation: Operation) -> Operation:
        ended = replace(
            operation, state=OperationState.INTERRUPTED, ended=now(), message=INTERRUPTED
        )
        await self._store.operations.save(ended)
        self._cancel_file(operation.id).unlink(missing_ok=True)
        self._tell(ended, None, None)
        return ended

    def _tell(self, operation: Operation, text: str | None, listener: Listener | None) -> None:
        # Who listens must never be able to break the work.
        try:
            if listener is not None:
                listener(operation, text)
            if self._on_change is not None and text is None:
                self._on_change(operation)
        except Exception:
            logger.exception("A listener of operation %s failed", operation.id)

    def _log_file(self, id: str) -> Path:
        return self._settings.data / "logs" / f"{id}.log"

    def _cancel_file(self, id: str) -> Path:
        return self._log_file(id).with_suffix(".cancel")


INTERRUPTED = "The process that ran this ended before it was done. Start it again."


def _alive(operation: Operation) -> bool:
    """Whether the process that runs it still does."""
    if operation.pid == os.getpid():
        return operation.id in _here
    return started_after(operation.pid, operation.created) is False
