"""One client's connection: requests are read strictly and answered in their order."""

import asyncio
import json
import socket

from . import answers, http1
from .errors import Refused
from .stream import Stream

SLOWEST = 1024
"""Bytes a second that a body brings at least, once it has begun: a byte now and then is too few."""
LINGER = 3.0
"""Seconds a client has to close after we have."""
AHEAD = 64 * 1024
"""Bytes read ahead of the answer to the request before."""
MOST_CONNECTIONS = 12000
"""An idle one costs about 2 KiB of ours, and a descriptor."""
LARGE = 64 * 1024
BUFFERED_BODIES = 10
"""Bodies of the largest size that may be on their way in at once."""


class Connection(asyncio.Protocol):
    """Reads one request at a time; while it is answered, reads ahead a little, then stops."""

    __slots__ = (
        "_advancing", "_began", "_buffer", "_busy", "_chunks", "_ending", "_eof", "_full", "_head",
        "_held", "_missing", "_parts", "_paused", "_read", "_stream", "deadline", "front",
        "transport",
    )  # fmt: skip

    def __init__(self, front):
        self.front = front
        self.transport = None
        self.deadline = 0.0
        """The loop's time when we give up; 0 while the model works."""
        self._buffer = b""
        self._head = None
        """Of the request that is being received or answered."""
        self._parts = None
        self._missing = 0
        self._chunks = None
        self._held = 0
        """Our share of the front's ``buffered``."""
        self._began = 0.0
        """When the body began to come that is being received."""
        self._read = 0
        """Bytes of it so far."""
        self._busy = False
        self._paused = False
        self._full = False
        """The client does not take our answers as fast as we write them."""
        self._stream = None
        """The answer that is on its way in pieces."""
        self._advancing = False
        self._ending = False
        self._eof = False

    # ------------------------------------------------------------------ called by the loop

    def connection_made(self, transport):
        self.transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            # asyncio does this only for sockets that say IPPROTO_TCP, which inherited ones don't.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.front.connections.add(self)
        self.deadline = self.front.now + self.front.settings.idle
        if len(self.front.connections) > self.front.most_connections:
            self._refuse(Refused(503, "Too many connections are open."))

    def connection_lost(self, error):
        self.front.connections.discard(self)
        self._release()
        self._ending = True
        self._buffer = b""
        self._parts = self._chunks = None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.leave()

    def pause_writing(self):
        self._full = True
        if self._stream is not None:
            # Until now the worker could go on; a client that stops reading may not hold it.
            self.deadline = self.front.now + self.front.settings.stall
            self._stream.pause()

    def resume_writing(self):
        self._full = False
        if self._stream is not None:
            self.deadline = 0.0
            self._stream.resume()
        else:
            self._advance()

    def data_received(self, data):
        if self._ending:
            return
        if self._missing:
            self._body(data)
            return
        if self._chunks is not None:
            self._chunked(data)
            return
        self._buffer = self._buffer + data if self._buffer else data
        if self._busy or self._full:
            if len(self._buffer) > AHEAD and not self._paused:
                self._paused = True
                self.transport.pause_reading()
            return
        self._advance()

    # --------------------------------------------------------------------------- receiving

    def _advance(self):
        """Begin as many requests as are here and may be begun."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._buffer and not (
                self._busy or self._full or self._ending or self._missing or self._chunks
            ):
                if not self._begin():
                    break
        except Refused as refused:
            self._refuse(refused)
        finally:
            self._advancing = False
        if self._paused and not self._busy and not self._ending:
            self._paused = False
            self.transport.resume_reading()

    def _begin(self):
        """Take one head from the buffer; False while it is incomplete. Raises Refused."""
        buffer = self._buffer
        end = http1.head_end(buffer)
        if end < 0:
            if self._head is None:
                self.deadline = min(self.deadline, self.front.now + self.front.settings.head)
            return False
        raw = buffer[:end]
        head = self._head = self.front.heads.get(raw) or self.front.read_head(raw)
        if not head.plain:
            self._check(head)
        start = end + 4
        stop = start + head.length
        if start <= stop <= len(buffer):
            self._buffer = buffer[stop:]
            self._received(buffer[start:stop])
            return True
        rest = buffer[start:]
        self._buffer = b""
        if head.expects and not rest:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._began, self._read = self.front.now, 0
        self.deadline = self._began + self.front.settings.stall
        if head.length > 0:
            self._parts = []
            self._missing = head.length
            if rest:
                self._body(rest)
        else:
            self._chunks = http1.Chunks(self.front.settings.max_body)
            self._chunked(rest)
        return True

    def _check(self, head):
        """Refuse a body before it is read: too large, to nowhere, or one too many."""
        front = self.front
        limit = front.settings.max_body
        if head.length > limit:
            raise Refused(413, "The body has %d bytes, more than %d." % (head.length, limit))
        if head.expects and not head.for_model:
            answer = front.routes.answer(head)
            if answer[0] >= 400:
                raise Refused(answer[0], json.loads(answer[2].decode())["error"])
        if head.length > LARGE:
            self._hold(head.length)

    def _hold(self, size):
        front = self.front
        if front.buffered + size > front.settings.max_body * BUFFERED_BODIES:
            raise Refused(503, "Too many large bodies are on their way.")
        front.buffered += size
        self._held += size

    def _release(self):
        self.front.buffered -= self._held
        self._held = 0

    def _patience(self, size):
        """Bytes of a body came: how long we wait for more."""
        self._read += size
        since = min(self.front.now, self._began + self._read / SLOWEST)
        self.deadline = since + self.front.settings.stall

    def _body(self, data):
        self._patience(len(data))
        if len(data) > self._missing:
            self._buffer = data[self._missing :]
            data = data[: self._missing]
        self._parts.append(data)
        self._missing -= len(data)
        if not self._missing:
            body, self._parts = b"".join(self._parts), None
            self._received(body)
            self._advance()

    def _chunked(self, data):
        self._patience(len(data))
        try:
            rest = self._chunks.feed(data)
            grown = len(self._chunks.body) - self._held
            if grown > LARGE:
                self._hold(grown)
        except Refused as refused:
            self._refuse(refused)
            return
        if rest is not None:
            body, self._chunks = bytes(self._chunks.body), None
            self._buffer = rest
            self._received(body)
            self._advance()

    # --------------------------------------------------------------------------- answering

    def _received(self, body):
        """A whole request is here."""
        self._busy = True
        self.deadline = 0.0
        head = self._head
        if head.for_model:
            self.front.submit(self, head, body)
        else:
            self.answer(*self.front.routes.answer(head))

    def _dated(self, identity):
        """The headers after those that are always the same."""
        date = self.front.date
        return b"%bX-Request-Id: %b\r\n" % (date, identity) if identity else date

    def answer(self, status, meta, body, identity=b""):
        """Write the answer to the request in hand; ``meta`` is content type and headers.

        ``identity`` is the request's id: known of those that a worker was asked, if it is told.
        """
        if self._held:
            self._release()
        head, front = self._head, self.front
        if self._ending or head is None:
            return
        if status >= 400 and not identity:
            identity = head.identity or front.pool.identity(next(front.pool.numbers))
        # Probes come every few seconds, and why they fail has been logged once.
        if front.settings.access_log or (status >= 400 and head.path != "/ping"):
            text = body[:1000].decode("utf-8", "replace") if status >= 400 else ""
            front.log("request", text, status, method=head.method, path=head.path,
                      request=identity.decode())  # fmt: skip
        keep = head.keep_alive and not front.draining and (bool(self._buffer) or not self._eof)
        prefix = answers.HEADS.get((status, meta, keep)) or answers.head(status, meta, keep)
        date = self._dated(identity) if identity else front.date
        if head.method == "HEAD":
            self.transport.write(b"%b%bContent-Length: %d\r\n\r\n" % (prefix, date, len(body)))
        elif len(body) > LARGE:
            self.transport.write(b"%b%bContent-Length: %d\r\n\r\n" % (prefix, date, len(body)))
            self.transport.write(body)
        else:
            self.transport.write(
                b"%b%bContent-Length: %d\r\n\r\n%b" % (prefix, date, len(body), body)
            )
        self._answered(keep)

    def begin_stream(self, status, meta, link, request):
        """The answer to the request in hand comes in pieces: the Stream that takes them."""
        if self._held:
            self._release()
        head = self._head
        if self._ending or head is None:
            stream = Stream(self, link, request, status, False)
            stream.leave()
            return stream
        stream = self._stream = Stream(self, link, request, status, head.modern)
        prefix = answers.head(status, meta, self._keeps())
        coding = b"Transfer-Encoding: chunked\r\n\r\n" if head.modern else b"\r\n"
        self.transport.write(prefix + self._dated(request.given) + coding)
        return stream

    def end_stream(self, whole):
        """The last piece was written; of a broken one nothing may follow."""
        stream, self._stream = self._stream, None
        head, self.deadline = self._head, 0.0
        if self._ending or head is None:
            return
        if self.front.settings.access_log or not whole:
            how = "" if whole else "The streamed answer was broken off."
            self.front.log("request", how, stream.status, method=head.method, path=head.path,
                           request=stream.request.identity().decode())  # fmt: skip
        self._answered(whole and self._keeps())

    def _keeps(self):
        """Whether the connection stays open after the request in hand."""
        return self._head.keep_alive and not self.front.draining and (self._buffer or not self._eof)

    def _answered(self, keep):
        """The answer to the request in hand is written: the next one, or the end."""
        front = self.front
        self._head = None
        self._busy = False
        if not keep:
            self._close()
            return
        self.deadline = front.now + front.settings.idle
        if self._buffer or self._paused:
            self._advance()
        if self._eof and not self._busy and not self._ending:
            self.transport.close()

    def _refuse(self, refused):
        """Answer what cannot be read, and close: where the next request begins is not known."""
        head = self._head
        identity = self.front.pool.identity(next(self.front.pool.numbers))
        name = identity.decode()
        self.front.log("refused", refused.message, refused.status, request=name)
        body = json.dumps({"error": refused.message}).encode()
        prefix = answers.head(refused.status, b"application/json", False)
        text = b"%b%bContent-Length: %d\r\n\r\n" % (prefix, self._dated(identity), len(body))
        self.transport.write(text if head is not None and head.method == "HEAD" else text + body)
        self._release()
        self._missing = 0
        self._chunks = self._parts = None
        self._close()

    def _close(self):
        """End politely: what the client still sends is read and dropped for a moment.

        Closing at once would reset the connection, and the client might lose our answer.
        """
        self._ending = True
        self._buffer = b""
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        self.deadline = self.front.now + LINGER
        try:
            self.transport.write_eof()
        except OSError:
            # The client has gone already.
            self.transport.abort()

    def eof_received(self):
        """The client sends no more; it may still read the answers to what it sent."""
        self._eof = True
        return self._busy and not self._ending

    def abort(self):
        """Give up on this client at once."""
        self._ending = True
        self.transport.abort()

    def overdue(self):
        """Called when the deadline has passed."""
        begun = self._missing or self._chunks is not None or self._buffer
        if self._ending or not begun or self._stream is not None:
            self.transport.abort()
        else:
            self._refuse(Refused(408, "The rest of the request did not come."))

    def drain(self):
        """We are shutting down: close now if nothing has begun, else after the answer."""
        begun = self._busy or self._missing or self._chunks is not None or self._buffer
        if not begun and not self._ending:
            self.transport.close()
