"""KServe V1 and V2 as KServe's own client and MLServer's codecs speak them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from .conftest import Server, Servers, asked_by

KSERVE = """
    import asyncio, json, sys
    import httpx, numpy
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
    from kserve.protocol.infer_type import RequestedOutput

    base = "http://127.0.0.1:" + sys.argv[1]
    rows = numpy.array([[1, 2], [3, 4.5]])

    def tensor(name, array, binary):
        made = InferInput(name, list(array.shape), "FP64")
        made.set_data_from_numpy(array, binary_data=binary)
        return made

    def request(inputs, **more):
        return InferRequest("rates", inputs, request_id="mine", **more)

    async def infer(client, request, name="rates"):
        try:
            answer = await client.infer(base, request, model_name=name)
        except httpx.HTTPStatusError as error:
            return {"status": error.response.status_code, "error": str(error)}
        if isinstance(answer, dict):
            return answer
        (output,) = answer.outputs
        values = output.as_numpy().ravel().tolist()
        return {"values": values, "id": answer.id, "model": answer.model_name,
                "name": output.name, "shape": output.shape, "datatype": output.datatype}

    async def main():
        one = InferenceRESTClient(RESTConfig(protocol="v1", retries=0))
        two = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
        columns = [tensor(n, rows[:, [i]], True) for i, n in ((1, "b"), (0, "a"))]
        wanted = [RequestedOutput("predict", {"binary_data": True})]
        return {
            "v1": await infer(one, {"instances": rows.tolist()}),
            "v1_live": await one.is_server_live(base),
            "v1_ready": await one.is_model_ready(base, "rates"),
            "v1_other": await infer(one, {"instances": [[1, 2]]}, "other"),
            "live": await two.is_server_live(base),
            "ready": await two.is_server_ready(base),
            "model_ready": await two.is_model_ready(base, "rates"),
            "json": await infer(two, request([tensor("x", rows, False)])),
            "binary": await infer(two, request([tensor("x", rows, True)])),
            "columns": await infer(two, request(columns)),
            "binary_output": await infer(two, request(columns, request_outputs=wanted)),
            "width": await infer(two, request([tensor("x", rows[:, :1], True)])),
            "other": await infer(two, request(columns), "other"),
        }

    print(json.dumps(asyncio.run(main())))
"""

MLSERVER = """
    import json, sys
    import numpy, pandas, requests
    from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec
    from mlserver.codecs.string import StringRequestCodec
    from mlserver.types import InferenceResponse, MetadataModelResponse, MetadataServerResponse

    model, echo = ("http://127.0.0.1:%s/v2" % port for port in sys.argv[1:])
    rows = numpy.array([[1, 2], [3, 4.5]])
    table = pandas.DataFrame({"b": [2, 4.5], "a": [1, 3]})
    mixed = pandas.DataFrame({"n": [1, 2], "t": ["é", "x,y"], "f": [0.5, 1.5]})
    mixed["t"] = mixed["t"].astype(object)

    def infer(request, base=model, name="rates"):
        answer = requests.post(base + "/models/%s/infer" % name, json=request.model_dump())
        answer.raise_for_status()
        return InferenceResponse.model_validate(answer.json())

    def values(response):
        (output,) = response.outputs
        return NumpyCodec.decode_output(output).ravel().tolist()

    MetadataServerResponse.model_validate(requests.get(model).json())
    MetadataModelResponse.model_validate(requests.get(model + "/models/rates").json())
    told = infer(PandasCodec.encode_request(mixed, use_bytes=False), echo, "model")
    words = StringRequestCodec.encode_request(["one", "zwei"], use_bytes=False)
    texts = infer(words, echo, "model")
    print(json.dumps({
        "array": values(infer(NumpyRequestCodec.encode_request(rows))),
        "table": values(infer(PandasCodec.encode_request(table, use_bytes=False))),
        "mixed": {output.name: [output.datatype, list(output.data)] for output in told.outputs},
        "texts": StringRequestCodec.decode_response(texts),
    }))
"""
ECHO = """
    def model_fn(folder): return None
    def predict_fn(data, model): return data
"""


def installed(folder: Path, *packages: str) -> Path:
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "-q", "-p", sys.executable, folder], check=True)
    python = folder / "bin/python"
    subprocess.run([uv, "pip", "install", "-q", "--python", python, *packages], check=True)
    return python


@pytest.fixture(scope="module")
def model(shared: Servers, science: Path, trained: bytes) -> Server:
    return shared("", python=science, files={"model.joblib": trained}, spec={"name": "rates"})


@pytest.fixture(scope="module")
def said(model: Server, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Everything that KServe's client asked and got."""
    python = installed(tmp_path_factory.mktemp("kserve") / "env", "kserve")
    return asked_by(python, KSERVE, model.port)


def test_kserve_v1(said: Any) -> None:
    assert said["v1_live"] is said["v1_ready"] is True
    assert said["v1"]["predictions"] == pytest.approx([4.0, 10.5])
    assert said["v1_other"]["status"] == 404


def test_kserve_v2(said: Any) -> None:
    assert said["live"] and said["ready"] and said["model_ready"]
    for which in ("json", "binary", "columns", "binary_output"):
        answer = said[which]
        assert answer["values"] == pytest.approx([4.0, 10.5]), which
        assert (answer["id"], answer["model"]) == ("mine", "rates")
        assert (answer["name"], answer["shape"], answer["datatype"]) == ("predict", [2], "FP64")
    assert said["width"]["status"] == 500 and "1 features" in said["width"]["error"]
    assert said["other"]["status"] == 404


def test_mlserver(
    model: Server, shared: Servers, science: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    python = installed(tmp_path_factory.mktemp("mlserver") / "env", "mlserver", "requests")
    echo = shared(ECHO, python=science)
    said = asked_by(python, MLSERVER, model.port, echo.port)
    assert said["array"] == pytest.approx([4.0, 10.5])
    assert said["table"] == pytest.approx([4.0, 10.5])
    assert said["mixed"] == {
        "n": ["INT64", [1, 2]], "t": ["BYTES", ["é", "x,y"]], "f": ["FP64", [0.5, 1.5]],
    }  # fmt: skip
    assert said["texts"] == ["one", "zwei"]
