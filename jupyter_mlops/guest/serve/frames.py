"""Messages between the front and its workers: length-framed, multiplexed by id.

``header | meta | body``, the same both ways. For a request, meta is content type, accept, custom
attributes, the caller's id of the request and how its body is compressed, separated by NUL, then
what ``Told`` knows of its path; for a result it is the answer's content type, and headers, each
after a NUL. A streamed answer is chunks and an end in place of a result.
"""

import struct

HEADER = struct.Struct("<QIIHHB")
"""Body bytes, id, microseconds in the handler, HTTP status, meta bytes, kind.

Of a request, the status is how many workers have ended while they had it.
"""
SIZE = HEADER.size
TOGETHER = 8
"""Frames that are sent at once at most: the other side works on them while we make the next."""

REQUEST = 1
RESULT = 2
READY = 3
"""The model is loaded and warm; body is JSON about the worker."""
FAILED = 4
"""The model cannot be loaded; body is the reason."""


CHUNK = 5
"""A piece of a streamed answer; the first one has the result's status and meta."""
END = 6
"""A streamed answer ends: with status 500, in its middle, and body is the reason."""

CANCEL = struct.Struct("<I")
"""On the worker's second socket, from the front: nobody waits for the stream of this id."""


def pack(kind, number, meta=b"", body_size=0, status=0, micros=0):
    """Header and meta; the body follows as bytes of its own, so it is never copied for a prefix."""
    return HEADER.pack(body_size, number, min(micros, 0xFFFFFFFF), status, len(meta), kind) + meta
