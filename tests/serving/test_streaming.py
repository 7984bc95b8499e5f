"""Answers that a handler makes piece by piece: chunks, back-pressure, and ends of all kinds."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Server, Servers, status

CODE = """
    import asyncio, itertools, os, time

    LOG = os.environ["HOME"] + "/said"

    def say(text):
        with open(LOG, "a") as file:
            file.write(text + "\\n")

    def model_fn(model_dir):
        return None

    def count(number):
        for index in range(number):
            yield "%d\\n" % index

    def wait_for(path):
        yield "first"
        while not os.path.exists(path):
            time.sleep(0.01)
        yield "second"

    def endless(size):
        made = 0
        try:
            while True:
                made += 1
                say("made %d" % made)
                yield b"x" * size
        finally:
            say("stopped")

    def fails(after):
        for index in range(after):
            yield "good"
        raise RuntimeError("the well is dry")

    def exits():
        yield "good"
        os._exit(3)

    def sleeps():
        yield "good"
        time.sleep(60)

    async def asynchronous():
        try:
            for index in range(3):
                await asyncio.sleep(0.001)
                yield {"index": index}
        finally:
            say("asynchronous stopped")

    def transform_fn(model, body, content_type, accept):
        word, _, rest = body.partition(" ")
        if word == "count":
            return count(int(rest)), "text/plain"
        if word == "wait":
            return wait_for(rest), "text/event-stream"
        if word == "endless":
            return endless(int(rest))
        if word == "fails":
            return fails(int(rest))
        if word == "exits":
            return exits()
        if word == "sleeps":
            return sleeps()
        if word == "asynchronous":
            return asynchronous(), "application/jsonlines"
        if word == "empties":
            return iter(["", "a", "", "b"])
        return body
