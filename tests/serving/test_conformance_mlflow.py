"""MLflow's shapes of requests, as its own client writes and reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Server, Servers, asked_by

CLIENT = """
    import json, sys
    import numpy, pandas
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    client = ScoringServerClient("127.0.0.1", sys.argv[1])
    client.wait_server_ready(timeout=30)

    def invoke(data, **more):
        return client.invoke(data, **more).get_predictions("ndarray").tolist()

    frame = pandas.DataFrame({"b": [2, 4.5], "a": [1, 3.0]})[["a", "b"]]
    print(json.dumps({
        "frame": invoke(frame),
        "array": invoke(frame.to_numpy()),
        "list": invoke(frame.to_numpy().tolist()),
        "params": invoke(frame, params={"ratio": 2}),
    }))
"""
ROWS = [[1, 2], [3, 4.5]]


@pytest.fixture(scope="module")
def model(shared: Servers, science: Path, trained: bytes) -> Server:
    return shared("", python=science, files={"model.joblib": trained}, MLOPS_ANSWER="predictions")


def test_mlflow_client(model: Server, clients: Path) -> None:
    said = asked_by(clients, CLIENT, model.port, MLFLOW_DISABLE_TELEMETRY="true")
    for which in ("frame", "array", "list", "params"):
        assert said[which] == pytest.approx([4.0, 10.5]), which


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["a", "b"], "index": [7, 8], "data": ROWS}},
        {"dataframe_records": [{"a": 1, "b": 2}, {"a": 3, "b": 4.5}]},
        {"instances": ROWS},
        {"instances": [{"a": 1, "b": 2}, {"a": 3, "b": 4.5}]},
        {"inputs": ROWS},
        {"inputs": {"a": [1, 3], "b": [[2], [4.5]]}},
        b"a,b\n1,2\n3,4.5\n",
    ],
)
def test_shapes(model: Server, body: object) -> None:
    kind = "text/csv" if isinstance(body, bytes) else "application/json"
    answer = model.post(body, kind)
    assert answer.status == 200, answer.body
    assert answer.json["predictions"] == pytest.approx([4.0, 10.5])


def test_parameters_reach_a_handler_that_takes_a_context(shared: Servers) -> None:
    server = shared(
        """
        def model_fn(folder): return None
        def predict_fn(data, model, context): return [context.parameters.get("ratio"), *data]
        """
    )
    for name in ("params", "parameters"):
        assert server.post({"instances": [1], name: {"ratio": 2}}).json == [2, 1]
    assert server.post([1]).json == [None, 1], "what one request said is not the next one's"
