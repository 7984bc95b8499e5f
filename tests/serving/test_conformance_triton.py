"""KServe V2 as Triton's own client speaks it: JSON tensors and the binary extension."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Server, Servers, asked_by

CLIENT = """
    import json, sys
    import numpy
    from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
    from tritonclient.utils import InferenceServerException

    model, echo = (InferenceServerClient("127.0.0.1:" + port) for port in sys.argv[1:])
    rows = numpy.array([[1, 2], [3, 4.5]])

    def tensor(name, array, kind, binary):
        made = InferInput(name, list(array.shape), kind)
        made.set_data_from_numpy(array, binary_data=binary)
        return made

    def infer(inputs, client=model, name="rates", **more):
        try:
            result = client.infer(name, inputs, **more)
        except InferenceServerException as error:
            return {"error": error.message(), "status": error.status()}
        (output,) = result.get_response()["outputs"]
        array = result.as_numpy(output["name"])
        values = [i.decode() if isinstance(i, bytes) else i for i in array.ravel().tolist()]
        described = {name: output[name] for name in ("name", "datatype", "shape")}
        return {"values": values, "binary": "data" not in output, **described}

    def output(binary):
        return [InferRequestedOutput("predict", binary_data=binary)]

    def columns(binary):
        return [tensor(n, rows[:, [i]], "FP64", binary) for i, n in ((1, "b"), (0, "a"))]

    texts = numpy.array([["é", "x,y"], ["", "z" * 300]], dtype=object)
    small = numpy.array([-1, 2], dtype="int8")
    print(json.dumps({
        "live": model.is_server_live(),
        "ready": model.is_server_ready(),
        "model_ready": [model.is_model_ready("rates"), model.is_model_ready("rates", "1")],
        "other_ready": model.is_model_ready("other"),
        "server": model.get_server_metadata(),
        "model": model.get_model_metadata("rates"),
        "json": infer([tensor("x", rows, "FP64", False)], outputs=output(False)),
        "binary": infer([tensor("x", rows, "FP64", True)], outputs=output(True)),
        "mixed": infer([tensor("x", rows, "FP64", True)], outputs=output(False)),
        "by_default": infer([tensor("x", rows.astype("float32"), "FP32", True)]),
        "columns": infer(columns(True)),
        "id": model.infer("rates", columns(False), request_id="mine").get_response()["id"],
        "texts": infer([tensor("x", texts, "BYTES", True)], echo, "model"),
        "texts_json": infer([tensor("x", texts, "BYTES", False)], echo, "model"),
        "small": infer([tensor("x", small, "INT8", True)], echo, "model"),
        "gzip": infer(columns(True), request_compression_algorithm="gzip"),
        "deflate": infer(columns(True), request_compression_algorithm="deflate",
                         response_compression_algorithm="deflate"),
        "unknown": infer([tensor("x", rows, "FP64", True)], name="other"),
        "width": infer([tensor("x", rows[:, :1], "FP64", True)]),
        "no_output": infer(columns(True), outputs=[InferRequestedOutput("price")]),
    }))
"""
ECHO = """
    def model_fn(folder): return None
    def predict_fn(data, model): return data