"""


@pytest.fixture(scope="module")
def server(shared: Servers) -> Server:
    return shared(CODE)


def ask(server: Server, body: str, version: str = "1.1") -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    head = f"POST /invocations HTTP/{version}\r\nHost: a\r\nContent-Type: text/csv\r\n"
    sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    return sock


def until(condition: Callable[[], bool], server: Server) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, server.text()
        time.sleep(0.01)


def read_until(sock: socket.socket, end: bytes) -> bytes:
    found = b""
    while end not in found:
        part = sock.recv(65536)
        assert part, found
        found += part
    return found


def said(server: Server) -> str:
    path = server.log.parent / "said"
    return path.read_text() if path.exists() else ""


def test_pieces_are_chunks(server: Server) -> None:
    answer = server.post(b"count 1000", "text/csv")
    assert answer.status == 200
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["content-type"] == "text/plain"
    assert "content-length" not in answer.headers
    assert answer.body.decode().split() == [str(index) for index in range(1000)]


def test_each_piece_is_sent_at_once(server: Server, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    with ask(server, f"wait {flag}") as sock:
        first = read_until(sock, b"first\r\n")
        assert status(first) == 200 and b"text/event-stream" in first
        flag.touch()
        assert read_until(sock, b"0\r\n\r\n") == b"6\r\nsecond\r\n0\r\n\r\n"


def test_asynchronous_generators(server: Server) -> None:
    lines = server.post(b"asynchronous", "text/csv").body.splitlines()
    assert [json.loads(line) for line in lines] == [{"index": index} for index in range(3)]
    assert "asynchronous stopped" in said(server)


def test_empty_pieces_do_not_end_the_answer(server: Server) -> None:
    assert server.post(b"empties", "text/csv").body == b"ab"
    assert server.post(b"count 0", "text/csv").body == b""


def test_the_connection_is_used_again(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for word in ("count 3", "plain", "count 2", "asynchronous"):
        connection.request("POST", "/invocations", word.encode(), {"Content-Type": "text/csv"})
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200 and body, word
    connection.close()


def test_clients_without_chunks(server: Server) -> None:
    with ask(server, "count 3", "1.0") as sock:
        answer = b""
        while part := sock.recv(65536):
            answer += part
    assert b"chunked" not in answer and answer.endswith(b"\r\n\r\n0\n1\n2\n")
    with ask(server, "fails 1", "1.0") as sock, pytest.raises(ConnectionResetError):
        while sock.recv(65536):
            pass


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_goes_away_stops_the_generator(server: Server, how: str) -> None:
    before = said(server).count("stopped")
    sock = ask(server, "endless 1000")
    read_until(sock, b"xxx")
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    until(lambda: said(server).count("stopped") > before, server)
    assert server.post(b"plain", "text/csv").body == b"plain"


def test_a_slow_client_slows_the_generator(serve: Servers) -> None:
    """A client that does not read: what waits for it is bounded, and so is its patience."""
    server = serve(CODE, MLOPS_STALL_SECONDS="2")
    with ask(server, "endless 100000") as sock:
        # Until nothing more is made: it stays the same over many looks.
        last, same = -1, 0
        while same < 50:
            count = said(server).count("made")
            last, same = count, same + 1 if count == last else 0
            time.sleep(0.01)
        # Our megabyte, and what the kernel's buffers of four sockets take.
        assert 5 <= last <= 120, last
        assert server.call("GET", "/ping").status == 200
        until(lambda: "stopped" in said(server), server)
        assert server.post(b"plain", "text/csv").body == b"plain"
        rest = b""
        with contextlib.suppress(ConnectionError):
            while part := sock.recv(1 << 20):
                rest = (rest + part)[-5:]
        assert rest != b"0\r\n\r\n", "cut off, and not as if it were whole"


def test_a_client_that_reads_again_gets_the_rest(server: Server) -> None:
    before = said(server).count("stopped")
    with ask(server, "endless 100000") as sock:
        until(lambda: said(server).count("made 12") > 0, server)
        total = 0
        while total < 30_000_000:
            total += len(sock.recv(1 << 20))
    until(lambda: said(server).count("stopped") > before, server)
    assert server.post(b"plain", "text/csv").body == b"plain"


def test_an_error_in_the_middle_is_seen(server: Server) -> None:
    with pytest.raises(http.client.IncompleteRead) as cut:
        server.post(b"fails 3", "text/csv")
    assert cut.value.partial == b"goodgoodgood"
    events = [event for event in server.events() if event["event"] == "stream_broken"]
    assert "the well is dry" in events[-1]["message"]
    assert any("the well is dry" in event.get("traceback", "") for event in server.events())
    assert b"mlops_streams_broken_total 0" not in server.call("GET", "/metrics").body


def test_an_error_before_the_first_piece_is_an_answer(server: Server) -> None:
    answer = server.post(b"fails 0", "text/csv")
    assert answer.status == 500 and answer.error == "RuntimeError: the well is dry"


def test_a_worker_that_ends_in_the_middle(serve: Servers) -> None:
    server = serve(CODE)
    with pytest.raises(http.client.IncompleteRead):
        server.post(b"exits", "text/csv")
    server.wait_ready()
    assert server.post(b"plain", "text/csv").body == b"plain"
    with ask(server, "endless 10") as sock:
        read_until(sock, b"xxx")
        (pid,) = server.workers()
        os.kill(pid, signal.SIGKILL)
        rest = b""
        while part := sock.recv(65536):
            rest += part
        assert not rest.endswith(b"0\r\n\r\n")
    server.wait_ready()


def test_the_time_limit_is_for_each_piece(serve: Servers) -> None:
    server = serve(CODE, SAGEMAKER_MODEL_SERVER_TIMEOUT="1")
    with pytest.raises(http.client.IncompleteRead):
        server.post(b"sleeps", "text/csv")
    assert "longer than 1 s" in server.text()
    server.wait_ready()


def test_predictions_one_by_one(serve: Servers) -> None:
    code = """
        def model_fn(folder): pass
        def predict_fn(data, model):
            for row in data:
                yield {"row": int(row)}
    """
    server = serve(code)
    answer = server.post([1, 2])
    assert answer.headers["content-type"] == "application/jsonlines"
    assert answer.body == b'{"row": 1}\n{"row": 2}\n'
    assert server.post([1, 2], Accept="text/csv").body == b"1\n2\n"
    assert server.post([1, 2], Accept="application/x-npy").status == 406


def test_a_function_that_yields(serve: Servers) -> None:
    server = serve("def go(n):\n    yield from range(n)", kind="function", function="go")
    assert server.post({"data": {"n": 2}}).body == b'{"result": 0}\n{"result": 1}\n'


def test_a_sample_whose_answer_streams(serve: Servers) -> None:
    sample = {"content_type": "text/csv", "body": "Y291bnQgMw=="}
    server = serve(CODE, sample=sample)
    assert "warm_up_failed" not in server.text() and "warming_up" in server.text()
