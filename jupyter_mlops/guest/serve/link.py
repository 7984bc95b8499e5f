"""The front's end of one worker's socket."""

import asyncio

from . import frames


class Link(asyncio.Protocol):
    """Frames of one turn of the loop are written together, a few; answers come back by id."""

    def __init__(self, pool, worker):
        self.pool = pool
        self.worker = worker
        self.waiting = {}
        """Id to the request, oldest first."""
        self.transport = None
        self._loop = asyncio.get_running_loop()
        self._out = []
        self._parts = []
        self._have = 0
        self._need = frames.SIZE

    def pause(self):
        """Read no more for now: the client of the worker's stream is behind."""
        if self.transport is not None and self.transport.is_reading():
            self.transport.pause_reading()

    def resume(self):
        if self.transport is None or self.transport.is_closing() or self.transport.is_reading():
            return
        self.worker.turn = self._loop.time()
        self.transport.resume_reading()

    @property
    def paused(self):
        return self.transport is not None and not self.transport.is_reading()

    def cancel(self, number):
        """Tell the worker that nobody waits for this stream any more."""
        if number in self.waiting:
            self.worker.cancel(number)

    def connection_made(self, transport):
        self.transport = transport

    def ask(self, request):
        request.number = number = next(self.pool.numbers) & 0xFFFFFFFF
        self.waiting[number] = request
        out = self._out
        if not out:
            self._loop.call_soon(self._flush)
        body = request.body
        out.append(
            frames.pack(frames.REQUEST, number, request.meta, len(body), request.attempts - 1)
        )
        out.append(body)
        if len(out) >= 2 * frames.TOGETHER:
            self._flush()

    def _flush(self):
        out, self._out = self._out, []
        if out and self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"".join(out))

    def data_received(self, data):
        self._have += len(data)
        if self._have < self._need:
            # Of a large answer the pieces are joined once, not added to each other.
            self._parts.append(data)
            return
        if self._parts:
            self._parts.append(data)
            data = b"".join(self._parts)
            self._parts = []
        position, size = 0, len(data)
        done = spent = 0
        unpack = frames.HEADER.unpack_from
        while True:
            start = position + frames.SIZE
            if size < start:
                self._need = frames.SIZE
                break
            length, number, micros, status, middle, kind = unpack(data, position)
            middle += start
            end = middle + length
            if size < end:
                self._need = end - position
                break
            if kind == frames.RESULT:
                # Of one that took too long, the answer may still come; it was answered already.
                request = self.waiting.pop(number, None)
                if request is not None:
                    done += 1
                    spent += micros
                    request.reply(status, data[start:middle], data[middle:end])
            else:
                self._other(kind, number, micros, status, data[start:middle], data[middle:end])
            position = end
        if position < size:
            self._parts.append(data[position:])
        self._have = size - position
        if done:
            self.pool.finished(self, done, spent)

    def _other(self, kind, number, micros, status, meta, body):
        """A frame that is not a whole answer."""
        if kind == frames.CHUNK:
            request = self.waiting.get(number)
            if request is not None:
                self.worker.turn = self._loop.time()
                request.piece(self, status, meta, body)
        elif kind == frames.END:
            request = self.waiting.pop(number, None)
            if request is not None:
                self.pool.streamed(self, request, status, meta, body, micros)
        elif kind == frames.READY:
            self.pool.ready(self.worker, body)
        elif kind == frames.FAILED:
            self.worker.reason = body.decode("utf-8", "replace")

    def connection_lost(self, error):
        self.pool.lost(self.worker)
