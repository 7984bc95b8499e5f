"""Events for the browser: hints that something changed, sent at most four times a second each.

Everyone who may listen to a server's events sees all of them: they hold names, never contents.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_events import EventLogger

    from ..core.kernel import KernelEvent
    from ..core.operation import Operation

OPERATION = "https://jupyter-mlops.dev/events/operation/v1"
KERNEL = "https://jupyter-mlops.dev/events/kernel/v1"
SECRETS = "https://jupyter-mlops.dev/events/secrets/v1"
ENVIRONMENTS = "https://jupyter-mlops.dev/events/environments/v1"

INTERVAL = 0.25
"""Seconds between two events of one operation, unless its state changed."""

_MAKES_KERNELS = ("base", "build", "open", "snapshot")
"""Operations after which the lists of environments and kernel specs are other ones."""
_DONE = ("succeeded", "failed")
"""A build may fail with a new revision: one whose smoke notebook did not pass."""


def register(event_logger: EventLogger) -> None:
    for file in sorted((Path(__file__).parent / "event_schemas").glob("*.yaml")):
        event_logger.register_event_schema(file)


@dataclass
class _Sent:
    state: Any
    phase: str
    at: float
    later: asyncio.TimerHandle | None = None
    newest: Operation | None = None


class Emitter:
    """Sends events. All methods are called on the server's loop."""

    def __init__(self, event_logger: EventLogger) -> None:
        self._events = event_logger
        self._sent: dict[str, _Sent] = {}

    def operation(self, operation: Operation) -> None:
        sent = self._sent.get(operation.id)
        news = sent is None or (sent.state, sent.phase) != (operation.state, operation.phase)
        if sent is None or news or monotonic() - sent.at >= INTERVAL:
            self._send(operation)
        else:
            sent.newest = operation
            if sent.later is None:
                delay = INTERVAL - (monotonic() - sent.at)
                loop = asyncio.get_running_loop()
                sent.later = loop.call_later(delay, self._send_newest, operation.id)

    def kernel(self, event: KernelEvent) -> None:
        data = {"kernel_id": event.kernel_id, "reason": event.reason, "limit": event.limit}
        self._emit(KERNEL, {**data, "message": event.message, "hint": event.hint})

    def secrets(self, kernel_id: str) -> None:
        self._emit(SECRETS, {"kernel_id": kernel_id})

    def environments_changed(self) -> None:
        self._emit(ENVIRONMENTS, {"action": "changed"})

    def close(self) -> None:
        for sent in self._sent.values():
            if sent.later is not None:
                sent.later.cancel()
        self._sent.clear()

    def _send_newest(self, id: str) -> None:
        sent = self._sent.get(id)
        if sent is not None and sent.newest is not None:
            self._send(sent.newest)

    def _send(self, operation: Operation) -> None:
        sent = self._sent.pop(operation.id, None)
        if sent is not None and sent.later is not None:
            sent.later.cancel()
        if not operation.state.ended:
            self._sent[operation.id] = _Sent(operation.state, operation.phase, monotonic())
        data = {
            "id": operation.id,
            "kind": operation.kind,
            "subject": operation.subject,
            "state": operation.state.value,
            "phase": operation.phase,
            "progress": operation.progress,
            "message": operation.message,
        }
        self._emit(OPERATION, data)
        if operation.state.value in _DONE and operation.kind in _MAKES_KERNELS:
            self.environments_changed()

    def _emit(self, schema_id: str, data: dict[str, Any]) -> None:
        self._events.emit(schema_id=schema_id, data=data)
