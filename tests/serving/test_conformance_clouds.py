"""KServe V1, Vertex AI and Azure ML: their paths, variables and shapes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import Server, Servers, free_port

PLAIN = """
    def model_fn(folder): return None
    def predict_fn(data, model): return [sum(row) for row in data]
"""
ROWS = {"instances": [[1, 2], [3, 4]]}
ENDPOINT = "/v1/endpoints/7/deployedModels/8"


def predict(server: Server, path: str, body: object, **headers: str) -> object:
    import json

    answer = server.call("POST", path, json.dumps(body).encode(), **headers)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    return answer.json


@pytest.fixture(scope="module")
def kserve(shared: Servers) -> Server:
    return shared(PLAIN, spec={"name": "sums"}, PORT=str(free_port()), SAGEMAKER_BIND_TO_PORT="")


def test_kserve_v1(kserve: Server) -> None:
    assert kserve.call("GET", "/").json == {"status": "alive"}
    assert kserve.call("GET", "/v1/models").json == {"models": ["sums"]}
    assert kserve.call("GET", "/v1/models/sums").json == {"name": "sums", "ready": True}
    assert predict(kserve, "/v1/models/sums:predict", ROWS) == {"predictions": [3, 7]}
    assert predict(kserve, "/v1/models/sums:predict?a=1", {"inputs": [[5]]}) == {"predictions": [5]}


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("POST", "/v1/models/other:predict", 404, "the model is called sums"),
        ("GET", "/v1/models/other", 404, "the model is called sums"),
        ("POST", "/v1/models/sums:explain", 404, "the model is called sums"),
        ("GET", "/v1/models/sums:predict", 405, "takes POST requests"),
        ("POST", "/v1/models/sums", 405, "takes GET requests"),
        ("POST", "/v1/models/sums:predict", 400, "no body"),
    ],
)
def test_kserve_v1_refuses(
    kserve: Server, method: str, path: str, status: int, message: str
) -> None:
    answer = kserve.call(method, path)
    assert answer.status == status and message in answer.error


def test_readiness_is_told_on_every_platforms_path(serve: Servers) -> None:
    """A server whose model does not load lives, and is not ready."""
    server = serve("def model_fn(folder): raise OSError('no weights')", wait=False)
    for path in ("/ping", "/health", "/readyz", "/v2/health/ready", "/v2/models/model/ready"):
        assert server.call("GET", path).status == 503, path
    assert server.call("GET", "/v1/models/model").status == 503
    for path in ("/", "/healthz", "/livez", "/v2/health/live"):
        assert server.call("GET", path).status == 200, path


def test_vertex(serve: Servers) -> None:
    server = serve(
        PLAIN,
        SAGEMAKER_BIND_TO_PORT="",
        AIP_HTTP_PORT=str(free_port()),
        AIP_HEALTH_ROUTE=ENDPOINT,
        AIP_PREDICT_ROUTE=f"{ENDPOINT}:predict",
    )
    assert server.call("GET", ENDPOINT).status == 200
    body = {**ROWS, "parameters": {"confidence": 0.5}}
    assert predict(server, f"{ENDPOINT}:predict", body) == {"predictions": [3, 7]}


def test_vertex_says_that_the_model_must_be_in_the_image(serve: Servers) -> None:
    server = serve(PLAIN, wait=False, MLOPS_MODEL_DIR="", AIP_STORAGE_URI="gs://bucket/models/sums")
    said = server.wait_event("model_failed")
    assert "gs://bucket/models/sums" in said["message"] and "in the image" in said["message"]


def test_vertex_is_told_that_the_model_in_the_image_is_served(serve: Servers) -> None:
    server = serve(PLAIN, AIP_STORAGE_URI="gs://bucket/models/sums", AIP_MODE="PREDICTION")
    said = server.wait_event("storage_unused")
    assert "gs://bucket/models/sums is not used" in said["message"]
    assert predict(server, "/v1/models/model:predict", ROWS) == {"predictions": [3, 7]}


def test_a_function_is_asked_for_each_instance(serve: Servers) -> None:
    code = "def area(width, height=2): return width * height"
    server = serve(code, kind="function", function="area")
    body = {"instances": [{"width": 1}, {"width": 2, "height": 3}]}
    assert predict(server, "/v1/models/model:predict", body) == {"predictions": [2, 6]}


def test_a_handlers_own_predictions_stay_as_they_are(serve: Servers) -> None:
    server = serve(
        """
        def model_fn(folder): return None
        def output_fn(prediction, accept): return prediction, accept
        def predict_fn(data, model):
            return "1;2" if data[0] == 1 else '{"predictions": [1], "note": "own"}'
        def input_fn(body, content_type): return [int(body[-2:-1])]
        """
    )
    answer = predict(server, "/v1/models/model:predict", [2], Accept="application/json")
    assert answer == {"predictions": [1], "note": "own"}
    answer = server.call("POST", "/v1/models/model:predict", b"[1]", Accept="text/plain")
    assert answer.body == b"1;2"


@pytest.mark.parametrize("below", ["", "sums"])
def test_azure(serve: Servers, tmp_path: Path, below: str) -> None:
    """The model's folder is the platform's; a registered folder keeps its name in it."""
    first = serve(PLAIN)
    folder = tmp_path / "azureml-models/sums/1"
    shutil.copytree(first.log.parent / "model", folder / below)
    server = serve(
        "raise SystemExit('the wrong folder')",
        MLOPS_MODEL_DIR="",
        AZUREML_MODEL_DIR=str(folder),
        SAGEMAKER_MODEL_SERVER_WORKERS="",
        WORKER_COUNT="2",
    )
    assert server.call("GET", "/").status == 200
    assert predict(server, "/score", {"data": [[1, 2]]}) == [3]
    assert predict(server, "/score", {"input_data": [[1, 2]]}) == [3]
    assert len(server.workers()) == 2
    answer = server.call("POST", "/score", b"[", X_Ms_Client_Request_Id="mine-1")
    assert answer.status == 400 and answer.headers["x-request-id"] == "mine-1"


def test_azures_tables(serve: Servers) -> None:
    server = serve("def model_fn(f): pass\ndef predict_fn(rows, model): return rows")
    table = {"columns": ["a", "b"], "index": [0], "data": [[1, 2]]}
    assert predict(server, "/score", {"input_data": table}) == [{"a": 1, "b": 2}]
    assert predict(server, "/score", {"input_data": {"a": [1]}}) == {"a": [1]}
