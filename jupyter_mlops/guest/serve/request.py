"""One request on its way through a worker, and the way back of its answer."""

import time

from . import logs
from .errors import problem, sentence


class Request:
    """``reply`` is called once; or ``piece`` for each part of a streamed answer, then ``finish``.

    ``meta`` and ``body`` are as in a request's frame. ``reply`` in the middle of a stream breaks it
    off: the worker has gone, or we go.
    """

    __slots__ = (
        "attempts",
        "began",
        "body",
        "connection",
        "front",
        "given",
        "meta",
        "number",
        "sent",
        "stream",
    )

    def __init__(self, front, connection, head, body):
        self.front = front
        self.connection = connection
        self.meta = head.meta
        self.given = head.identity
        """The caller's id of it."""
        self.number = 0
        """Of its frames; 0 before it was sent to a worker."""
        self.body = body
        self.attempts = 0
        self.began = time.perf_counter()
        self.sent = 0
        """Bytes of a streamed answer."""
        self.stream = None

    def identity(self):
        """The id of this request in the logs, and in the answer of one that failed."""
        pool = self.front.pool
        return self.given or pool.identity(self.number or next(pool.numbers))

    def reply(self, status, meta, body):
        """The whole answer; without a ``meta``, a sentence that says why there is none."""
        if self.stream is not None:
            self.finish(body.decode("utf-8", "replace"))
            return
        front = self.front
        seconds = time.perf_counter() - self.began
        front.metrics.record(status, seconds, len(self.body), len(body))
        if not meta:
            _, meta, body = problem(status, body.decode("utf-8", "replace"))
        try:
            named = self.given or status >= 400 or front.settings.access_log
            self.connection.answer(status, meta, body, self.identity() if named else b"")
        except Exception as error:
            # Whatever happens to one client must not reach the worker's link, or others.
            logs.write("answer_failed", sentence(error), "error")
            self.connection.abort()

    def piece(self, link, status, meta, body):
        """A part of the answer from the worker at ``link``; the first one brings the meta."""
        self.sent += len(body)
        try:
            if self.stream is None:
                self.stream = self.connection.begin_stream(status, meta, link, self)
            self.stream.write(body)
        except Exception as error:
            logs.write("answer_failed", sentence(error), "error")
            self.connection.abort()

    def finish(self, error=""):
        """The end of a streamed answer; ``error`` says why it is not a whole one."""
        stream, metrics = self.stream, self.front.metrics
        seconds = time.perf_counter() - self.began
        metrics.record(stream.status, seconds, len(self.body), self.sent)
        if error and not stream.left:
            metrics.broken += 1
            name = self.identity().decode()
            logs.write("stream_broken", error, "error", sent=self.sent, request=name)
        stream.finish(whole=not error)
