"""SageMaker's functions, and what does not load."""

from __future__ import annotations

import base64
import io
import pickle
import time
from typing import Any

import pytest

from .conftest import Servers

PLAIN = """
    def model_fn(folder): return None
    def predict_fn(data, model): return data
"""


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


def test_warm_up(serve: Servers) -> None:
    sample = {"content_type": "application/json", "body": base64.b64encode(b"[7]").decode()}
    server = serve(PLAIN.replace("return data", "print('warm', data); return data"), sample=sample)
    assert "warm [7]" in server.text()
    server = serve("def model_fn(f): pass\ndef predict_fn(d, m): return {}[1]", sample=sample)
    assert any(event["event"] == "warm_up_failed" for event in server.events())


def test_pickles_protocol_is_what_the_tests_say() -> None:
    """The hand-written pickle above calls ``__main__.Doubler()``."""

    class Find(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            assert (module, name) == ("__main__", "Doubler")
            return lambda: "made"

    assert Find(io.BytesIO(b"\x80\x04\x8c\x08__main__\x8c\x07Doubler\x93)R.")).load() == "made"
