"""Bodies that come compressed: a small one must not unfold into more than the worker can hold."""

import functools

from .errors import Refused
from .settings import Settings

CODINGS = ("gzip", "x-gzip", "deflate")
"""Of Content-Encoding, beside ``identity``."""


@functools.lru_cache(maxsize=1)
def _most():
    """Bytes of a body, as for one that comes as it is."""
    return Settings().max_body


def expand(body, coding):
    """The bytes of a compressed body. Raises Refused 413, or 400 for what is not one stream."""
    try:
        import zlib
    except ImportError:
        raise Refused(415, "This environment's Python cannot read %s." % coding) from None
    windows = zlib.MAX_WBITS + 16
    if coding == "deflate":
        # By the standard with zlib's header; some clients send it without.
        wrapped = body[:1] and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
        windows = zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS
    reader = zlib.decompressobj(windows)
    try:
        found = reader.decompress(body, _most() + 1)
    except zlib.error as error:
        raise Refused(400, "The body is not %s: %s" % (coding, error)) from error
    if len(found) > _most():
        raise Refused(413, "The body has more than %d bytes when it is expanded." % _most())
    if not reader.eof:
        raise Refused(400, "The %s body is cut off." % coding)
    if reader.unused_data:
        # Also a second stream: no client sends one, and a million empty ones take hours.
        raise Refused(400, "Something follows the %s stream in the body." % coding)
    return found
