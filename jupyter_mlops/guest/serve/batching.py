"""Rows of requests that wait at the same time, predicted in one call. Only where it is switched on.

A request alone is never held back. While the model works others arrive; they are the next batch.
"""

import select
import time

from . import frames, logs
from .answering import answer, refusal, whole
from .compressed import expand
from .errors import sentence
from .pieces import Pieces
from .sending import send, stream
from .told import V2, Told


class Inbox:
    """Requests of the front, as they come."""

    def __init__(self, link, run):
        self._link = link
        self._run = run
        self._buffer = bytearray()
        self._next = None

    def take(self, alone=True):
        """The next request that is here whole, as (body, told, number); None without one.

        One that a worker has ended with is taken only where it is to be ``alone``: it may be the
        reason, and would take others with it.
        """
        if self.peek() and not alone:
            return None
        if self._next is None:
            return None
        request, self._next = self._next[0], None
        return request

    def peek(self):
        """Whether a request is next that a worker has ended with."""
        if self._next is None:
            self._next = self._read_one()
        return self._next is not None and self._next[1]

    def _read_one(self):
        buffer, size = self._buffer, frames.SIZE
        if len(buffer) < size:
            return None
        header = frames.HEADER.unpack_from(buffer)
        middle = size + header[4]
        end = middle + header[0]
        if len(buffer) < end:
            return None
        meta, body = bytes(buffer[size:middle]), bytes(buffer[middle:end])
        del buffer[:end]
        return (body, Told(meta, self._run), header[1]), header[3] > 0

    def read(self, seconds=None):
        """Wait for more bytes, for ever by default. False when none came; EOFError at the end."""
        if seconds is not None and not select.select([self._link], [], [], max(0, seconds))[0]:
            return False
        data = self._link.recv(1 << 20)
        if not data:
            raise EOFError
        self._buffer += data
        return True


def serve(link, control, handler, run, size, wait):
    """Answer requests, up to ``size`` at a time, until the front closes the socket.

    ``wait`` is how many seconds a batch waits for as many as there were in the one before.
    """
    inbox = Inbox(link, run)
    before = 1
    try:
        while True:
            batch = _gather(inbox, size, wait, before)
            before = len(batch)
            began = time.perf_counter()
            answers = answer_all(handler, batch)
            micros = int((time.perf_counter() - began) * 1e6) // len(batch)
            out = []
            for (_, told, number), (status, meta, body) in zip(batch, answers):  # noqa: B905 (3.8)
                if body.__class__ is Pieces:
                    send(link, out)
                    out = []
                    stream(link, control, number, status, meta, body, told)
                    continue
                result = frames.pack(frames.RESULT, number, meta, len(body), status, micros)
                out += [result, body]
            send(link, out)
    except EOFError:
        return


def _gather(inbox, size, wait, before):
    """At least one request, and those that are here or come in time."""
    batch = []
    until = 0.0
    while len(batch) < size:
        alone = inbox.peek()
        request = inbox.take(alone=not batch)
        if request is not None:
            batch.append(request)
            if alone:
                break
            until = until or time.monotonic() + wait
        elif not batch:
            inbox.read()
        elif alone or (
            not inbox.read(0) and (len(batch) >= before or not inbox.read(until - time.monotonic()))
        ):
            break
    return batch


def answer_all(handler, batch):
    """(status, meta, body) of each request, in order."""
    if len(batch) == 1:
        return [answer(handler, *batch[0])]
    answers = [None] * len(batch)
    groups = {}
    for index, (body, told, number) in enumerate(batch):
        if told.protocol == V2:
            answers[index] = answer(handler, body, told, number)
            continue
        try:
            if told.coding:
                body = expand(body, told.coding)
            opened = handler.open(body, told.content_type, told.accept, told.attributes)
        except Exception as error:
            answers[index] = refusal(error, told, number)
            continue
        groups.setdefault(_kind(opened[0]) or index, []).append((index, opened))
    for group in groups.values():
        parts = _together(handler, [data for _, (data, _, _) in group]) if group[1:] else None
        for place, (index, (data, wanted, context)) in enumerate(group):
            _, told, number = batch[index]
            try:
                own = handler.predict(data, context) if parts is None else parts[place]
                answers[index] = whole(told, *handler.close(own, wanted, context))
            except Exception as error:
                answers[index] = refusal(error, told, number)
    return answers


def _kind(data):
    """What has to be equal for rows to be joined; None of what is no rows."""
    kind = type(data)
    if hasattr(data, "iloc") and hasattr(data, "columns"):
        types = tuple(map(str, data.dtypes))
        return (kind, tuple(data.columns), types) if len(data) else None
    if hasattr(data, "dtype") and getattr(data, "ndim", 0) > 1 and kind.__module__ == "numpy":
        return (kind, str(data.dtype), data.shape[1:]) if len(data) else None
    if kind is list and data and all(isinstance(row, (list, dict)) for row in data):
        return (kind,)
    return None


def _together(handler, many):
    """The predictions for each of ``many``, of one call; None when they must be made one by one."""
    try:
        result = handler.predict(_join(many), None)
        rows = getattr(result, "iloc", result)
        total = sum(map(len, many))
        if isinstance(result, (dict, str, bytes)) or len(result) != total:
            raise ValueError("The prediction for %d rows does not have %d." % (total, total))
        parts, begin = [], 0
        for data in many:
            parts.append(rows[begin : begin + len(data)])
            begin += len(data)
        return parts
    except Exception as error:
        # One request's rows may be at fault: each is asked by itself, and told its own.
        logs.write("batch_failed", sentence(error), "warning", requests=len(many))
        return None


def _join(many):
    if hasattr(many[0], "iloc"):
        import pandas

        return pandas.concat(many, ignore_index=True)
    if isinstance(many[0], list):
        return [row for rows in many for row in rows]
    import numpy

    return numpy.concatenate(many)
