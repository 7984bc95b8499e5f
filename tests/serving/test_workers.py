"""Workers: loading, crashing, coming back, and who gets which answer meanwhile."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from pathlib import Path

from .conftest import Answer, Servers

CRASHES = """
    import os, signal, time

    def model_fn(model_dir):
        return os.getpid()

    def input_fn(body, content_type):
        return body

    def predict_fn(word, model):
        if word == "exit":
            os._exit(7)
        if word == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if word.startswith("sleep"):
            time.sleep(float(word.split()[1]))
        if word == "orphan":
            if os.fork() == 0:
                if os.fork() == 0:
                    time.sleep(0.2)
                os._exit(0)
        return {"pid": model, "word": word}
"""


def test_a_crash_is_answered_and_repaired(serve: Servers) -> None:
    server = serve(CRASHES)
    before = server.post(b"hello").json
    crashed = server.post(b"exit")
    assert crashed.status == 500 and "it exited with code 7" in crashed.error
    server.wait_ready()
    after = server.post(b"hello").json
    assert after["word"] == "hello" and after["pid"] != before["pid"]
    killed = server.post(b"kill")
    assert "SIGKILL" in killed.error and "memory" in killed.error
    ended = [event for event in server.events() if event["event"] == "worker_ended"]
    assert [event["restart_in"] for event in ended] == [0.1, 0.1]


def test_those_behind_a_crash_are_answered(serve: Servers) -> None:
    """One poisonous request must not take those of others with it."""
    server = serve(CRASHES)
    answers: dict[str, int] = {}

    def ask(name: str, body: bytes) -> None:
        answers[name] = server.post(body).status

    threads = [threading.Thread(target=ask, args=("slow", b"sleep 0.4"))]
    threads[0].start()
    time.sleep(0.1)
    for name, body in (("poison", b"exit"), *((f"good{i}", b"hello") for i in range(5))):
        threads.append(threading.Thread(target=ask, args=(name, body)))
        threads[-1].start()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert answers.pop("poison") == 500
    assert set(answers.values()) == {200}, answers


def test_a_model_that_does_not_load(serve: Servers) -> None:
    server = serve(
        """
        import surely_not_there
        def model_fn(model_dir):
            pass
        """,
        wait=False,
    )
    deadline = time.monotonic() + 10
    while "could not be loaded" not in server.call("GET", "/ping").body.decode():
        assert time.monotonic() < deadline, server.text()
        time.sleep(0.05)
    ping = server.call("GET", "/ping")
    assert ping.status == 503
    assert "ModuleNotFoundError: No module named 'surely_not_there'" in ping.error
    assert "inference.py, line 2" in ping.error
    answer = server.post(b"{}")
    assert answer.status == 503 and "surely_not_there" in answer.error
    assert answer.headers["retry-after"]
    time.sleep(1.5)
    ended = [e["restart_in"] for e in server.events() if e["event"] == "worker_ended"]
    assert ended[:2] == [0.1, 1.0] and len(ended) <= 4
    assert server.stop() == 0


def test_a_model_that_loads_slowly(serve: Servers) -> None:
    server = serve(
        """
        import time
        def model_fn(model_dir):
            time.sleep(1)
        def predict_fn(data, model):
            return data
        """,
        wait=False,
    )
    assert server.call("GET", "/ping").error == "The model is being loaded."
    assert server.post([1]).status == 503
    server.wait_ready()
    assert server.post([1]).json == [1]


def test_a_model_that_has_gone_comes_back_when_it_can(serve: Servers, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    server = serve(
        f"""
        import os
        def model_fn(model_dir):
            if not os.path.exists({str(flag)!r}):
                raise RuntimeError("not yet")
        def predict_fn(data, model):
            return data
        """,
        wait=False,
    )
    time.sleep(0.5)
    assert "RuntimeError: not yet" in server.call("GET", "/ping").error
    flag.touch()
    server.wait_ready()
    assert server.post([1]).status == 200


def test_two_workers_answer_at_the_same_time(serve: Servers) -> None:
    server = serve(CRASHES, SAGEMAKER_MODEL_SERVER_WORKERS="2")
    while server.call("GET", "/execution-parameters").json["MaxConcurrentTransforms"] < 2:
        time.sleep(0.02)
    began = time.monotonic()
    threads = [threading.Thread(target=server.post, args=(b"sleep 1",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 1.8
    assert len(server.workers()) == 2


def test_workers_by_processors_and_memory(serve: Servers) -> None:
    server = serve(CRASHES, SAGEMAKER_MODEL_SERVER_WORKERS="")
    expected = len(os.sched_getaffinity(0))
    deadline = time.monotonic() + 10
    while len(server.workers()) < expected and time.monotonic() < deadline:
        time.sleep(0.05)
    # A quota may allow less than the affinity; never more.
    assert 1 <= len(server.workers()) <= expected


def test_orphans_of_workers_are_no_zombies(serve: Servers) -> None:
    server = serve(CRASHES)
    for _ in range(3):
        assert server.post(b"orphan").status == 200
    assert server.post(b"exit").status == 500
    server.wait_ready()
    time.sleep(0.3)
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    states = [Path(f"/proc/{pid}/stat").read_text().split()[2] for pid in children.split()]
    assert "Z" not in states and len(states) == 1


def test_timeout_ends_the_worker(serve: Servers) -> None:
    server = serve(CRASHES, SAGEMAKER_MODEL_SERVER_TIMEOUT="1")
    began = time.monotonic()
    answer = server.post(b"sleep 30")
    assert answer.status == 504 and "1 s" in answer.error
    assert time.monotonic() - began < 5
    server.wait_ready()
    assert server.post(b"hello").status == 200


def test_a_slow_answer_does_not_wait_for_the_next(serve: Servers) -> None:
    """Both are with the worker already."""
    server = serve(CRASHES)
    body = b"sleep 1"
    head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as first,
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as second,
    ):
        first.sendall(head + body)
        second.sendall(head + body)
        ready, _, _ = select.select([first, second], [], [], 10)
        assert len(ready) == 1
        assert ready[0].recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_full_queue(serve: Servers) -> None:
    server = serve(CRASHES, MLOPS_MAX_QUEUE="1")
    threads = []
    answers: list[Answer] = []
    for _ in range(12):
        ask = threading.Thread(target=lambda: answers.append(server.post(b"sleep 0.3")))
        threads.append(ask)
        ask.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} == {200, 503}
    refused = [answer for answer in answers if answer.status == 503]
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    assert refused[0].error == "Too many requests are waiting."


def test_nobody_waits_longer_than_the_time_limit(serve: Servers) -> None:
    """Also one that no worker had the time for: its caller has long gone."""
    server = serve(CRASHES, SAGEMAKER_MODEL_SERVER_TIMEOUT="2")
    answers: list[tuple[float, Answer]] = []

    def ask() -> None:
        began = time.monotonic()
        answer = server.post(b"sleep 1.5")
        answers.append((time.monotonic() - began, answer))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for _, answer in answers} == {200, 503}
    late = [answer for _, answer in answers if answer.status == 503]
    assert late[0].error == "No worker had time for this request within 2 s."
    assert max(seconds for seconds, answer in answers if answer.status == 503) < 5


def test_threads_of_libraries(serve: Servers) -> None:
    code = """
        import os
        def model_fn(folder): pass
        def input_fn(body, content_type): pass
        def predict_fn(data, model):
            return {name: os.environ.get(name) for name in
                    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "HOME", "PYTHONHASHSEED")}
    """
    found = serve(code, HOME="/nowhere", PYTHONHASHSEED="1").post(b"{}").json
    assert int(found["OMP_NUM_THREADS"]) >= 1 and int(found["OPENBLAS_NUM_THREADS"]) >= 1
    assert found["HOME"] == "/tmp"
    assert found["PYTHONHASHSEED"] == "1", "variables of the environment hold as in the notebook"
    assert serve(code, OMP_NUM_THREADS="5").post(b"{}").json["OMP_NUM_THREADS"] == "5"


def test_the_front_dies_with_its_workers(serve: Servers) -> None:
    server = serve(CRASHES)
    pids = server.workers()
    assert pids
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
