"""Rows of requests that wait at the same time go to the model together, where that is asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Answer, Server, Servers

ROWS = """
    import os, time

    CALLS = os.environ["HOME"] + "/calls"

    def model_fn(folder):
        return None

    def predict_fn(data, model):
        with open(CALLS, "a") as file:
            file.write("%d\\n" % len(data))
        if any(row[0] == -1 for row in data):
            raise RuntimeError("a row is bad")
        time.sleep(0.02)
        return [sum(row) for row in data]
"""
FRAMES = """
    import os, time
    import numpy as np

    CALLS = os.environ["HOME"] + "/calls"

    class Model:
        feature_names_in_ = np.array(["a", "b"])

        def predict(self, data):
            with open(CALLS, "a") as file:
                file.write("%d\\n" % len(data))
            time.sleep(0.02)
            return np.asarray(data["a"]) * 10 + np.asarray(data["b"])

    def model_fn(folder):
        return Model()
"""


def calls(server: Server) -> list[int]:
    """Rows of each call of the model."""
    path = server.log.parent / "calls"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def at_once(server: Server, bodies: list[Any], **headers: str) -> list[Answer]:
    """Ask all at the same time; answers in the order of ``bodies``."""
    answers: list[Answer | None] = [None] * len(bodies)
    gate = threading.Barrier(len(bodies))

    def ask(index: int) -> None:
        gate.wait()
        answers[index] = server.post(bodies[index], **headers)

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for answer in answers if answer is not None]


def test_many_requests_are_answered_right_in_fewer_calls(serve: Servers) -> None:
    server = serve(ROWS, MLOPS_BATCH_SIZE="16")
    # Of different lengths, so that a wrong cut would be seen.
    bodies = [[[index, row] for row in range(1 + index % 4)] for index in range(60)]
    answers = at_once(server, bodies)
    assert [answer.json for answer in answers] == [
        [index + row for row in range(1 + index % 4)] for index in range(60)
    ]
    made = calls(server)
    assert sum(made) == sum(map(len, bodies)), "each row was predicted once"
    assert len(made) <= 30, made
    # 16 requests at most, of four rows at most.
    assert max(made) <= 64


def test_without_the_setting_each_request_is_a_call(serve: Servers) -> None:
    server = serve(ROWS)
    assert {answer.status for answer in at_once(server, [[[1, 2]]] * 10)} == {200}
    assert calls(server) == [1] * 10


def test_the_package_can_ask_for_it(serve: Servers) -> None:
    server = serve(ROWS, spec={"batching": {"size": 8, "wait_ms": 5}})
    assert {answer.status for answer in at_once(server, [[[1, 2]]] * 20)} == {200}
    assert len(calls(server)) < 20
    off = serve(ROWS, spec={"batching": {"size": 8}}, MLOPS_BATCH_SIZE="1")
    at_once(off, [[[1, 2]]] * 5)
    assert calls(off) == [1] * 5


def test_a_request_alone_does_not_wait(serve: Servers) -> None:
    """Even where a batch may wait for long."""
    server = serve(ROWS, MLOPS_BATCH_SIZE="16", MLOPS_BATCH_WAIT_MS="30000")
    for _ in range(3):
        began = time.monotonic()
        assert server.post([[1, 2]]).json == [3]
        assert time.monotonic() - began < 10


def test_a_bad_request_spoils_only_its_own_answer(serve: Servers) -> None:
    server = serve(ROWS, MLOPS_BATCH_SIZE="16")
    bodies: list[Any] = [[[index, 1]] for index in range(30)]
    bodies[7] = [[-1, 1]]
    bodies[11] = b"{"
    bodies[13] = {"rows": [1]}
    answers = at_once(server, bodies)
    statuses = {index: answer.status for index, answer in enumerate(answers)}
    assert statuses.pop(7) == 500 and "a row is bad" in answers[7].error
    assert statuses.pop(11) == 400
    assert statuses.pop(13) >= 400
    assert set(statuses.values()) == {200}
    assert all(answers[index].json == [index + 1] for index in statuses)


def test_answers_in_each_ones_own_format(serve: Servers) -> None:
    server = serve(ROWS, MLOPS_BATCH_SIZE="16")
    found: dict[str, Answer] = {}

    def ask(name: str, **headers: str) -> None:
        found[name] = server.post([[1, 2], [3, 4]], **headers)

    threads = [threading.Thread(target=ask, args=("slow",))]
    for name, accept in (("json", "application/json"), ("csv", "text/csv"), ("bad", "image/png")):
        threads.append(threading.Thread(target=ask, args=(name,), kwargs={"Accept": accept}))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["json"].json == [3, 7] and found["csv"].body == b"3\n7\n"
    assert found["bad"].status == 406


def test_arrays_and_frames_are_joined_by_kind(serve: Servers, science: Path) -> None:
    """Rows with names and without, at once: each kind together, and nobody's rows mixed up."""
    server = serve(FRAMES, python=science, MLOPS_BATCH_SIZE="32")
    bodies: list[Any] = []
    for index in range(40):
        named = {"dataframe_split": {"columns": ["a", "b"], "data": [[index, 1], [index, 2]]}}
        bodies.append(named if index % 2 else [[index, 1], [index, 2]])
    answers = at_once(server, bodies)
    for index, answer in enumerate(answers):
        assert answer.json == [index * 10 + 1, index * 10 + 2]
    assert len(calls(server)) <= 25 and sum(calls(server)) == 80


