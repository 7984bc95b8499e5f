"""Handlers and formats, in an environment without any library and in one with the usual ones."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import Server, Servers

ROWS = [[1.0, 2.0], [3.0, 4.5]]

PLAIN = """
    def model_fn(folder): return None
    def predict_fn(data, model): return data
"""
FUNCTION = """
    import datetime
    def area(width: float, height: float = 2.0, *, unit="m"):
        if width < 0:
            raise ValueError("a width is never negative")
        return {"area": width * height, "unit": unit + "2", "day": datetime.date(2026, 1, 2)}
"""
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
def plain(shared: Servers) -> Server:
    return shared(PLAIN)


@pytest.fixture(scope="module")
def function(shared: Servers) -> Server:
    return shared(FUNCTION, kind="function", function="area")


@pytest.fixture(scope="module")
def show(shared: Servers, science: Path) -> Server:
    return shared(SHOW, python=science)


@pytest.fixture(scope="module")
def model(shared: Servers, science: Path, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A scikit-learn model that was fitted with names, and a handler with nothing in it."""
    file = tmp_path_factory.mktemp("model") / "model.joblib"
    train = f"""
import joblib, pandas
from sklearn.linear_model import LinearRegression
rows = pandas.DataFrame({{"a": [0, 1, 2, 3.0], "b": [1, 0, 5, 2.0]}})
joblib.dump(LinearRegression().fit(rows, rows["a"] * 2 + rows["b"]), {str(file)!r})
"""
    subprocess.run([science, "-c", train], check=True)
    return shared("", python=science, files={"model.joblib": file.read_bytes()})


# --------------------------------------------------------------------- without libraries


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"[[1, 2]]", "application/json", [[1, 2]]),
        (b'{"instances": [[1], [2]]}', "application/json; charset=utf-8", [[1], [2]]),
        (b'{"inputs": [1, 2]}', "text/json", [1, 2]),
        (b'{"data": ["a"]}', "", ["a"]),
        (b'{"dataframe_records": [{"a": 1}]}', "application/json", [{"a": 1}]),
        (
            b'{"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2]]}}',
            "application/json",
            [{"a": 1, "b": 2}],
        ),
        (b'{"own": 1}', "application/json", {"own": 1}),
        (b'\xef\xbb\xbf{"own": "\xc3\xa9"}', "application/json", {"own": "é"}),
        (b"[1]\n\n[2]\n", "application/jsonlines", [[1], [2]]),
        (b'{"a": 1}\n{"a": 2}', "application/x-ndjson", [{"a": 1}, {"a": 2}]),
        (b"1,2\n3,x\n", "text/csv", [[1.0, 2.0], [3.0, "x"]]),
        (b"a,b\n1,2\n", "text/csv", [{"a": 1.0, "b": 2.0}]),
        (b"a,b\n1,2\n", "text/csv; header=absent", [["a", "b"], [1.0, 2.0]]),
        (b"1,2\n3,4\n", "text/csv;header=present", [{"1": 3.0, "2": 4.0}]),
        (b'"a,b",1\r\n', "text/csv", [["a,b", 1.0]]),
    ],
)
def test_formats(plain: Server, body: bytes, content_type: str, expected: object) -> None:
    answer = plain.post(body, content_type)
    assert answer.status == 200, answer.body
    assert answer.json == expected
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "message"),
    [
        (b"[1, 2", "application/json", 400, "not JSON: Expecting ',' delimiter: line 1 column 6"),
        (b"[1]\n[2", "application/jsonlines", 400, "Line 2: The body is not JSON"),
        (b"[" * 100_000, "application/json", 400, "nested too deeply"),
        (b'"\xff"', "application/json", 400, "not UTF-8 text: invalid start byte at byte 1"),
        (b"1,2\n3\n", "text/csv", 400, "Row 2 has 1 values, the first has 2"),
        (b"\n", "text/csv", 400, "no rows"),
        (b"", "application/json", 400, "no body"),
        (b"x", "image/png", 415, "image/png is not understood here"),
        (b"x", "application/x-npy", 415, "needs NumPy"),
        (b'{"dataframe_split": 5}', "application/json", 400, "columns and data"),
    ],
)
def test_what_cannot_be_read(
    plain: Server, body: bytes, content_type: str, status: int, message: str
) -> None:
    answer = plain.post(body, content_type)
    assert (answer.status, message in answer.error) == (status, True), answer.body


