"""Formats and models in an environment with the usual libraries."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import Server, Servers

ROWS = [[1.0, 2.0], [3.0, 4.5]]
# What the science environment shows of what a request became.
SHOW = """
    import numpy, pandas
    def model_fn(folder): return None
    def predict_fn(data, model):
        if isinstance(data, dict):
            return {name: show(value) for name, value in data.items()}
        return show(data)
    def show(data):
        if isinstance(data, pandas.DataFrame):
            return {"frame": data, "columns": list(data.columns)}
        if isinstance(data, numpy.ndarray):
            return {"array": data, "type": data.dtype.kind, "shape": data.shape}
        return {"other": data}
    def output_fn(prediction, accept):
        return prediction
"""


@pytest.fixture(scope="module")
def show(shared: Servers, science: Path) -> Server:
    return shared(SHOW, python=science)


@pytest.fixture(scope="module")
def model(shared: Servers, science: Path, trained: bytes) -> Server:
    """A handler with nothing in it."""
    return shared("", python=science, files={"model.joblib": trained})


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"[[1, 2], [3, 4]]", "application/json", {"type": "i", "shape": [2, 2]}),
        (b"[1.5]", "application/json", {"type": "f", "array": [1.5]}),
        (b'[["a", 1]]', "application/json", {"type": "O", "array": [["a", 1]]}),
        (b'["a", "b"]', "application/json", {"type": "U"}),
        (b'{"instances": [{"a": 1, "b": 2}]}', "", {"columns": ["a", "b"]}),
        (b'{"dataframe_split": {"columns": ["b"], "data": [[1]]}}', "", {"columns": ["b"]}),
        (b'{"a": 1}\n{"a": 2}\n', "application/jsonlines", {"frame": [{"a": 1}, {"a": 2}]}),
        (b"1,\n3,4\n", "text/csv", {"array": [[1, None], [3, 4]]}),
        (b"a,b\n1,2\n", "text/csv", {"columns": ["a", "b"], "frame": [{"a": 1.0, "b": 2.0}]}),
    ],
)
def test_arrays_and_frames(
    show: Server, body: bytes, content_type: str, expected: dict[str, Any]
) -> None:
    found = show.post(body, content_type).json
    assert {name: found.get(name) for name in expected} == expected


def test_named_inputs(show: Server) -> None:
    found = show.post({"inputs": {"x": [[1]], "y": [2]}}).json
    assert found["x"]["shape"] == [1, 1] and found["y"]["shape"] == [1]


def test_ragged_rows(show: Server) -> None:
    answer = show.post([[1, 2], [3]])
    assert answer.status == 400 and "same number of values" in answer.error


def test_npy(model: Server, science: Path) -> None:
    def run(code: str, data: bytes = b"") -> bytes:
        done = subprocess.run([science, "-c", code], input=data, capture_output=True, check=True)
        return done.stdout

    # By way of memory: NumPy asks a file for its position, and a pipe has none.
    save = (
        "import io, numpy, sys; out = io.BytesIO(); "
        "numpy.save(out, numpy.array([[1., 2.], [3., 4.5]])); "
        "sys.stdout.buffer.write(out.getvalue())"
    )
    answer = model.post(run(save), "application/x-npy", Accept="application/x-npy")
    assert answer.headers["content-type"] == "application/x-npy"
    load = "import numpy, io, sys; print(numpy.load(io.BytesIO(sys.stdin.buffer.read())).round(6))"
    assert run(load, answer.body).strip() == b"[ 4.  10.5]"
    save = "import numpy, io, sys; b = io.BytesIO(); numpy.savez(b, x=numpy.ones((1, 2)))"
    answer = model.post(run(save + "; sys.stdout.buffer.write(b.getvalue())"), "application/x-npz")
    assert answer.json == pytest.approx([3.0])
    # Pickles in arrays run code: they are never read.
    evil = (
        "import io, numpy, sys; out = io.BytesIO(); "
        "numpy.save(out, numpy.array([{}], dtype=object)); sys.stdout.buffer.write(out.getvalue())"
    )
    answer = model.post(run(evil), "application/x-npy")
    assert answer.status == 400 and "allow_pickle" in answer.error
    assert model.post(b"nonsense", "application/x-npy").status == 400


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps(ROWS).encode(), "application/json"),
        (json.dumps({"inputs": ROWS}).encode(), "application/json"),
        (b'[{"b": 2, "a": 1}, {"a": 3, "b": 4.5}]', "application/json"),
        (b"1,2\n3,4.5\n", "text/csv"),
        (b"a,b\n1,2\n3,4.5\n", "text/csv"),
    ],
)
def test_a_model_without_any_code(model: Server, body: bytes, content_type: str) -> None:
    answer = model.post(body, content_type)
    assert answer.status == 200 and answer.json == pytest.approx([4.0, 10.5])
    assert "UserWarning" not in model.text(), "rows without names got the names of the fit"


def test_a_model_asked_something_else(model: Server) -> None:
    answer = model.post({"question": 1})
    assert answer.status == 400 and "it has question" in answer.error
    answer = model.post([[1, 2, 3]])
    assert answer.status == 500 and "3 features" in answer.error


def test_skops(serve: Servers, science: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.skops"
    train = (
        "import skops.io; from sklearn.linear_model import LinearRegression; "
        f"skops.io.dump(LinearRegression().fit([[0.], [1.]], [0., 2.]), {str(file)!r})"
    )
    subprocess.run([science, "-c", train], check=True)
    server = serve("", python=science, files={"model.skops": file.read_bytes()})
    assert server.post([[3]]).json == pytest.approx([6.0])
