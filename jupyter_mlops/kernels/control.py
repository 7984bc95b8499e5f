"""The server's end of a supervisor's socket."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ..core.errors import KernelDeadError

Event = dict[str, Any]


class Supervisor:
    """A connection to the supervisor of one container.

    It has a thread of its own and belongs to no event loop: Jupyter's managers call a
    provisioner from the server's loop, from nbclient's and from throw-away ones.

    ``on_event`` gets each event on that thread, in order, and ``{"event": "gone"}`` once when
    the connection ends without ``close``: the container has ended, or process 1 in it.
    """

    def __init__(self, sock: socket.socket, on_event: Callable[[Event], None]) -> None:
        self._socket = sock
        self._on_event = on_event
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._closing = False
        self._alive = True
        self._thread = threading.Thread(target=self._read, name="mlops-supervisor", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._alive

    async def request(self, command: str, timeout: float = 30.0, **fields: Any) -> dict[str, Any]:
        """The answer's fields. Raises KernelDeadError when the container is gone or silent, and
        when the supervisor could not do it (the message says why)."""
        number = next(self._numbers)
        future: Future[dict[str, Any]] = Future()
        line = json.dumps({"id": number, "command": command, **fields}).encode() + b"\n"
        with self._lock:
            if not self._alive:
                raise KernelDeadError("The kernel's container has ended.")
            self._waiting[number] = future
        try:
            await asyncio.to_thread(self._send, line)
            answer = await asyncio.wait_for(asyncio.wrap_future(future), timeout)
        except (asyncio.TimeoutError, OSError) as error:
            raise KernelDeadError(
                "The kernel's container does not answer.",
                "It may be paused or out of memory. Shut the kernel down and start it again.",
            ) from error
        finally:
            self._waiting.pop(number, None)
        if not answer.get("ok"):
            raise KernelDeadError(f"The kernel could not be started: {answer.get('error')}.")
        return answer

    def close(self) -> None:
        """No event comes any more."""
        self._closing = True
        # The other side may have been quicker.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _send(self, line: bytes) -> None:
        with self._lock:
            self._socket.sendall(line)

    def _read(self) -> None:
        buffer = b""
        while True:
            try:
                chunk = self._socket.recv(65536)
            except OSError:
                chunk = b""
            if not chunk:
                break
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                self._dispatch(json.loads(line))
        self._alive = False
        with self._lock:
            waiting = list(self._waiting.values())
        for future in waiting:
            if not future.done():
                future.set_exception(KernelDeadError("The kernel's container has ended."))
        if not self._closing:
            self._on_event({"event": "gone"})

    def _dispatch(self, message: dict[str, Any]) -> None:
        if "event" in message:
            self._on_event(message)
            return
        future = self._waiting.get(message.get("id", 0))
        # A caller that was cancelled has cancelled its future with it.
        if future is not None and future.set_running_or_notify_cancel():
            future.set_result(message)
