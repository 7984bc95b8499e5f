"""Servers of a model: ours and others', each as its own documentation has it, with one worker."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import jupyter_mlops

from .turns import Contender, environment, free_port

START = Path(jupyter_mlops.__file__).parent / "guest/serve/start.py"
SCIENCE = ("scikit-learn", "joblib", "numpy")
MODEL = "model.joblib"

TRAIN = """
import json
import joblib, mlflow.sklearn, numpy as np, pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
rng = np.random.default_rng(0)
X = rng.normal(size=(1000, 10))
y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
joblib.dump(model, "model.joblib")
json.dump(X[:10].round(4).tolist(), open("rows.json", "w"))
frame = pd.DataFrame(X[:5], columns=[f"x{n}" for n in range(10)])
for name, sample in (("tensor", X[:5]), ("frame", frame)):
    signature = infer_signature(sample, model.predict(X[:5]))
    mlflow.sklearn.save_model(
        model, "mlflow-" + name, signature=signature, serialization_format="cloudpickle"
    )
"""
FASTAPI = """
import anyio, joblib, numpy as np
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
model = joblib.load("model.joblib")
app = FastAPI()

class Body(BaseModel):
    inputs: list[list[float]]

def predicted(rows):
    return model.predict(np.asarray(rows)).tolist()

@app.post("/inline")
async def inline(body: Body):
    return {"predictions": predicted(body.inputs)}

@app.post("/thread")
async def thread(body: Body):
    return {"predictions": await anyio.to_thread.run_sync(predicted, body.inputs)}

@app.post("/bytes")
async def echo(request: Request):
    return Response(await request.body(), media_type="application/octet-stream")
"""
LITSERVE = """
import sys
import joblib, numpy as np, litserve as ls

class API(ls.LitAPI):
    def setup(self, device):
        self.model = joblib.load("model.joblib")
    def decode_request(self, request):
        return np.asarray(request["inputs"])
    def predict(self, rows):
        return self.model.predict(rows)
    def encode_response(self, found):
        return {"predictions": found.tolist()}

