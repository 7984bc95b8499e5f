"""Heads of answers: status line and headers, as bytes."""

from . import http1

HEADS = {}
"""Answer heads by (status, meta, keep alive)."""


def head(status, meta, keep):
    """Status line and headers up to Date; cached, since the same few come again and again."""
    content_type, _, headers = meta.partition(b"\x00")
    lines = [b"HTTP/1.1 %d %b" % (status, http1.REASONS.get(status, "Status").encode())]
    if content_type:
        lines.append(b"Content-Type: " + content_type)
    if headers:
        lines += headers.split(b"\x00")
    if status == 503:
        lines.append(b"Retry-After: 1")
    if status == 405:
        lines.append(b"Allow: GET, HEAD, POST")
    if not keep:
        lines.append(b"Connection: close")
    text = b"\r\n".join(lines) + b"\r\n"
    if len(HEADS) >= 256:
        HEADS.clear()
    HEADS[(status, meta, keep)] = text
    return text
