"""The front, over sockets: what clients see, whatever they send."""

from __future__ import annotations

import socket
import struct
import threading
import time

import h11
import pytest

from .conftest import Server, Servers, status
from .test_http1 import GOOD, HEAD, HOSTILE

ECHO = """
    import time

    def model_fn(model_dir):
        return None

    def transform_fn(model, body, content_type, accept):
        if body == "slow":
            time.sleep(1)
        return body
"""
CLOSE = b"GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def server(shared: Servers) -> Server:
    return shared(ECHO, MLOPS_MAX_BODY_MB="8")


def test_routes(server: Server) -> None:
    assert server.call("GET", "/ping").status == 200
    assert server.call("GET", "/ping").body == b""
    assert server.post(b"hello", "text/plain").body == b"hello"
    assert server.call("GET", "/execution-parameters").json == {
        "MaxConcurrentTransforms": 1,
        "BatchStrategy": "SINGLE_RECORD",
        "MaxPayloadInMB": 6,
    }
    missing = server.call("GET", "/nowhere")
    assert missing.status == 404 and "/invocations" in missing.error
    wrong = server.call("GET", "/invocations")
    assert wrong.status == 405 and "POST" in wrong.error


def test_head_has_no_body(server: Server) -> None:
    answer = server.raw(b"HEAD /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert status(answer) == 200 and b"Content-Length: " in head and not body


def test_metrics(server: Server) -> None:
    def values() -> dict[str, float]:
        lines = server.call("GET", "/metrics").body.decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    before = values()
    server.post(b"hello", "text/plain")
    after = values()
    ok = 'mlops_requests_total{code="200"}'
    assert after[ok] == before.get(ok, 0) + 1
    assert after["mlops_request_bytes_total"] == before["mlops_request_bytes_total"] + 5
    count = "mlops_request_seconds_count"
    assert after['mlops_request_seconds_bucket{le="+Inf"}'] == after[count] == before[count] + 1
    assert after["mlops_workers_ready"] == 1
    assert after["mlops_memory_bytes"] > 1e6


def test_custom_attributes_come_back(server: Server) -> None:
    answer = server.post(b"x", "text/plain", X_Amzn_SageMaker_Custom_Attributes="trace=1")
    assert answer.headers["x-amzn-sagemaker-custom-attributes"] == "trace=1"


@pytest.mark.parametrize("data", GOOD)
def test_good_requests_get_an_answer_that_h11_reads(server: Server, data: bytes) -> None:
    answer = server.raw(data, half_close=True)
    client = h11.Connection(h11.CLIENT)
    method = data.split(b" ", 1)[0].decode()
    request = h11.Request(method=method, target="/", headers=[("Host", "a")])
    client.send(request)
    client.send(h11.EndOfMessage())
    client.receive_data(answer)
    response = client.next_event()
    assert isinstance(response, h11.Response)
    assert response.status_code in (200, 404, 405)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_requests_are_answered_and_cut_off(server: Server, name: str) -> None:
    answer = server.raw(HOSTILE[name] + CLOSE)
    assert 400 <= status(answer) <= 505, answer
    assert b"Connection: close" in answer
    assert answer.count(b"Date: ") == 1, "what follows a bad request must not be read as one"
    assert server.call("GET", "/ping").status == 200


def test_one_byte_at_a_time(server: Server) -> None:
    data = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for index in range(len(data)):
            sock.sendall(data[index : index + 1])
            time.sleep(0.0005)
        assert status(sock.recv(65536)) == 200


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    data = b""
    for index in range(300):
        body = b"%03d" % index + b"x" * (index * 7)
        data += HEAD.replace(b"application/json", b"text/plain")
        data += b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    answer = server.raw(data + CLOSE, timeout=10)
    found = [part[:3] for part in answer.split(b"\r\n\r\n")[1:]]
    assert answer.count(b"HTTP/1.1 200 OK") == 301
    assert found[:300] == [b"%03d" % index for index in range(300)]


def test_half_closed_clients_get_their_answers(server: Server) -> None:
    request = HEAD.replace(b"json", b"x") + b"Content-Length: 2\r\n\r\n{}"
    answer = server.raw(request * 3, half_close=True)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


def test_continue(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        sock.sendall(HEAD + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hello")
        assert sock.recv(1000).endswith(b"hello")


@pytest.mark.parametrize(
    ("path", "length", "expected"), [("/nowhere", 5, 404), ("/invocations", 10**10, 413)]
)
def test_no_body_is_asked_for_in_vain(
    server: Server, path: str, length: int, expected: int
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
    answer = server.raw(f"{head}Content-Length: {length}\r\n\r\n".encode())
    assert status(answer) == expected


def test_bodies_up_to_the_limit(server: Server) -> None:
    body = bytes(range(256)) * (8 * 4096)
    assert server.post(body, "application/octet-stream").body == body
    answer = server.post(body + b"x", "application/octet-stream")
    assert answer.status == 413 and "8388608" in answer.error


def test_chunked_bodies_up_to_the_limit(server: Server) -> None:
    head = HEAD.replace(b"json", b"x") + b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    fits = server.raw(head + chunk * 128 + b"0\r\n\r\n", half_close=True, timeout=10)
    assert status(fits) == 200 and fits.endswith(b"x" * 65536)
    assert status(server.raw(head + chunk * 129 + b"0\r\n\r\n", half_close=True)) == 413


def test_probes_are_answered_at_once_while_the_model_works(server: Server) -> None:
    threads = [threading.Thread(target=server.post, args=(b"slow", "text/csv")) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    slowest = 0.0
    for _ in range(50):
        began = time.perf_counter()
        assert server.call("GET", "/ping").status == 200
        slowest = max(slowest, time.perf_counter() - began)
    for thread in threads:
        thread.join()
    assert slowest < 0.5


def test_many_clients_each_get_their_own_answer(server: Server) -> None:
    wrong = []

    def client(number: int) -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
            for index in range(50):
                body = b"%d-%d" % (number, index) + b"y" * (number * index % 5000)
                sock.sendall(
                    HEAD.replace(b"json", b"x")
                    + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
                )
                answer = b""
                while not answer.endswith(body):
                    part = sock.recv(65536)
                    if not part:
                        break
                    answer += part
                if answer.partition(b"\r\n\r\n")[2] != body:
                    wrong.append((number, index))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_client_that_never_reads_stops_nobody(server: Server) -> None:
    body = b"x" * 4_000_000
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        request = HEAD.replace(b"json", b"x") + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        sock.setblocking(False)
        sent = 0
        data = request * 3
        deadline = time.monotonic() + 1
        while sent < len(data) and time.monotonic() < deadline:
            try:
                sent += sock.send(data[sent : sent + 1_000_000])
            except BlockingIOError:
                time.sleep(0.01)
        assert server.post(b"hello", "text/plain").body == b"hello"


@pytest.mark.parametrize("how", ["close", "reset", "half close, then reset"])
def test_clients_that_vanish_harm_nobody(server: Server, how: str) -> None:
    """While their request is answered."""
    body = b"slow"
    request = HEAD.replace(b"application/json", b"text/csv")
    request += b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    sock = socket.create_connection(("127.0.0.1", server.port))
    sock.sendall(request)
    if how.startswith("half"):
        sock.shutdown(socket.SHUT_WR)
    time.sleep(0.05)
    if how != "close":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    assert server.post(b"hello", "text/plain").body == b"hello"
    wrong = {event["event"] for event in server.events()} & {"worker_ended", "answer_failed"}
    assert not wrong


def test_refusals_do_not_flood_the_log(server: Server) -> None:
    before = len(server.events())
    for _ in range(300):
        server.call("GET", "/nowhere")
    time.sleep(1.2)
    new = server.events()[before:]
    assert 20 <= len(new) <= 150
    assert any(event["event"] == "suppressed" for event in new)


def test_stopping_answers_what_has_begun(serve: Servers) -> None:
    server = serve(ECHO)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(server.post(b"slow", "text/csv")))
    idle = socket.create_connection(("127.0.0.1", server.port))
    thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 10
    thread.join()
    assert answers[0].status == 200 and answers[0].headers["connection"] == "close"
    assert idle.recv(10) == b""
    idle.close()
    assert not server.workers()
    assert server.events()[-1]["event"] == "stopped"


def test_stopping_does_not_wait_for_ever(serve: Servers) -> None:
    server = serve(
        """
        import time
        def model_fn(folder): pass
        def transform_fn(*a): time.sleep(60)
        """,
        MLOPS_DRAIN_SECONDS="1",
    )
    answers = []
    thread = threading.Thread(target=lambda: answers.append(server.post(b"1")))
    thread.start()
    time.sleep(0.3)
    assert server.stop() == 0
    thread.join()
    assert answers[0].status == 503 and "shutting down" in answers[0].error


def test_port_in_use(serve: Servers) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        server = serve(ECHO, wait=False, SAGEMAKER_BIND_TO_PORT=str(port))
        assert server.process.wait(10) == 1
    assert f"Port {port} cannot be used" in server.events()[-1]["message"]
