"""The serving layer against servers of others: the same model, the same rows, one worker each."""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path

from jupyter_mlops.services.assembling import archive, serving_layer

from .rows import Row, ratio
from .serving_peers import Bench
from .turns import Contender, Turn, alternate, call, running
from .usage import added, cold_start, memory

CONNECTIONS = (16, 1, 64)
ROWS = "scikit-learn, 10 rows of JSON"
INLINE = "FastAPI + uvicorn, predict called inline"
THREAD = "FastAPI + uvicorn, predict in a thread"
TENSOR = "mlflow models serve, tensor signature"
FRAME = "mlflow models serve, DataFrame signature"
BATCH = 16
BYTES = "FastAPI + uvicorn (uvloop, httptools), bytes"
ECHO = """
def model_fn(folder):
    return None

def transform_fn(model, body, content_type, accept):
    return body
"""
BUSY = """
import time

def model_fn(folder):
    return None

def transform_fn(model, body, content_type, accept):
    end = time.perf_counter() + 0.25
    while time.perf_counter() < end:
        sum(range(1000))
    return body
"""
BINARY = "application/octet-stream"


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name))
        return [_layer(), *_echo(bench), *_models(bench), _busy(bench)]


def _layer() -> Row:
    size = len(archive(serving_layer(b"{}")))
    return Row(
        "serving layer, added to the image", f"{size / 1024:.0f} KiB, 0 packages", "", "", "",
        "≤ 1 MiB, 0 packages", size <= 1024 * 1024,
    )  # fmt: skip


def _echo(bench: Bench) -> list[Row]:
    body = b"x" * 860
    ours = bench.ours("ours echo", bench.fastapi, ECHO, body, BINARY)
    peer = bench.uvicorn(BYTES, "/bytes", body)
    rows = []
    with running([ours, peer]):
        for connections in CONNECTIONS:
            found = alternate([ours, peer], connections)
            row = f"echo of 860 bytes, {_connections(connections)}"
            a, b = found[ours.name], found[peer.name]
            barred = connections == 16
            rows += [
                _faster(row, a, b, BYTES, 5 if barred else 0),
                _sooner("the same, p99", a, b, BYTES, "p99", 1 if barred else 0),
            ]
    return rows


def _models(bench: Bench) -> list[Row]:
    ours = bench.ours("ours", bench.fastapi)
    # MLflow's environment has other versions of NumPy and scikit-learn: ours runs on both.
    beside = bench.ours("ours beside mlflow", bench.mlflow)
    batched = bench.ours("ours in batches", bench.mlflow, batch=BATCH)
    peers = {
        bench.mlflow_serve(TENSOR, "tensor"): bench.mlflow,
        bench.mlflow_serve(FRAME, "frame"): bench.mlflow,
        bench.uvicorn(INLINE, "/inline"): bench.fastapi,
        bench.uvicorn(THREAD, "/thread"): bench.fastapi,
        bench.litserve_run(): bench.litserve,
        bench.bentoml_serve(): bench.bentoml,
        bench.mlserver_start(): bench.mlserver,
    }
    contenders = [ours, beside, batched, *peers]
    rows = []
    starts = {contender.name: cold_start(contender) for contender in contenders}
    with running(contenders) as pids:
        answers = {_predictions(call(contender)) for contender in contenders}
        if len(answers) != 1:
            raise SystemExit(f"the servers do not predict the same: {answers}")
        for connections in CONNECTIONS:
            found = alternate(contenders, connections)
            rows += _against(found, connections, peers)
        used = {name: memory(pid) for name, pid in pids.items()}
    cost = "start to first answer; memory after the load; added to the environment"
    mine = f"{_cost(starts, used, ours)}; 0 packages, 0 MB"
    for peer, python in peers.items():
        theirs = f"{_cost(starts, used, peer)}; {added(python, bench.science)}"
        rows.append(Row(cost, mine, peer.name, theirs, "", "", True))
    return rows


def _against(
    found: Mapping[str, Sequence[Turn]], connections: int, peers: Mapping[Contender, Path]
) -> list[Row]:
    rows = []
    row = f"{ROWS}, {_connections(connections)}"
    bars = {TENSOR: 4.0, INLINE: 1.5} if connections == 16 else {}
    for peer in peers:
        title = peer.name
        a = found["ours beside mlflow" if title in (TENSOR, FRAME) else "ours"]
        b = found[title]
        rows.append(_faster(row, a, b, title, bars.get(title, 0)))
        rows.append(
            _sooner("the same, p50", a, b, title, "p50", 0.4 if title == TENSOR and bars else 0)
        )
        rows.append(_sooner("the same, p99", a, b, title, "p99", 0))
    a, b = found["ours in batches"], found[TENSOR]
    rows.append(_faster(f"{row}, --batch {BATCH}", a, b, TENSOR, 0))
    rows.append(_sooner("the same, p99", a, b, TENSOR, "p99", 0))
    return rows


def _faster(row: str, ours: Sequence[Turn], theirs: Sequence[Turn], title: str, bar: float) -> Row:
    """Requests a second; a bar of 0 is none."""
    found = ratio([t.rate for t in ours], [t.rate for t in theirs])
    said = [f"{statistics.median(t.rate for t in turns):,.0f}/s" for turns in (ours, theirs)]
    return Row(
        row, said[0], title, said[1], str(found), f"≥ {bar:g}" if bar else "", found.median >= bar
    )


def _sooner(
    row: str, ours: Sequence[Turn], theirs: Sequence[Turn], title: str, which: str, bar: float
) -> Row:
    """A percentile of the time to an answer, below the bar; 0 is none."""
    a, b = ([float(getattr(turn, which)) for turn in turns] for turns in (ours, theirs))
    found = ratio(a, b)
    return Row(
        row, f"{statistics.median(a):.2f} ms", title, f"{statistics.median(b):.2f} ms",
        str(found), f"≤ {bar:g}" if bar else "", not bar or found.median <= bar,
    )  # fmt: skip


def _busy(bench: Bench) -> Row:
    """Probes while the only worker computes and more requests wait."""
    ours = bench.ours("ours busy", Path(sys.executable), BUSY, b"x", BINARY)
    host = urllib.parse.urlsplit(ours.url).netloc
    seconds: list[float] = []
    with running([ours]):
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                call(ours)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        connection = http.client.HTTPConnection(host, timeout=10)
        for _ in range(200):
            began = time.perf_counter()
            connection.request("GET", "/ping")
            answer = connection.getresponse()
            answer.read()
            seconds.append(time.perf_counter() - began)
            if answer.status != 200:
                raise SystemExit(f"/ping answered {answer.status}")
            time.sleep(0.01)
        stop.set()
        for thread in threads:
            thread.join()
    p99 = statistics.quantiles(seconds, n=100)[98] * 1000
    middle = statistics.median(seconds) * 1000
    return Row(
        "/ping while all workers are busy", f"p99 {p99:.1f} ms, median {middle:.1f} ms", "", "", "",
        "≤ 5 ms", p99 <= 5,
    )  # fmt: skip


def _predictions(answer: bytes) -> str:
    """Of any of the servers, as one text."""
    found = json.loads(answer)
    if isinstance(found, dict):
        found = found["predictions"] if "predictions" in found else found["outputs"][0]["data"]
    return json.dumps(found)


def _cost(starts: Mapping[str, float], used: Mapping[str, int], contender: Contender) -> str:
    return f"{starts[contender.name]:.1f} s; {used[contender.name] / 1e6:.0f} MB"


def _connections(count: int) -> str:
    return f"{count} connection{'s' if count > 1 else ''}"
