"""Requests that wait until kernels of the last server are back.

A browser that was told of no kernels would close its notebooks' connections, and start new kernels
for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable

from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.routing import PathMatches, Router, Rule
from tornado.web import Application

HOLD_SECONDS = 30.0
"""Then the answer is what it is: a server that does not answer is worse."""


class HeldRequests(Router):
    """Requests to Jupyter's kernels and sessions; none waits before ``hold``."""

    def __init__(self, application: Application, base_url: str) -> None:
        self._application = application
        self._opened: asyncio.Event | None = None
        paths = PathMatches(re.compile(re.escape(base_url) + r"api/(kernels|sessions)(/.*)?$"))
        self._rule = Rule(paths, self)

    @property
    def holding(self) -> bool:
        return self._opened is not None

    def hold(self) -> None:
        self._opened = asyncio.Event()
        self._application.default_router.rules.insert(0, self._rule)

    def release(self) -> None:
        if self._opened is not None:
            self._opened.set()
            self._opened = None
            self._application.default_router.rules.remove(self._rule)

    def find_handler(
        self, request: HTTPServerRequest, **kwargs: object
    ) -> HTTPMessageDelegate | None:
        if self._opened is None:
            return None
        return _Held(self, self._application, request)

    async def wait(self) -> None:
        """Until kernels are back, or it took too long."""
        if self._opened is not None:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._opened.wait(), HOLD_SECONDS)
            self.release()


class _Held(HTTPMessageDelegate):
    """One request; its handler is looked for when the wait is over."""

    def __init__(
        self, held: HeldRequests, application: Application, request: HTTPServerRequest
    ) -> None:
        self._held = held
        self._application = application
        self._request = request
        self._delegate: HTTPMessageDelegate | None = None

    async def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        await self._held.wait()
        found = self._delegate = self._application.find_handler(self._request)
        await _maybe(found.headers_received(start_line, headers))

    async def data_received(self, chunk: bytes) -> None:
        if self._delegate is not None:
            await _maybe(self._delegate.data_received(chunk))

    def finish(self) -> None:
        if self._delegate is not None:
            self._delegate.finish()

    def on_connection_close(self) -> None:
        if self._delegate is not None:
            self._delegate.on_connection_close()


async def _maybe(result: Awaitable[None] | None) -> None:
    if result is not None:
        await result