@pytest.mark.parametrize(
    "code",
    [
        "def model_fn(f): pass\ndef transform_fn(m, body, kind, accept): return body",
        "def model_fn(f): pass\ndef predict_fn(data, model, context): return data",
        "def model_fn(f): pass\ndef predict_fn(data, model):\n    yield from data",
    ],
)
def test_handlers_that_take_no_rows_say_so_and_work(serve: Servers, code: str) -> None:
    server = serve(code, MLOPS_BATCH_SIZE="8")
    assert {answer.status for answer in at_once(server, [[[1, 2]]] * 5)} == {200}
    assert any(event["event"] == "batching_off" for event in server.events())


def test_a_model_that_sums_all_rows_up_is_asked_one_by_one(serve: Servers) -> None:
    code = ROWS.replace("return [sum(row) for row in data]", "return sum(sum(row) for row in data)")
    server = serve(code, MLOPS_BATCH_SIZE="8")
    answers = at_once(server, [[[index, 1], [index, 2]] for index in range(10)])
    assert [answer.json for answer in answers] == [index * 2 + 3 for index in range(10)]


def test_a_crash_in_a_batch_is_answered(serve: Servers, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    code = ROWS.replace('raise RuntimeError("a row is bad")', "os._exit(3)").replace(
        "time.sleep(0.02)",
        f"while data[0][0] == -2 and not os.path.exists({str(flag)!r}): time.sleep(0.01)",
    )
    server = serve(code, MLOPS_BATCH_SIZE="8")
    first = threading.Thread(target=server.post, args=([[-2, 1]],))
    first.start()
    wait(lambda: calls(server) == [1])
    answers: list[Answer] = []
    bodies = [*([[index, 1]] for index in range(6)), [[-1, 1]]]
    others = threading.Thread(target=lambda: answers.extend(at_once(server, bodies)))
    others.start()
    # All wait for the first one, so they are a batch.
    wait(lambda: b"\nmlops_requests_in_flight 8\n" in server.call("GET", "/metrics").body)
    flag.touch()
    first.join()
    others.join()
    assert answers[6].status == 500 and "exited with code 3" in answers[6].error
    # Whoever was with it is asked again, by itself.
    assert [answer.json for answer in answers[:6]] == [[1], [2], [3], [4], [5], [6]]
    server.wait_ready()
    assert server.post([[1, 2]]).json == [3]
