"""Processes inside containers (``exec``), of an engine that speaks Docker's API."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from docker.errors import NotFound

from ..core.errors import KernelDeadError
from ..core.ports import Engine, OutputCallback
from .connection import Connection
from .stream import STDOUT, Stream, frames, socket_of

_WRAPPER = ("/bin/sh", "-c", 'echo "$$"; exec "$@"', "sh")
"""Tells the process id inside the container, without which the process could not be ended:
closing the stream ends nothing. An exec'd process leads a process group of its own."""

_GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL when a task is cancelled."""


class ProcessCalls(Engine):
    """The port's ``exec``."""

    connection: Connection

    async def exec(
        self,
        container: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        user: str = "",
        workdir: str = "",
        on_output: OutputCallback | None = None,
        stdin: bytes | None = None,
    ) -> tuple[int, str]:
        process = _Process()
        output = Output(asyncio.get_running_loop(), on_output)

        def run(stream: Stream) -> int:
            try:
                return _run(
                    stream,
                    process,
                    output,
                    stdin,
                    container=container,
                    cmd=[*_WRAPPER, *argv],
                    environment=dict(environment or {}),
                    user=user,
                    workdir=workdir or None,
                    stdin_open=stdin is not None,
                )
            finally:
                process.ended.set()

        async def end(_stream: Stream) -> None:
            await self.connection.stream(lambda stream: _end(stream, process, container, user))

        code = await self.connection.stream(run, on_cancel=end)
        output.flush()
        return code, output.stdout


class _Process:
    """What two threads know of one process."""

    def __init__(self) -> None:
        self.pid = 0
        self.known = threading.Event()
        """The process id has come, or never will."""
        self.ended = threading.Event()


class Output:
    """Decodes output as it comes, keeps stdout, and passes all of it on to the event loop.

    Chunks that come faster than the loop turns are passed on together.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: OutputCallback | None) -> None:
        self._loop = loop
        self._callback = callback
        self._lock = threading.Lock()
        self._pending: list[str] = []
        self._kept: list[str] = []
        self._decoders: dict[int, Any] = {}

    @property
    def stdout(self) -> str:
        return "".join(self._kept)

    def add(self, kind: int, data: bytes, *, last: bool = False) -> None:
        """From the reading thread."""
        if kind not in self._decoders:
            self._decoders[kind] = codecs.getincrementaldecoder("utf-8")("replace")
        text = self._decoders[kind].decode(data, last)
        if not text:
            return
        if kind == STDOUT:
            self._kept.append(text)
        if self._callback is None:
            return
        with self._lock:
            self._pending.append(text)
            if len(self._pending) > 1:
                return
        with contextlib.suppress(RuntimeError):  # The loop has been closed: nobody listens.
            self._loop.call_soon_threadsafe(self.flush)

    def finish(self) -> None:
        """From the reading thread, at the end."""
        for kind in list(self._decoders):
            self.add(kind, b"", last=True)

    def flush(self) -> None:
        """On the loop."""
        with self._lock:
            text, self._pending = "".join(self._pending), []
        if text and self._callback is not None:
            self._callback(text)


def _run(
    stream: Stream,
    process: _Process,
    output: Output,
    stdin: bytes | None,
    *,
    stdin_open: bool,
    container: str,
    cmd: list[str],
    **options: Any,
) -> int:
    client = stream.client
    created = client.exec_create(container, cmd, stdin=stdin_open, **options)["Id"]
    response = stream.request(
        f"/exec/{created}/start",
        headers={"Connection": "Upgrade", "Upgrade": "tcp"},
        body={"Tty": False, "Detach": False},
    )
    if stdin is not None:
        threading.Thread(target=_feed, args=(response, stdin), daemon=True).start()
    head, started = b"", False
    try:
        for kind, data in frames(response):
            if started or kind != STDOUT:
                output.add(kind, data)
                continue
            head += data
            line, newline, rest = head.partition(b"\n")
            if newline:
                started, process.pid = True, int(line)
                process.known.set()
                output.add(STDOUT, rest)
    finally:
        process.known.set()
        output.finish()
    return _exit_code(stream, created)


def _feed(response: Any, data: bytes) -> None:
    """Write stdin and close it, beside the reading: a process may answer before it has read all."""
    import socket

    sock = socket_of(response)
    with contextlib.suppress(OSError, AttributeError):
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)


def _exit_code(stream: Stream, created: str) -> int:
    """The output ends a moment before the engine knows the exit code, or long before it, when the
    process closes its output and works on."""
    pause = 0.005
    while True:
        try:
            answer = stream.client.exec_inspect(created)
        except NotFound as error:
            raise KernelDeadError("The container was removed while a process ran in it.") from error
        if not answer.get("Running"):
            code = answer.get("ExitCode")
            return int(code) if code is not None else 137
        if stream.closed:
            return 137
        time.sleep(pause)
        pause = min(pause * 2, 0.5)


def _end(stream: Stream, process: _Process, container: str, user: str) -> None:
    """TERM to the process group, KILL when that was not enough."""
    process.known.wait(10)
    if not process.pid or process.ended.is_set():
        return
    kill: Callable[[str], None] = lambda name: _signal(stream, container, user, process.pid, name)  # noqa: E731
    kill("TERM")
    if not process.ended.wait(_GRACE):
        kill("KILL")
        process.ended.wait(_GRACE)


def _signal(stream: Stream, container: str, user: str, pid: int, name: str) -> None:
    script = f"kill -{name} -- -{pid} 2>/dev/null || kill -{name} {pid}"
    created = stream.client.exec_create(container, ["/bin/sh", "-c", script], user=user)["Id"]
    stream.client.exec_start(created)
