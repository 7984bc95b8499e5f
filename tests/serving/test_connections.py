"""Many connections, and slow ones: what they cost, and that they hold up nobody."""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Server, Servers, status
from .test_front import ECHO

WANTED = 10_000


@contextlib.contextmanager
def descriptors(count: int) -> Iterator[int]:
    """Raise this process's limit of open files: how many it may have."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    now = count if most == resource.RLIM_INFINITY else min(count, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(now, before), most))
    try:
        yield max(now, before)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


def resident(server: Server) -> int:
    """Bytes of the front's memory."""
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def gauge(server: Server, name: str) -> float:
    lines = server.call("GET", "/metrics").body.decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))


def connect(server: Server, number: int) -> socket.socket:
    """From one of several loopback addresses, so that no one of them runs out of ports."""
    sock = socket.socket()
    sock.bind((f"127.0.0.{2 + number % 8}", 0))
    sock.connect(("127.0.0.1", server.port))
    return sock


def test_ten_thousand_idle_connections(
    serve: Servers, record_property: pytest.RecordProperty
) -> None:
    with descriptors(WANTED + 500) as limit, contextlib.ExitStack() as stack:
        server = serve(ECHO)
        server.post(b"x", "text/plain")
        # As many as the limit of open files leaves here.
        count = min(WANTED, limit - 300, int(gauge(server, "mlops_connections_limit")) - 10)
        before = resident(server)
        sockets = [stack.enter_context(connect(server, number)) for number in range(count)]
        deadline = time.monotonic() + 60
        while gauge(server, "mlops_connections") < count:
            assert time.monotonic() < deadline, "not all connections were taken"
            time.sleep(0.05)
        # Each has asked once and is now kept alive, as a load balancer's are.
        for sock in sockets:
            sock.sendall(b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
        for sock in sockets:
            sock.settimeout(60)
            assert status(sock.recv(1000)) == 200
        each = (resident(server) - before) / count
        record_property("connections", count)
        record_property("bytes_per_connection", round(each))
        print(f"{count} idle connections, {each:.0f} bytes each")
        assert count >= min(WANTED, limit - 300)
        assert each < 10_000
        began = time.monotonic()
        assert server.post(b"hello", "text/plain").body == b"hello"
        assert time.monotonic() - began < 2


def test_more_than_the_limit_are_told_so(serve: Servers) -> None:
    """The front's own limit of open files is what counts when it is the smaller one."""
    server = serve(ECHO, descriptors=300)
    most = int(gauge(server, "mlops_connections_limit"))
    assert most == 100
    with contextlib.ExitStack() as stack:
        for number in range(most):
            stack.enter_context(connect(server, number))
        late = stack.enter_context(connect(server, 0))
        late.settimeout(10)
        answer = late.recv(1000)
        assert status(answer) == 503 and b"Retry-After: " in answer
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError):
            if server.call("GET", "/ping").status == 200:
                break
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_slow_clients_hold_no_worker(serve: Servers) -> None:
    """One worker, and 200 clients in the middle of a head or of a body."""
    server = serve(ECHO)
    head = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n"
    with contextlib.ExitStack() as stack:
        for number in range(200):
            sock = stack.enter_context(connect(server, number))
            sock.sendall(head if number % 2 else head + b"Content-Length: 1000\r\n\r\nx")
        for _ in range(20):
            began = time.monotonic()
            assert server.post(b"hello", "text/plain").body == b"hello"
            assert time.monotonic() - began < 2
        assert gauge(server, "mlops_requests_in_flight") == 0


@pytest.mark.parametrize("part", ["nothing", "head", "body", "chunks"])
def test_slow_clients_are_cut_off(serve: Servers, part: str) -> None:
    """However steadily they go on: a byte now and then is not enough."""
    server = serve(ECHO, MLOPS_IDLE_SECONDS="2", MLOPS_HEAD_SECONDS="2", MLOPS_STALL_SECONDS="2")
    start = {
        "nothing": b"",
        "head": b"POST /invocations HTTP/1.1\r\nX: ",
        "body": b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n",
        "chunks": b"POST /invocations HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    }[part]
    drip = {"nothing": b"", "head": b"y", "body": b"x", "chunks": b"1\r\nx\r\n"}[part]
    with connect(server, 0) as sock:
        sock.sendall(start)
        answer = b""
        deadline = time.monotonic() + 30
        while True:
            assert time.monotonic() < deadline, "still connected"
            if select.select([sock], [], [], 0.1)[0]:
                answer = sock.recv(1000)
                break
            sock.sendall(drip)
    assert status(answer) == (0 if part == "nothing" else 408)
