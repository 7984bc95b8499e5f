"""What operators see: ids of requests in answers and logs, metrics, and where a model is from."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.guest.serve import machine

from .conftest import Server, Servers, status

CODE = """
    def model_fn(model_dir):
        return None

    def breaks():
        yield "good"
        raise RuntimeError("in the middle")

    def transform_fn(model, body, content_type, accept):
        if body == "fail":
            raise RuntimeError("no luck")
        if body == "break":
            return breaks()
        return body
"""


@pytest.fixture(scope="module")
def server(shared: Servers) -> Server:
    return shared(CODE)


def lines(server: Server, name: str) -> list[dict[str, Any]]:
    return [event for event in server.events() if event.get("request") == name]


@pytest.mark.parametrize("header", ["X-Amzn-SageMaker-Inference-Id", "X-Request-Id"])
def test_the_callers_id_is_kept(server: Server, header: str) -> None:
    name = f"order-{header[:3]}"
    answer = server.post(b"hello", "text/csv", **{header: name})
    assert answer.headers["x-request-id"] == name and not lines(server, name)
    failed = server.post(b"fail", "text/csv", **{header: name})
    assert failed.status == 500 and failed.headers["x-request-id"] == name
    # The worker's line has the traceback, the front's the path.
    found = lines(server, name)
    assert {event["event"] for event in found} == {"handler_failed", "request"}
    assert any("no luck" in event.get("traceback", "") for event in found)


def test_a_failed_request_without_an_id_gets_one(server: Server) -> None:
    assert "x-request-id" not in server.post(b"hello", "text/csv").headers
    names = {server.post(b"fail", "text/csv").headers["x-request-id"] for _ in range(3)}
    assert len(names) == 3
    for name in names:
        assert {e["event"] for e in lines(server, name)} == {"handler_failed", "request"}
    for answer in (server.call("GET", "/nowhere"), server.post(b"{}", "text/csv", Expect="much")):
        (line,) = lines(server, answer.headers["x-request-id"])
        assert line["status"] == answer.status >= 400


@pytest.mark.parametrize("name", ["a" * 129, "with space", "t\tab", "\xff"])
def test_ids_that_could_spoil_a_log_are_not_taken(server: Server, name: str) -> None:
    head = f"POST /invocations HTTP/1.1\r\nHost: a\r\nX-Request-Id: {name}\r\nConnection: close\r\n"
    raw = server.raw(
        f"{head}Content-Type: text/csv\r\nContent-Length: 4\r\n\r\nfail".encode("latin-1")
    )
    assert status(raw) == 500
    assert f"X-Request-Id: {name}\r\n".encode("latin-1") not in raw and b"X-Request-Id: " in raw


def test_a_broken_stream_is_found_by_its_id(server: Server) -> None:
    with pytest.raises(http.client.IncompleteRead):
        server.post(b"break", "text/csv", X_Request_Id="tail")
    events = {event["event"] for event in lines(server, "tail")}
    assert events == {"handler_failed", "stream_broken", "request"}


def test_every_line_is_an_object(server: Server) -> None:
    server.post(b"fail", "text/csv")
    for line in server.text().splitlines():
        event = json.loads(line)
        assert event["time"].endswith("Z") and event["level"] in ("info", "warning", "error")


def test_access_log_names_every_request(serve: Servers) -> None:
    server = serve(CODE, MLOPS_ACCESS_LOG="1")
    server.post(b"hello", "text/csv")
    found = [event for event in server.events() if event.get("path") == "/invocations"]
    assert [event["status"] for event in found] == [200] and found[0]["request"]


def test_provenance(serve: Servers) -> None:
    facts = {
        "package": "p-0123456789abcdef",
        "name": "churn",
        "model": "sha256:12",
        "model_files": ["model.joblib"],
        "model_schema": {"inputs": []},
        "snapshot": {"id": "s-1", "environment": "science", "revision": 3, "image": "sha256:34"},
    }
    server = serve(CODE, spec=facts)
    found = server.call("GET", "/provenance").json
    assert found["package"] == {
        "id": "p-0123456789abcdef",
        "name": "churn",
        "model": "sha256:12",
        "model_files": ["model.joblib"],
        "handler": {"kind": "inference", "path": "inference.py", "function": ""},
    }
    assert found["snapshot"] == facts["snapshot"] and found["schema"] == {"inputs": []}
    assert found["sample"] == {"content_type": "application/json", "accept": ""}
    assert server.call("POST", "/provenance").status == 405


def test_workers_fit_into_the_memory() -> None:
    assert machine.workers_for(1) == machine.cpus()
    assert machine.workers_for(machine.memory()) == 1
    assert machine.workers_for(machine.memory() // 2 // max(1, machine.cpus() - 1)) == max(
        1, machine.cpus() - 1
    )


def test_a_processor_quota_and_a_memory_limit_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As control groups of both versions write them."""
    files = {"/sys/fs/cgroup/cpu.max": "150000 100000", "/sys/fs/cgroup/memory.max": "1073741824"}
    monkeypatch.setattr(machine, "_read", lambda path: files.get(path, ""))
    assert machine.cpus() == 1 and machine.memory() == 1 << 30
    files["/sys/fs/cgroup/cpu.max"] = "max 100000"
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: set(range(8)))
    assert machine.cpus() == 8
    # 200 MiB each: half of a GiB holds two.
    assert machine.workers_for(200 << 20) == 2
