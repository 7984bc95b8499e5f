"""HTTP/1.1 messages, strictly: what two servers could read differently is refused (RFC 9112).

Pure functions and one decoder, no sockets.
"""

import re

from .compressed import CODINGS
from .errors import Refused

MAX_HEAD = 32 * 1024
MAX_LINE = 8 * 1024
MAX_HEADERS = 100
MAX_TRAILER = 8 * 1024

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])")
_NAME = re.compile(TOKEN)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_IDENTITY = re.compile(rb"[\x21-\x7e]{1,128}")
_BARE_LF = re.compile(rb"(?<!\r)\n")

REASONS = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 408: "Request Timeout", 413: "Content Too Large",
    414: "URI Too Long", 415: "Unsupported Media Type", 417: "Expectation Failed",
    431: "Request Header Fields Too Large", 500: "Internal Server Error",
    501: "Not Implemented", 503: "Service Unavailable", 504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}  # fmt: skip


class Head:
    """One request's head. ``length`` is the body's bytes, -1 for a chunked one.

    ``headers`` maps lower-case names to values; of a repeated one, the values joined by a comma.
    """

    __slots__ = (
        "expects", "for_model", "headers", "identity", "keep_alive", "length", "meta", "method",
        "modern", "path", "plain",
    )  # fmt: skip

    def __init__(self, method, path, modern, headers, length, keep_alive, expects, coding):
        self.method = method
        self.path = path
        self.modern = modern
        self.headers = headers
        self.length = length
        self.keep_alive = keep_alive
        self.expects = expects
        self.for_model = False
        """Whether a worker answers it, not the front."""
        self.plain = False
        """Whether its body needs no check before it is read: short, and nothing is expected."""
        self.identity = identity(headers)
        self.meta = b"\x00".join(
            (
                headers.get(b"content-type", b""),
                headers.get(b"accept", b""),
                headers.get(b"x-amzn-sagemaker-custom-attributes", b""),
                self.identity,
                coding,
            )
        )


def identity(headers):
    """What the caller calls this request, for the logs; empty where it has no usable name."""
    for name in (b"x-amzn-sagemaker-inference-id", b"x-request-id", b"x-ms-client-request-id"):
        value = headers.get(name, b"")
        if _IDENTITY.fullmatch(value) is not None:
            return value
    return b""


def head_end(buffer):
    """Where the head ends (before its empty line), -1 while it is incomplete. Raises Refused."""
    end = buffer.find(b"\r\n\r\n")
    if end > MAX_HEAD or (end < 0 and len(buffer) > MAX_HEAD):
        raise Refused(431, "The request's headers have more than %d bytes." % MAX_HEAD)
    if end < 0:
        if _BARE_LF.search(buffer):
            raise Refused(400, "A line of the request ends without a carriage return.")
        line = buffer.rfind(b"\n") + 1
        if len(buffer) - line > MAX_LINE:
            status = 431 if line else 414
            raise Refused(status, "A line of the request has more than %d bytes." % MAX_LINE)
    return end


