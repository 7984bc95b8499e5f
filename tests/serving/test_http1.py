"""The HTTP parser against h11: whatever we take, h11 takes too, and reads the same in it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import h11
import pytest

from jupyter_mlops.guest.serve import http1
from jupyter_mlops.guest.serve.errors import Refused

HEAD = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"

GOOD = [
    b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n",
    HEAD + b"Content-Length: 5\r\n\r\nhello",
    HEAD + b"Content-Length: 0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n",
    b"GET http://a/ping?x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET /ping HTTP/1.0\r\n\r\n",
    HEAD + b"Content-Length: 2\r\nX-Empty:\r\nX-Spaces: \t a b \t\r\n\r\n{}",
]

HOSTILE = {
    "length and chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "the same length twice": HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": HEAD + b"Content-Length: 5, 5\r\n\r\nhello",
    "a negative length": HEAD + b"Content-Length: -5\r\n\r\nhello",
    "a length with a plus": HEAD + b"Content-Length: +5\r\n\r\nhello",
    "a length in hexadecimal": HEAD + b"Content-Length: 0x5\r\n\r\nhello",
    "a length with an underscore": HEAD + b"Content-Length: 1_0\r\n\r\nhello",
    "an endless length": HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
    "space before the colon": HEAD + b"Content-Length : 5\r\n\r\nhello",
    "a folded header": HEAD + b"X-A: b\r\n c\r\nContent-Length: 5\r\n\r\nhello",
    "a bare line feed": b"POST /invocations HTTP/1.1\nHost: a\nContent-Length: 5\n\nhello",
    "one bare line feed": HEAD + b"X: y\nContent-Length: 5\r\n\r\nhello",
    "a bare carriage return": HEAD + b"X: y\rZ: 1\r\nContent-Length: 5\r\n\r\nhello",
    "a NUL": HEAD + b"X: a\x00b\r\n\r\n",
    "a name with a space": HEAD + b"X Y: a\r\n\r\n",
    "a name with brackets": HEAD + b"X(Y): a\r\n\r\n",
    "no colon": HEAD + b"nonsense\r\n\r\n",
    "an empty name": HEAD + b": a\r\n\r\n",
    "gzip, chunked": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked, chunked": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two codings": HEAD
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a disguised coding": HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a coding with a quote": HEAD + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "a coding in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no host": b"GET /ping HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /ping HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a space in the target": b"GET /pi ng HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces": b"GET  /ping HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tab": b"GET\t/ping\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.11": b"GET /ping HTTP/1.11\r\nHost: a\r\n\r\n",
    "lower case": b"GET /ping http/1.1\r\nHost: a\r\n\r\n",
    "an empty line first": b"\r\nGET /ping HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a chunk too long": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
    "a chunk without size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n",
    "a chunk size with 0x": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "a negative chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "a huge chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n",
    "line feeds in chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
    "a folded trailer": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n",
    "an unknown expectation": HEAD + b"Expect: 200-maybe\r\n\r\n",
    "a hundred and one headers": HEAD + b"X: y\r\n" * 101 + b"\r\n",
    "a long line": HEAD + b"X: " + b"y" * 9000 + b"\r\n\r\n",
    "long headers": HEAD + (b"X: " + b"y" * 8000 + b"\r\n") * 5 + b"\r\n",
    "a long target": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
}


Found = tuple[str, str, dict[bytes, bytes], bytes]
"""Method, path, headers (repeated ones joined by a comma), body."""


def ours(data: bytes, piece: int = 1 << 20) -> Found | None:
    """What the first request says; None while it is incomplete. Raises Refused."""
    end = http1.head_end(data)
    if end < 0:
        return None
    head = http1.parse_head(data[:end])
    rest = data[end + 4 :]
    if head.length >= 0:
        if len(rest) < head.length:
            return None
        return head.method, head.path, head.headers, rest[: head.length]
    chunks = http1.Chunks(1 << 20)
    for start in range(0, len(rest), piece):
        if chunks.feed(rest[start : start + piece]) is not None:
            return head.method, head.path, head.headers, bytes(chunks.body)
    return None


def theirs(data: bytes) -> Found | None:
    """The same of h11; raises h11.RemoteProtocolError."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=http1.MAX_HEAD + 4)
    connection.receive_data(data)
    request, body = None, b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert request is not None
            target = request.target.decode()
            path = target.partition("?")[0]
            if not path.startswith("/") and path != "*":
                path = "/" + path.partition("://")[2].partition("/")[2]
            headers: dict[bytes, bytes] = {}
            for name, value in request.headers:
                headers[name] = headers[name] + b", " + value if name in headers else value
            return request.method.decode(), path, headers, body
        else:
            return None


@pytest.mark.parametrize("data", GOOD)
def test_both_read_the_same(data: bytes) -> None:
    assert ours(data) == theirs(data)
    assert ours(data) is not None


@pytest.mark.parametrize("data", GOOD)
def test_every_prefix_is_incomplete(data: bytes) -> None:
    for length in range(len(data)):
        assert ours(data[:length]) is None, data[:length]


@pytest.mark.parametrize("data", [d for d in GOOD if b"chunked" in d])
@pytest.mark.parametrize("piece", [1, 2, 3, 7])
def test_chunks_in_pieces(data: bytes, piece: int) -> None:
    assert ours(data, piece) == theirs(data)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_requests_are_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        found = ours(HOSTILE[name])
        pytest.fail(f"taken as {found}")
    assert 400 <= refused.value.status <= 505
    assert refused.value.message.endswith(".")


PIECES = [
    *(b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b"\x00", b"\x0b", b"\x7f", b"\xff"),
    *(b"0", b"5", b"-", b"+", b"0x", b"chunked", b"Chunked", b"identity", b"close", b"HTTP/1.0"),
    b"Content-Length: 3\r\n",
    b"content-length:3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: b\r\n",
    b"X-Twice: 1\r\nX-Twice: 2\r\n",
    b"\r\n folded",
    b"\r\n\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
]


def mutations(chance: random.Random, seconds: float) -> Iterator[bytes]:
    """Changed good and hostile requests, 40,000 or as many as there is time for."""
    seeds = GOOD * 3 + list(HOSTILE.values())[:40]
    end = time.monotonic() + seconds
    for _ in range(40_000):
        if time.monotonic() > end:
            return
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(data) + 1)
            cut = chance.choice((0, 0, 1, 2))
            data[at : at + cut] = chance.choice(PIECES) if chance.random() < 0.8 else b""
        yield bytes(data)


def test_whatever_we_take_h11_reads_the_same() -> None:
    """The same method, path, headers and body. A fixed seed: a failure can be repeated."""
    chance = random.Random(5)
    taken = refused = 0
    for data in mutations(chance, 10):
        try:
            found = ours(data, chance.choice((1, 3, 1000)))
        except Refused:
            refused += 1
            continue
        if found is None:
            continue
        taken += 1
        try:
            other = theirs(data)
        except h11.RemoteProtocolError as error:
            pytest.fail(f"we take what h11 refuses ({error}): {data!r}")
        assert found == other, data
    assert taken > 1000 and refused > 1000
