"""The serving layer against FastAPI and MLflow: the same model, the same rows, one worker each."""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

import jupyter_mlops
from jupyter_mlops.services.assembling import archive, serving_layer

from .rows import Ratio, Row, ratio
from .turns import Contender, Turn, alternate, call, environment, free_port, running

START = Path(jupyter_mlops.__file__).parent / "guest/serve/start.py"

TRAIN = """
import json, sys
import joblib, numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
rng = np.random.default_rng(0)
X = rng.normal(size=(1000, 10))
y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
joblib.dump(model, "model.joblib")
json.dump(X[:10].round(4).tolist(), open("rows.json", "w"))
if "mlflow" in sys.argv:
    import mlflow.sklearn
    from mlflow.models import infer_signature
    signature = infer_signature(X[:5], model.predict(X[:5]))
    mlflow.sklearn.save_model(
        model, "mlflow-model", signature=signature, serialization_format="cloudpickle"
    )
"""
FASTAPI = """
import joblib, numpy as np
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
model = joblib.load("model.joblib")
app = FastAPI()

class Body(BaseModel):
    inputs: list[list[float]]

@app.post("/predict")
async def predict(body: Body):
    return {"predictions": model.predict(np.asarray(body.inputs)).tolist()}

@app.post("/bytes")
async def echo(request: Request):
    return Response(await request.body(), media_type="application/octet-stream")
"""
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
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}


def run() -> list[Row]:
    sklearn = ("scikit-learn", "joblib", "numpy")
    fastapi = environment("fastapi", "fastapi", "uvicorn[standard]", *sklearn)
    mlflow = environment("mlflow", "mlflow<3.18", "fastapi", "uvicorn", *sklearn)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # With MLflow's libraries, which every contender of a row then uses.
        subprocess.run([mlflow, "-c", TRAIN, "mlflow"], cwd=folder, check=True, capture_output=True)
        return [_layer(), *_echo(folder, fastapi), *_model(folder, fastapi, mlflow), _busy(folder)]


def _ours(
    folder: Path, name: str, python: Path, code: str, body: bytes, content_type: str, **more: str
) -> Contender:
    """Our front and one worker, on this Python."""
    root = folder / name.replace(" ", "-")
    (root / "model/code").mkdir(parents=True)
    (root / "model/code/inference.py").write_text(code)
    if not code:
        (root / "model/model.joblib").write_bytes((folder / "model.joblib").read_bytes())
    (root / "serve.json").write_text('{"handler": {"kind": "inference", "path": "inference.py"}}')
    port = free_port()
    variables = {
        **THREADS,
        "MLOPS_SERVE_SPEC": str(root / "serve.json"),
        "MLOPS_MODEL_DIR": str(root / "model"),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
        **more,
    }
    return Contender(
        name,
        [str(python), "-I", str(START), "serve"],
        f"http://127.0.0.1:{port}/invocations",
        body,
        root,
        variables,
        content_type,
    )


def _uvicorn(folder: Path, python: Path, name: str, path: str, body: bytes) -> Contender:
    root = folder / name.replace(" ", "-")
    root.mkdir()
    (root / "app.py").write_text(FASTAPI)
    (root / "model.joblib").write_bytes((folder / "model.joblib").read_bytes())
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--workers", "1"]
    return Contender(
        name,
        [str(python.parent / "uvicorn"), "app:app", *options, "--log-level", "warning"],
        f"http://127.0.0.1:{port}{path}",
        body,
        root,
        THREADS,
    )


def _layer() -> Row:
    size = len(archive(serving_layer(b"{}")))
    return Row(
        "serving layer, added to the image", f"{size / 1024:.0f} KiB, 0 packages", "", "", "",
        "≤ 1 MiB, 0 packages", size <= 1024 * 1024,
    )  # fmt: skip


def _echo(folder: Path, python: Path) -> list[Row]:
    body = b"x" * 860
    ours = _ours(folder, "ours echo", python, ECHO, body, "application/octet-stream")
    peer = _uvicorn(folder, python, "fastapi echo", "/bytes", body)
    with running([ours, peer]):
        found = alternate([ours, peer])
    a, b = found[ours.name], found[peer.name]
    rates, p99 = _rates(a, b), ratio([t.p99 for t in a], [t.p99 for t in b])
    title = "FastAPI + uvicorn (uvloop, httptools), bytes"
    return [
        Row("echo of 860 bytes, 16 connections", _rate(a), title, _rate(b), str(rates), "≥ 5",
            rates.median >= 5),
        Row("the same, p99", _p99(a), title, _p99(b), str(p99), "< 1", p99.median < 1),
    ]  # fmt: skip


def _model(folder: Path, fastapi: Path, mlflow: Path) -> list[Row]:
    body = json.dumps({"inputs": json.loads((folder / "rows.json").read_text())}).encode()
    ours = _ours(folder, "ours model", fastapi, "", body, "application/json")
    # MLflow's environment has other versions of NumPy and scikit-learn: ours runs on both.
    beside = _ours(folder, "ours beside mlflow", mlflow, "", body, "application/json")
    inline = _uvicorn(folder, fastapi, "fastapi inline", "/predict", body)
    port = free_port()
    command = [str(mlflow.parent / "mlflow"), "models", "serve", "-m", str(folder / "mlflow-model")]
    options = ["--env-manager", "local", "-h", "127.0.0.1", "-p", str(port), "--workers", "1"]
    served = folder / "mlflow-serve"
    served.mkdir()
    peer = Contender(
        "mlflow",
        [*command, *options],
        f"http://127.0.0.1:{port}/invocations",
        body,
        served,
        THREADS,
    )
    contenders = [ours, inline, beside, peer]
    with running(contenders):
        answers = {_predictions(call(contender)) for contender in contenders}
        if len(answers) != 1:
            raise SystemExit(f"the servers do not predict the same: {answers}")
        found = alternate(contenders)
    a, b = found[beside.name], found[peer.name]
    p50 = ratio([t.p50 for t in a], [t.p50 for t in b])
    against = _rates(a, b)
    rows = "scikit-learn, 10 rows of JSON, 16 connections"
    title = "mlflow models serve, tensor signature"
    fast = _rates(found[ours.name], found[inline.name])
    return [
        Row(rows, _rate(a), title, _rate(b), str(against), "≥ 4", against.median >= 4),
        Row("the same, p50", _p50(a), title, _p50(b), str(p50), "≤ 0.4", p50.median <= 0.4),
        Row(rows, _rate(found[ours.name]), "FastAPI, predict called inline",
            _rate(found[inline.name]), str(fast), "≥ 1.5", fast.median >= 1.5),
    ]  # fmt: skip


def _busy(folder: Path) -> Row:
    """Probes while the only worker computes and more requests wait."""
    ours = _ours(folder, "ours busy", Path(sys.executable), BUSY, b"x", "application/octet-stream")
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
    found = json.loads(answer)
    return json.dumps(found["predictions"] if isinstance(found, dict) else found)


def _rates(ours: list[Turn], theirs: list[Turn]) -> Ratio:
    return ratio([t.rate for t in ours], [t.rate for t in theirs])


def _rate(turns: list[Turn]) -> str:
    return f"{statistics.median(t.rate for t in turns):,.0f}/s"


def _p50(turns: list[Turn]) -> str:
    return f"{statistics.median(t.p50 for t in turns):.2f} ms"


def _p99(turns: list[Turn]) -> str:
    return f"{statistics.median(t.p99 for t in turns):.2f} ms"