@pytest.mark.parametrize(
    ("accept", "content_type", "body"),
    [
        ("", "application/json", b'[[1, 2], [3, "x"]]'),
        ("*/*", "application/json", b'[[1, 2], [3, "x"]]'),
        ("text/html, text/csv;q=0.5", "text/csv", b"1,2\n3,x\n"),
        ("application/x-ndjson", "application/jsonlines", b'[1, 2]\n[3, "x"]\n'),
    ],
)
def test_answers(plain: Server, accept: str, content_type: str, body: bytes) -> None:
    answer = plain.post([[1, 2], [3, "x"]], Accept=accept)
    assert (answer.headers["content-type"], answer.body) == (content_type, body)


def test_an_answer_nobody_can_read(plain: Server) -> None:
    answer = plain.post([1], Accept="image/png")
    assert answer.status == 406 and "application/json" in answer.error


def test_default_answer_by_variable(serve: Servers) -> None:
    server = serve(PLAIN, SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="text/csv")
    assert server.post([[1, 2]]).body == b"1,2\n"


def test_numbers_that_json_has_not(plain: Server) -> None:
    assert plain.post(b"[1.5, NaN, Infinity]").body == b"[1.5, null, null]"


# ---------------------------------------------------------------------------- functions


def test_function(function: Server) -> None:
    answer = function.post({"data": {"width": 3}})
    assert answer.json == {"result": {"area": 6.0, "unit": "m2", "day": "2026-01-02"}}
    assert function.post({"data": {"width": 3, "unit": "ft"}}).json["result"]["unit"] == "ft2"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "message"),
    [
        (b'{"data": {}}', "application/json", 400, "area: missing a required argument: 'width'"),
        (b'{"data": {"width": 1, "depth": 2}}', "application/json", 400, "'depth'"),
        (b'{"width": 1}', "application/json", 400, 'Send {"data": {…}} with the arguments of area'),
        (b"[]", "application/json", 400, 'Send {"data"'),
        (b"{", "application/json", 400, "not JSON"),
        (b"", "application/json", 400, "no body"),
        (b"1", "text/csv", 415, "Send application/json"),
        (b'{"data": {"width": -1}}', "application/json", 500, "a width is never negative"),
    ],
)
def test_function_refuses(
    function: Server, body: bytes, content_type: str, status: int, message: str
) -> None:
    answer = function.post(body, content_type)
    assert answer.status == status and message in answer.error, answer.body


# --------------------------------------------------------------------- SageMaker's functions


def test_steps_get_what_sagemaker_gives_them(serve: Servers) -> None:
    server = serve(
        """
        import os
        def model_fn(model_dir):
            return sorted(os.listdir(model_dir))
        def input_fn(body, content_type):
            return [type(body).__name__, content_type]
        def predict_fn(data, model):
            return data + model
        def output_fn(prediction, accept):
            return " ".join(prediction + [accept]), "text/plain"
        """,
        files={"weights.bin": b""},
    )
    answer = server.post(b"{}", "application/json", Accept="text/x")
    assert answer.body == b"str application/json code weights.bin text/x"
    assert answer.headers["content-type"] == "text/plain"
    assert server.post(b"\xff", "image/png").body.startswith(b"bytes image/png")


def test_context(serve: Servers) -> None:
    server = serve(
        """
        def model_fn(model_dir, context):
            return context.system_properties["model_dir"]
        def input_fn(body, content_type, context):
            return context.get_request_header(0, "X-Amzn-SageMaker-Custom-Attributes")
        def predict_fn(data, model, context):
            context.set_response_header("X-Own", "1")
            context.set_response_header("X-Amzn-SageMaker-Custom-Attributes", "b=2")
            return [data, model]
        """
    )
    answer = server.post(b"{}", X_Amzn_SageMaker_Custom_Attributes="a=1")
    assert answer.json[0] == "a=1" and answer.json[1].endswith("/model")
    assert answer.headers["x-own"] == "1"
    assert answer.headers["x-amzn-sagemaker-custom-attributes"] == "b=2"


