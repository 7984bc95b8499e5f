"""docker-py's clients of one engine, and the threads that wait for them.

docker-py blocks, so every call runs in a worker thread. Three kinds of calls have limits of their
own, so that no kind starves another: quick questions, work that takes its time, and streams
that may stay open for hours.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from docker.api.client import APIClient

from ..core.errors import EngineUnavailableError
from .failures import translated
from .stream import Stream

T = TypeVar("T")

QUICK_SECONDS = 60
"""How long a question may take before the engine counts as gone."""

_LIMITS = {"quick": 16, "patient": 16, "stream": 400}


class Connection:
    """One engine's address. Not bound to an event loop."""

    def __init__(self, url: str, title: str, tls: Any = None) -> None:
        self.url = url
        self.title = title
        self.tls = tls or False
        self.failed = False
        """A call found the engine gone, and none has succeeded since."""
        self.failures = 0
        """How often a call found the engine gone: another one may answer since."""
        self._clients: dict[str, APIClient] = {}
        self._lock = threading.Lock()
        self._streams: set[Stream] = set()
        self._limiters: weakref.WeakKeyDictionary[Any, dict[str, anyio.CapacityLimiter]]
        self._limiters = weakref.WeakKeyDictionary()
        self.prepare: Callable[[], object] = lambda: None
        """Called before each piece of work, in its thread: starts an engine that is ours and has
        ended. Never in the middle of a piece of work: half of it would be done twice."""

    async def call(
        self,
        work: Callable[[APIClient], T],
        *,
        patient: bool = False,
        undo: Callable[[APIClient, T], None] | None = None,
    ) -> T:
        """Run ``work(client)`` in a thread.

        A cancelled task still waits for the engine's answer, so that what was begun has ended
        when the caller cleans up; ``undo(client, result)`` then takes the result back.
        """
        kind = "patient" if patient else "quick"
        job = asyncio.ensure_future(
            anyio.to_thread.run_sync(self._run, kind, work, limiter=self._limiter(kind))
        )
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await asyncio.wait([job])
                if not job.cancelled() and job.exception() is None and undo is not None:
                    with contextlib.suppress(Exception):
                        await anyio.to_thread.run_sync(
                            lambda: undo(self._client(kind), job.result())
                        )
            raise

    async def stream(
        self,
        work: Callable[[Stream], T],
        on_cancel: Callable[[Stream], Awaitable[None]] | None = None,
    ) -> T:
        """Run ``work(stream)`` in a thread; cancelling the task closes the stream, which ends it.

        ``on_cancel`` is awaited before the stream is closed.
        """
        stream = Stream()
        self._streams.add(stream)

        def run() -> T:
            return self._run("stream", lambda client: self._work(work, stream, client))

        job = asyncio.ensure_future(anyio.to_thread.run_sync(run, limiter=self._limiter("stream")))
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                if on_cancel is not None:
                    with contextlib.suppress(Exception):
                        await on_cancel(stream)
                stream.close()
                await asyncio.wait([job], timeout=5)
                if job.done() and not job.cancelled():
                    job.exception()  # Seen; else asyncio complains about it later.
            raise
        finally:
            stream.close()
            self._streams.discard(stream)

    def close(self) -> None:
        """End all streams, so that their threads end too."""
        for stream in list(self._streams):
            stream.close()
        with self._lock:
            clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            client.close()

    def _work(self, work: Callable[[Stream], T], stream: Stream, client: Any) -> T:
        stream.open(self.url, client.api_version, self.tls)
        return work(stream)

    def _run(self, kind: str, work: Callable[[APIClient], T]) -> T:
        try:
            with translated(self.title):
                self.prepare()
                result = work(self._client(kind))
        except EngineUnavailableError:
            self.failed = True
            self.failures += 1
            raise
        self.failed = False
        return result

    def _client(self, kind: str) -> APIClient:
        """The shared client of this kind; the first one asks the engine for its version."""
        name = "quick" if kind == "stream" else kind
        with self._lock:
            if name not in self._clients:
                self._clients[name] = APIClient(
                    base_url=self.url,
                    version="auto",
                    timeout=QUICK_SECONDS if name == "quick" else None,
                    tls=self.tls,
                    use_ssh_client=self.url.startswith("ssh://"),
                    max_pool_size=_LIMITS[name],
                )
            return self._clients[name]

    def _limiter(self, kind: str) -> anyio.CapacityLimiter:
        loop = asyncio.get_running_loop()
        limiters = self._limiters.setdefault(loop, {})
        if kind not in limiters:
            limiters[kind] = anyio.CapacityLimiter(_LIMITS[kind])
        return limiters[kind]
