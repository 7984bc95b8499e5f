"""Answers that a handler makes piece by piece: generators, asynchronous ones, any iterator."""

import asyncio


def streams(value):
    """Whether it is an iterator, and not data."""
    kind = type(value)
    return hasattr(kind, "__next__") or hasattr(kind, "__anext__")


class Pieces:
    """Iterates over bytes; ``encode`` makes them of what the handler yields."""

    def __init__(self, source, encode):
        self._source = source
        self._loop = None
        self._encode = encode
        self._first = None

    def start(self):
        """Wait for the first piece: an error before it can still be answered as one."""
        self._first = next(self, b"")
        return self

    def __iter__(self):
        return self

    def __next__(self):
        first, self._first = self._first, None
        if first:
            return first
        if not hasattr(self._source, "__anext__"):
            return self._encode(next(self._source))
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        try:
            return self._encode(self._loop.run_until_complete(self._source.__anext__()))
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self):
        """Let the generator end where it is: its ``finally`` runs."""
        if hasattr(self._source, "close"):
            self._source.close()
        if self._loop is not None:
            try:
                if hasattr(self._source, "aclose"):
                    self._loop.run_until_complete(self._source.aclose())
            finally:
                self._loop.close()