def parse_head(raw):
    """The Head of ``raw`` (bytes before the empty line). Raises Refused."""
    lines = raw.split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(lines[0])
    if len(lines[0]) > MAX_LINE:
        raise Refused(414, "The request line has more than %d bytes." % MAX_LINE)
    if match is None:
        raise Refused(400, "The request line is not METHOD TARGET HTTP/1.1.")
    method, target, major, minor = match.groups()
    if major != b"1":
        raise Refused(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    modern = minor != b"0"
    if len(lines) - 1 > MAX_HEADERS:
        raise Refused(431, "The request has more than %d headers." % MAX_HEADERS)
    headers = _headers(lines[1:])
    if modern and b"host" not in headers:
        raise Refused(400, "The request names no host.")
    tokens = [t.strip().lower() for t in headers.get(b"connection", b"").split(b",")]
    keep_alive = modern and b"close" not in tokens
    expects = headers.get(b"expect", b"").lower()
    if expects not in (b"", b"100-continue"):
        raise Refused(417, "Only `Expect: 100-continue` is known.")
    coding = headers.get(b"content-encoding", b"").lower()
    if coding == b"identity":
        coding = b""
    if coding and coding.decode("latin-1") not in CODINGS:
        raise Refused(
            415, "The Content-Encoding %s is not known here; gzip and deflate are."
            % coding.decode("latin-1"),
        )  # fmt: skip
    return Head(
        method.decode("ascii"), _path(target), modern, headers, _length(headers, modern),
        keep_alive, bool(expects) and modern, coding,
    )  # fmt: skip


def _headers(lines):
    headers = {}
    for line in lines:
        if len(line) > MAX_LINE:
            raise Refused(431, "A header has more than %d bytes." % MAX_LINE)
        name, colon, value = line.partition(b":")
        if not colon or _NAME.fullmatch(name) is None:
            # Also a folded line, and a space before the colon: both have been used to smuggle.
            raise Refused(400, "A header line is not `Name: value`.")
        value = value.strip(b" \t")
        if _CONTROL.search(value):
            raise Refused(400, "A header has a control character in it.")
        name = name.lower()
        if name in headers:
            if name in (b"content-length", b"transfer-encoding", b"host", b"content-type"):
                raise Refused(400, "The header %s is there twice." % name.decode("ascii"))
            value = headers[name] + b", " + value
        headers[name] = value
    return headers


def _length(headers, modern):
    """Bytes of the body; -1 where it is chunked."""
    coding = headers.get(b"transfer-encoding")
    length = headers.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise Refused(400, "Content-Length and Transfer-Encoding exclude each other.")
        if not modern:
            raise Refused(400, "HTTP/1.0 has no Transfer-Encoding.")
        if coding.lower() != b"chunked":
            raise Refused(501, "The only Transfer-Encoding known here is chunked.")
        return -1
    if length is None:
        return 0
    if _LENGTH.fullmatch(length) is None:
        raise Refused(400, "Content-Length is not a number.")
    return int(length)


def _path(target):
    """The path of a request target in origin or absolute form, without its query."""
    text = target.decode("ascii").partition("?")[0]
    if text.startswith("/") or text == "*":
        return text
    scheme, mark, rest = text.partition("://")
    if not mark or scheme.lower() not in ("http", "https"):
        raise Refused(400, "The request target is neither a path nor a URL.")
    return "/" + rest.partition("/")[2]


class Chunks:
    """Decodes a chunked body. ``feed`` returns what follows it, None while it is incomplete."""

    def __init__(self, limit):
        self.body = bytearray()
        self._size = 0
        self._limit = limit
        self._left = 0
        """Bytes of the current chunk still to come, with its CRLF; 0 at a size line."""
        self._buffer = b""
        self._trailer = -1
        """Bytes of trailers seen; -1 before the last chunk."""

    def feed(self, data):
        buffer = self._buffer + data if self._buffer else data
        position = 0
        while True:
            if self._left > 2:
                part = buffer[position : position + self._left - 2]
                if part:
                    self.body += part
                    position += len(part)
                    self._left -= len(part)
                if self._left > 2:
                    break
            if self._left:
                if len(buffer) - position < 2:
                    if buffer[position:] not in (b"", b"\r"):
                        raise Refused(400, "A chunk is longer than its size says.")
                    break
                if buffer[position : position + 2] != b"\r\n":
                    raise Refused(400, "A chunk is longer than its size says.")
                position += 2
                self._left = 0
            end = buffer.find(b"\r\n", position)
            if end < 0:
                rest = buffer[position:]
                if b"\n" in rest:
                    raise Refused(400, "A line of the body ends without a carriage return.")
                if len(rest) > MAX_LINE:
                    raise Refused(400, "A chunk's size line is too long.")
                break
            line = buffer[position:end]
            position = end + 2
            if self._trailer >= 0:
                if not line:
                    self._buffer = b""
                    return buffer[position:]
                self._check_trailer(line)
                continue
            self._begin(line)
        self._buffer = buffer[position:]
        return None

    def _begin(self, line):
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise Refused(400, "A chunk's size is not a hexadecimal number.")
        size = int(match.group(1), 16)
        self._size += size
        if self._size > self._limit:
            raise Refused(413, "The body has more than %d bytes." % self._limit)
        if size:
            self._left = size + 2
        else:
            self._trailer = 0

    def _check_trailer(self, line):
        self._trailer += len(line) + 2
        if self._trailer > MAX_TRAILER:
            raise Refused(431, "The body's trailers have more than %d bytes." % MAX_TRAILER)
        _headers([line])