if __name__ == "__main__":
    server = ls.LitServer(API(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1,
               generate_client_file=False, log_level="warning")
"""
BENTOML = """
import bentoml, joblib, numpy as np

@bentoml.service(workers=1)
class Service:
    def __init__(self):
        self.model = joblib.load("model.joblib")
    @bentoml.api
    def predict(self, inputs: list[list[float]]) -> list[int]:
        return self.model.predict(np.asarray(inputs)).tolist()
"""
VARIABLES = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "true",
    "DO_NOT_TRACK": "1",
}


class Bench:
    """A folder with the model, and environments of everyone who serves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.science = environment("science", *SCIENCE)
        self.fastapi = environment("fastapi", "fastapi", "uvicorn[standard]", *SCIENCE)
        self.mlflow = environment("mlflow", "mlflow<3.18", "fastapi", "uvicorn", *SCIENCE)
        self.litserve = environment("litserve", "litserve", *SCIENCE)
        self.bentoml = environment("bentoml", "bentoml", *SCIENCE)
        self.mlserver = environment("mlserver", "mlserver", "mlserver-sklearn", *SCIENCE)
        # With MLflow's libraries, which ask for the oldest versions.
        subprocess.run([self.mlflow, "-c", TRAIN], cwd=folder, check=True, capture_output=True)
        self.rows = json.loads((folder / "rows.json").read_text())
        self.body = json.dumps({"inputs": self.rows}).encode()

    def _place(self, name: str, **files: str) -> Path:
        """A folder of one's own with the model."""
        root = self.folder / name.replace(" ", "-")
        root.mkdir()
        (root / MODEL).write_bytes((self.folder / MODEL).read_bytes())
        for file, content in files.items():
            (root / file.replace("__", ".")).write_text(content)
        return root

    def ours(
        self,
        name: str,
        python: Path,
        code: str = "",
        body: bytes = b"",
        content_type: str = "application/json",
        batch: int = 1,
    ) -> Contender:
        """Our front and one worker, on this Python; without code, it serves the model. ``batch``
        requests at most are given to it in one call."""
        root = self._place(name)
        (root / "model/code").mkdir(parents=True)
        (root / "model/code/inference.py").write_text(code)
        if not code:
            (root / MODEL).rename(root / "model" / MODEL)
        handler = {"kind": "inference", "path": "inference.py"}
        (root / "serve.json").write_text(json.dumps({"handler": handler}))
        port = free_port()
        variables = {
            **VARIABLES,
            "MLOPS_SERVE_SPEC": str(root / "serve.json"),
            "MLOPS_MODEL_DIR": str(root / "model"),
            "SAGEMAKER_BIND_TO_PORT": str(port),
            "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
            "MLOPS_BATCH_SIZE": str(batch),
        }
        command = [str(python), "-I", str(START), "serve"]
        url = f"http://127.0.0.1:{port}/invocations"
        return Contender(name, command, url, body or self.body, root, variables, content_type)

    def uvicorn(self, name: str, path: str, body: bytes = b"") -> Contender:
        """FastAPI on uvicorn with uvloop and httptools."""
        port = free_port()
        options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        command = [self._beside(self.fastapi, "uvicorn"), "app:app", *options, "--no-access-log"]
        url = f"http://127.0.0.1:{port}{path}"
        root = self._place(name, app__py=FASTAPI)
        return Contender(
            name, [*command, "--log-level", "warning"], url, body or self.body, root, VARIABLES
        )

    def mlflow_serve(self, name: str, signature: str) -> Contender:
        """``mlflow models serve`` of the model with a ``tensor`` or ``frame`` signature."""
        port = free_port()
        model = self.folder / f"mlflow-{signature}"
        options = ["--env-manager", "local", "-h", "127.0.0.1", "-p", str(port), "--workers", "1"]
        command = [self._beside(self.mlflow, "mlflow"), "models", "serve", "-m", str(model)]
        body = self.body
        if signature == "frame":
            columns = [f"x{number}" for number in range(10)]
            split = {"columns": columns, "data": self.rows}
            body = json.dumps({"dataframe_split": split}).encode()
        url = f"http://127.0.0.1:{port}/invocations"
        return Contender(name, [*command, *options], url, body, self._place(name), VARIABLES)

    def litserve_run(self) -> Contender:
        port = free_port()
        root = self._place("LitServe", app__py=LITSERVE)
        command = [str(self.litserve), "app.py", str(port)]
        url = f"http://127.0.0.1:{port}/predict"
        return Contender("LitServe", command, url, self.body, root, VARIABLES)

    def bentoml_serve(self) -> Contender:
        port = free_port()
        root = self._place("BentoML", app__py=BENTOML)
        variables = {**VARIABLES, "BENTOML_HOME": str(root / "home")}
        options = ["--host", "127.0.0.1", "--port", str(port)]
        command = [self._beside(self.bentoml, "bentoml"), "serve", "app:Service", *options]
        url = f"http://127.0.0.1:{port}/predict"
        return Contender("BentoML", command, url, self.body, root, variables)

    def mlserver_start(self) -> Contender:
        port = free_port()
        settings = {
            "host": "127.0.0.1",
            "http_port": port,
            "grpc_port": free_port(),
            "metrics_port": free_port(),
            "parallel_workers": 0,
            "debug": False,
            "access_logger": None,
        }
        model = {
            "name": "m",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": f"./{MODEL}"},
        }
        root = self._place("MLServer", settings__json=json.dumps(settings))
        (root / "model-settings.json").write_text(json.dumps(model))
        flat = [value for row in self.rows for value in row]
        tensor = {"name": "x", "shape": [10, 10], "datatype": "FP64", "data": flat}
        body = json.dumps({"inputs": [tensor]}).encode()
        command = [self._beside(self.mlserver, "mlserver"), "start", "."]
        url = f"http://127.0.0.1:{port}/v2/models/m/infer"
        return Contender("MLServer", command, url, body, root, VARIABLES)

    @staticmethod
    def _beside(python: Path, program: str) -> str:
        return str(python.parent / program)