def test_whose_fault_an_error_is(serve: Servers) -> None:
    server = serve(
        """
        import json
        def input_fn(body, content_type):
            return json.loads(body)["rows"][0]
        def predict_fn(data, model):
            return {}[data]
        def model_fn(folder):
            return None
        """
    )
    for body, kind in (
        (b"{", "JSONDecodeError"),
        (b"{}", "KeyError"),
        (b'{"rows": 5}', "TypeError"),
    ):
        answer = server.post(body)
        assert answer.status == 400 and answer.error.startswith(f"input_fn: {kind}: ")
    answer = server.post({"rows": ["x"]})
    assert answer.status == 500 and answer.error == "KeyError: 'x'"
    logged = [event for event in server.events() if event["event"] == "handler_failed"]
    assert "return {}[data]" in logged[0]["traceback"]


def test_classes_of_a_notebook(serve: Servers) -> None:
    """A class that the notebook defined is found in the handler."""
    server = serve(
        """
        class Doubler:
            def predict(self, rows):
                return [value * 2 for value in rows]
        """,
        files={"model.pkl": b"\x80\x04\x8c\x08__main__\x8c\x07Doubler\x93)R."},
    )
    assert server.post([1, 2]).json == [2, 4]


def test_prints_reach_the_log(serve: Servers) -> None:
    server = serve(
        """
        print("imported")
        def model_fn(folder): print("loaded")
        def predict_fn(data, model): print("asked", data); return data
        """
    )
    server.post([5])
    assert [line for line in server.text().splitlines() if not line.startswith("{")] == [
        "imported",
        "loaded",
        "asked [5]",
    ]


@pytest.mark.parametrize(
    ("code", "files", "message"),
    [
        ("", {}, "Which file is the model?"),
        ("", {"a.pkl": b"", "b.pkl": b""}, "there is a.pkl, b.pkl, code"),
        ("", {"a.pkl": b"nonsense"}, "UnpicklingError"),
        ("def transform_fn(*a): pass\ndef input_fn(*a): pass", {}, "keep one way of the two"),
        ("def model_fn(): pass", {}, "TypeError: model_fn() takes 0 positional arguments"),
        ("def model_fn(folder):\n  import sys; sys.exit('no licence')", {}, "SystemExit: no lic"),
        ("x = ", {}, "SyntaxError"),
    ],
)
def test_what_does_not_load(
    serve: Servers, code: str, files: dict[str, bytes], message: str
) -> None:
    server = serve(code, files=files, wait=False)
    said = "being loaded"
    deadline = time.monotonic() + 30
    while "being loaded" in said and time.monotonic() < deadline:
        said = server.call("GET", "/ping").error
        time.sleep(0.02)
    assert message in said


def test_warm_up(serve: Servers, tmp_path: Path) -> None:
    import base64

    sample = {"content_type": "application/json", "body": base64.b64encode(b"[7]").decode()}
    server = serve(PLAIN.replace("return data", "print('warm', data); return data"), sample=sample)
    assert "warm [7]" in server.text()
    server = serve("def model_fn(f): pass\ndef predict_fn(d, m): return {}[1]", sample=sample)
    assert any(event["event"] == "warm_up_failed" for event in server.events())


# ------------------------------------------------------------------------- with libraries


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
    if body.startswith(b'[{"b"'):
        # Names in another order than in the fit: scikit-learn says so, and we pass it on.
        answer = model.post(body, content_type)
        assert answer.status == 500 and "feature names" in answer.error.lower()
        return
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


def test_pickles_protocol_is_what_the_tests_say() -> None:
    """The hand-written pickle above calls ``__main__.Doubler()``."""

    class Find(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            assert (module, name) == ("__main__", "Doubler")
            return lambda: "made"

    assert Find(io.BytesIO(b"\x80\x04\x8c\x08__main__\x8c\x07Doubler\x93)R.")).load() == "made"