"""
SCHEMA = {
    "input": {"type": "table", "columns": [{"name": "a", "type": "float64"}]},
    "output": {"type": "array", "dtype": "float32", "shape": [None]},
}


@pytest.fixture(scope="module")
def model(shared: Servers, science: Path, trained: bytes) -> Server:
    spec = {"name": "rates", "model_schema": SCHEMA}
    return shared("", python=science, files={"model.joblib": trained}, spec=spec)


@pytest.fixture(scope="module")
def echo(shared: Servers, science: Path) -> Server:
    return shared(ECHO, python=science)


@pytest.fixture(scope="module")
def said(model: Server, echo: Server, clients: Path) -> Any:
    """Everything that the client asked and got, in one run of it."""
    return asked_by(clients, CLIENT, model.port, echo.port)


def test_health_and_metadata(said: Any) -> None:
    assert said["live"] and said["ready"] and said["model_ready"] == [True, True]
    assert said["other_ready"] is False
    assert said["server"]["name"] == "jupyter-mlops"
    assert "binary_tensor_data" in said["server"]["extensions"]
    assert said["model"] == {
        "name": "rates",
        "versions": ["1"],
        "platform": "jupyter-mlops",
        "inputs": [{"name": "a", "datatype": "FP64", "shape": [-1]}],
        "outputs": [{"name": "predict", "datatype": "FP32", "shape": [-1]}],
    }


@pytest.mark.parametrize(
    ("which", "binary"),
    [
        ("json", False),
        ("binary", True),
        ("mixed", False),
        ("by_default", True),
        ("columns", True),
        ("gzip", True),
        ("deflate", True),
    ],
)
def test_infer(said: Any, which: str, binary: bool) -> None:
    answer = said[which]
    assert answer["values"] == pytest.approx([4.0, 10.5], rel=1e-6)
    assert (answer["name"], answer["shape"], answer["binary"]) == ("predict", [2], binary)


def test_text_and_small_numbers(said: Any) -> None:
    for which in ("texts", "texts_json"):
        assert said[which]["values"] == ["é", "x,y", "", "z" * 300], said[which]
        assert (said[which]["datatype"], said[which]["shape"]) == ("BYTES", [2, 2])
    assert (said["small"]["datatype"], said["small"]["values"]) == ("INT8", [-1, 2])
    assert said["id"] == "mine"


def test_what_goes_wrong_reaches_the_client(said: Any) -> None:
    assert "the model is called rates" in said["unknown"]["error"]
    assert "1 features" in said["width"]["error"]
    assert said["no_output"]["error"] == "There is no output price; there is predict."


def infer(server: Server, body: Any, name: str = "model", **headers: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return server.call("POST", f"/v2/models/{name}/infer", data, **headers)


def tensor(**more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "datatype": "INT64", "shape": [2], "data": [1, 2], **more}]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no body"),
        (b"{", "not JSON"),
        ({"instances": [1]}, 'Send {"inputs"'),
        (tensor(datatype="BF16"), "has the datatype BF16; known are BOOL"),
        (tensor(shape=[3]), "x is not INT64 [3]"),
        (tensor(shape=[-1]), "has no shape"),
        (tensor(data=["a", "b"]), "x is not INT64 [2]: invalid literal"),
        (tensor(parameters={"binary_data_size": 16}), "are not all here"),
    ],
)
def test_infer_refuses(echo: Server, body: Any, message: str) -> None:
    answer = infer(echo, body)
    assert answer.status == 400 and message in answer.error, answer.body


@pytest.mark.parametrize(
    ("size", "more", "message"),
    [
        ("5000", b"", "Inference-Header-Content-Length is 5000, of a body of"),
        ("x", b"", "Inference-Header-Content-Length is x"),
        ("", b"\x00" * 9, "1 bytes that belong to no input"),
        ("", b"\x00" * 7, "are not all here"),
    ],
)
def test_binary_infer_refuses(echo: Server, size: str, more: bytes, message: str) -> None:
    head = tensor(shape=[1], parameters={"binary_data_size": 8})
    text = json.dumps(head).encode()
    length = size or str(len(text))
    answer = infer(echo, text + more, Inference_Header_Content_Length=length)
    assert answer.status == 400 and message in answer.error, answer.body


def test_without_numpy(shared: Servers) -> None:
    server = shared(ECHO)
    data = tensor(shape=[2, 1], data=[1, 2])
    output = {"name": "predict", "datatype": "INT64", "shape": [2, 1], "data": [1, 2]}
    assert infer(server, data).json["outputs"] == [output]
    answer = infer(server, tensor(parameters={"binary_data_size": 0}))
    assert answer.status == 400 and "need NumPy" in answer.error


def test_handlers_that_read_bodies(shared: Servers) -> None:
    """Functions get arguments by name, an ``input_fn`` of one's own gets JSON rows."""
    area = "def area(width, height): return [w * h for w, h in zip(width, height)]"
    server = shared(area, kind="function", function="area")
    inputs = [
        {"name": name, "datatype": "INT64", "shape": [2], "data": [2, number]}
        for number, name in enumerate(("height", "width"), 3)
    ]
    assert infer(server, {"inputs": inputs}).json["outputs"][0]["data"] == [4, 12]
    server = shared(
        """
        import json
        def model_fn(folder): return None
        def input_fn(body, content_type): return json.loads(body)
        def predict_fn(rows, model): return [sum(row) for row in rows]
        def output_fn(prediction, accept): return json.dumps({"predictions": prediction})
        """
    )
    answer = infer(server, tensor(shape=[1, 2]))
    assert answer.json["outputs"][0]["data"] == [3], answer.body


def test_without_batching_by_rows(shared: Servers) -> None:
    """V2 requests are answered where other requests are joined."""
    server = shared(ECHO, spec={"batching": {"size": 8}})
    assert infer(server, tensor()).json["outputs"][0]["data"] == [1, 2]
