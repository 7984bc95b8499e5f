"""Live events of an engine that speaks Docker's API."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ..core.layout import LABEL_PREFIX
from ..core.ports import Engine, EngineEvent
from .connection import Connection
from .failures import unavailable
from .image_config import label_filter, matches
from .stream import Stream

_ACTIONS = {
    "create": "create",
    "start": "start",
    "kill": "kill",
    "stop": "stop",
    "die": "die",
    "died": "die",
    "oom": "oom",
    "pause": "pause",
    "unpause": "unpause",
    "destroy": "remove",
    "remove": "remove",
}
"""Both engines' words to ours. Events of exec are left out: some carry the command line."""


class EventCalls(Engine):
    """The port's ``events``."""

    connection: Connection

    def events(self, labels: Mapping[str, str]) -> AsyncIterator[EngineEvent]:
        # From the call on, not from the first wait for an event: nothing falls in between.
        return self._events(dict(labels), time.time())

    async def _events(self, labels: dict[str, str], since: float) -> AsyncIterator[EngineEvent]:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[EngineEvent | None] = asyncio.Queue()

        def pass_on(event: EngineEvent | None) -> None:
            with contextlib.suppress(RuntimeError):  # The loop has been closed.
                loop.call_soon_threadsafe(queue.put_nowait, event)

        def read(stream: Stream) -> None:
            filters = {"type": ["container"]}
            if labels:
                filters["label"] = label_filter(labels)
            response = stream.request(
                "/events",
                method="GET",
                params={"since": f"{since:.6f}", "filters": json.dumps(filters)},
            )
            try:
                for message in stream.messages(response):
                    event = _event(message, labels)
                    if event is not None and matches(event.labels, labels):
                        pass_on(event)
            except Exception:
                if not stream.closed:
                    raise
            if not stream.closed:
                raise unavailable(self.connection.title)

        task = asyncio.ensure_future(self.connection.stream(read))
        task.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while True:
                event = await queue.get()
                if event is None:
                    break
                yield event
            task.result()
        finally:
            task.cancel()
            await asyncio.wait([task])


def _event(message: dict[str, Any], wanted: Mapping[str, str]) -> EngineEvent | None:
    action = _ACTIONS.get(str(message.get("Action") or message.get("status") or ""))
    actor = message.get("Actor") or {}
    if action is None or not actor.get("ID"):
        return None
    attributes = actor.get("Attributes") or {}
    return EngineEvent(
        container=actor["ID"],
        action=action,
        # Among the attributes are the container's name, its image and how it ended, too.
        labels={
            key: value
            for key, value in attributes.items()
            if key in wanted or key.startswith(LABEL_PREFIX)
        },
    )
