"""Models that are variables of a running notebook: found, written down, and served as they are."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

import jupyter_mlops
from jupyter_mlops.core import model_formats
from jupyter_mlops.core.errors import InvalidError
from jupyter_mlops.core.model_package import Handler
from jupyter_mlops.services.contract_checks import requesting
from jupyter_mlops.services.package_spec import described
from tests.parts.jupyter_process import JupyterProcess, Tab
from tests.parts.registry import free_port
from tests.parts.services import Recorder, open_services, run_apart

pytestmark = pytest.mark.docker

SERVE = Path(jupyter_mlops.__file__).parent / "guest" / "serve"
LIBRARIES = (
    "ipykernel", "scikit-learn", "pandas", "skops", "xgboost-cpu", "lightgbm", "statsmodels",
    "skl2onnx", "onnxruntime", "safetensors", "mlflow-skinny", "pyarrow",
)  # fmt: skip

CELL = """
import numpy as np
import pandas as pd
import lightgbm, mlflow.pyfunc, mlflow.sklearn, onnxruntime, xgboost
import statsmodels.api as sm
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

random = np.random.default_rng(0)
X = pd.DataFrame(random.normal(size=(100, 3)), columns=["a", "b", "c"])
y = (X.a > 0).astype(int)
rows = X.to_numpy()
pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
forest = RandomForestClassifier(5, random_state=0).fit(rows, y)
unfitted = LogisticRegression()
booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(X, label=y), 5)
boosted = xgboost.XGBClassifier(n_estimators=5).fit(X, y)
leaves = lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, label=y), 5)
light = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(X, y)
ols = sm.OLS(y, X).fit()
line = LinearRegression().fit(rows.astype(np.float32), y)
graph = to_onnx(line, rows[:1].astype(np.float32))
when = pd.DataFrame({"a": [1.0, 2.0], "b": 0.0, "c": pd.to_datetime(["2020-01-01", "2020-01-02"])})


class Sum:
    def predict(self, data):
        return [float(sum(row)) for row in np.asarray(data)]


class Years:
    def predict(self, data):
        return data.c.dt.year.tolist()


class Called:
    def __call__(self, data):
        return [float(max(row)) for row in np.asarray(data)]


own, dated, called = Sum(), Years(), Called()
session = onnxruntime.InferenceSession(graph.SerializeToString())
mlflow.sklearn.save_model(pipe, "/tmp/flow", pip_requirements=[])
flow = mlflow.pyfunc.load_model("/tmp/flow")
SCALE = 2


def scaled(value):
    return value * SCALE


def score(age, income, bonus=0):
    row = pd.DataFrame([[age, income, scaled(bonus)]], columns=["a", "b", "c"])
    return {"score": float(pipe.predict_proba(row)[0, 1])}


arguments = {"age": 0.5, "income": 1.0}
arguments2 = {"value": 3}
before = {name for name in globals() if name[0] != "_"}
print("made")
"""

SERVED = """
import json, os, sys
sys.path.insert(0, "guest")
from serve import handlers

kind = "function" if sys.argv[1] else "inference"
spec = {"handler": {"kind": kind, "path": "inference.py", "function": sys.argv[1]}}
os.makedirs("package/code")
for name in sys.argv[2:]:
    os.link("exported/m/" + name, "package/" + ("code/" if name.endswith(".py") else "") + name)
handler = handlers.load(spec, "package", "application/json")
for name, kind in (
    ("sample.json", "json"), ("sample.csv", "csv"), ("sample.npy", "x-npy"),
    ("sample.parquet", "vnd.apache.parquet"),
):
    path = "exported/m/" + name
    if os.path.exists(path):
        kind = "text/csv" if kind == "csv" else "application/" + kind
        print(handler(open(path, "rb").read(), kind, "application/json", "")[2].decode())
"""


BY_FORMAT = """
import json, os, sys
sys.path.insert(0, "guest")
from serve import handlers

sample = json.load(open("files/sample.json"))
rows = sample["dataframe_split"]["data"]
lines = ["a,b,c"] + [",".join(map(str, row)) for row in rows]
bodies = [
    (json.dumps(sample), "application/json"), (json.dumps({"instances": rows}), "application/json"),
    ("\\n".join(lines), "text/csv"),
]
answers = {}
for file, described in json.load(open("files/formats.json")).items():
    folder = os.path.join("files", file) if described["name"] == "MLflow" else "files"
    spec = {"handler": {"kind": "default"}, "format": described}
    handler = handlers.load(spec, folder, "application/json")
    answers[file] = [json.loads(handler(b.encode(), kind, "", "")[2]) for b, kind in bodies]
print(json.dumps(answers))
"""
FILES = """
import subprocess, sys
import copy, os, joblib, mlflow.sklearn, skops.io, safetensors.numpy
from mlflow.models import infer_signature
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

class Total(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input.sum(axis=1)

os.makedirs("files", exist_ok=True)
signature = infer_signature(X, y)
skops.io.dump(pipe, "files/pipe.skops")
# With a function that skops does not know.
skops.io.dump(make_pipeline(FunctionTransformer(copy.copy), pipe), "files/own.skops")
joblib.dump(pipe, "files/pipe.joblib")
booster.save_model("files/booster.ubj")
boosted.save_model("files/boosted.json")
leaves.save_model("files/leaves.txt")
ols.save("files/ols.pickle")
with open("files/graph.onnx", "wb") as file:
    file.write(graph.SerializeToString())
mlflow.sklearn.save_model(pipe, "files/mlflow", signature=signature, pip_requirements=[])
mlflow.pyfunc.save_model(
    "files/pyfunc", python_model=Total(), signature=signature, pip_requirements=[]
)
safetensors.numpy.save_file({"weights": np.ones(3)}, "files/w.safetensors")
X[:3].to_json("files/sample.json", orient="split", index=False)
sample = {"dataframe_split": json.loads(open("files/sample.json").read())}
answers = {
    "pipe.skops": pipe.predict(X[:3]), "pipe.joblib": pipe.predict(X[:3]),
    "own.skops": pipe.predict(X[:3]),
    "booster.ubj": booster.predict(xgboost.DMatrix(X[:3])), "boosted.json": boosted.predict(X[:3]),
    "leaves.txt": leaves.predict(X[:3]), "ols.pickle": ols.predict(X[:3]),
    "graph.onnx": line.predict(rows[:3].astype(np.float32)).reshape(-1, 1),
    "mlflow": pipe.predict(X[:3]), "pyfunc": X[:3].sum(axis=1), "w.safetensors": rows[:3].sum(1),
}
answers = {name: np.asarray(answer).tolist() for name, answer in answers.items()}
for name, content in {
    "sample.json": sample, "answers.json": answers,
    "two.json": {"instances": [[1, 2], [3, 4]]},
    "other.json": {"dataframe_split": {"columns": ["a", "b", "d"], "data": [[1, 2, 3]]}},
    "text.json": {"dataframe_split": {"columns": ["a", "b", "c"], "data": [[1, 2, "x"]]}},
}.items():
    with open("files/" + name, "w") as file:
        json.dump(content, file)
for name in answers:
    with open("files/" + name.partition(".")[0] + "-answer.json", "w") as file:
        json.dump(answers[name], file)
with open("files/weighted.py", "w") as file:
    file.write('''
import os, numpy, safetensors.numpy

def model_fn(folder):
    return safetensors.numpy.load_file(os.path.join(folder, "w.safetensors"))["weights"]

def predict_fn(data, weights):
    return numpy.asarray(data) @ weights
''')
print("saved")
"""


@dataclass
class Notebook:
    server: JupyterProcess
    root: Path
    kernel: str
    tab: Tab
    config: Config

    def models(self) -> dict[str, Any]:
        return self.server.get(f"mlops/kernels/{self.kernel}/models")

    def export(self, model: str, sample: str, name: str = "m") -> dict[str, Any]:
        body = {"model": model, "sample": sample, "name": name}
        return self.server.ask("POST", f"mlops/kernels/{self.kernel}/models", body)

    def refused(self, model: str, sample: str, name: str = "m") -> str:
        with pytest.raises(AssertionError) as raised:
            self.export(model, sample, name)
        return str(raised.value)


@pytest.fixture(scope="module")
def notebook(services_config: Config, tmp_path_factory: Any) -> Iterator[Notebook]:
    async def build() -> None:
        services = open_services(services_config)
        try:
            spec = services.environments.parse_spec("name: models\nbase: debian\napt: [libgomp1]\n")
            await services.environments.build(replace(spec, python=LIBRARIES), Recorder())
        finally:
            await services.close()

    async def delete() -> None:
        services = open_services(services_config)
        try:
            await services.environments.delete("models")
        finally:
            await services.close()

    run_apart(build())
    folder = tmp_path_factory.mktemp("live")
    root = folder / "root"
    project = root / "project"
    # What answers requests in a package, to be tried without making one of each model.
    shutil.copytree(SERVE, project / "guest" / "serve")
    (project / "served.py").write_text(SERVED)
    (project / "by_format.py").write_text(BY_FORMAT)
    server = JupyterProcess(folder / "server", root, free_port(), dict(services_config.Mlops))
    server.start()
    try:
        session = server.open_session("project/a.ipynb", "mlops-models")
        kernel = session["kernel"]["id"]
        tab = server.tab(kernel)
        said = tab.run(CELL)
        assert "made" in said.splitlines(), said
        yield Notebook(server, project, kernel, tab, services_config)
    finally:
        # In order: it ends the kernel, which the environment could not be deleted with.
        server.stop()
        server.close()
        run_apart(delete())


def test_what_a_notebook_has_to_offer(notebook: Notebook):
    found = notebook.models()
    models = {model["name"]: model for model in found["models"]}
    assert set(models) == {
        "pipe", "forest", "booster", "boosted", "leaves", "light", "ols", "line", "graph", "dated",
        "own", "scaled", "score", "called", "session", "flow",
    }  # fmt: skip
    assert models["pipe"]["description"] == "Pipeline: StandardScaler → LogisticRegression"
    assert models["pipe"]["features"] == ["a", "b", "c"]
    assert models["score"]["description"] == "function(age, income, bonus)"
    samples = {sample["name"]: sample["fits"] for sample in found["samples"]}
    assert samples["X"]["pipe"] == "it has the columns of the fit"
    assert samples["X"]["ols"] == "it has the columns of the fit"
    assert samples["rows"]["graph"] == "it has as many columns as the fit"
    assert samples["arguments2"] == {"scaled": "it has the arguments of the function"}
    assert samples["arguments"] == {"score": "it has the arguments of the function"}
    assert "score" not in samples["X"]
    # It leaves nothing behind.
    now = "{name for name in globals() if name[0] != '_'}"
    assert notebook.tab.run(f"print({now} - before)") == "{'before'}"
    assert notebook.tab.run("import sys; print([m for m in sys.modules if 'mlops' in m])") == "[]"


@pytest.mark.parametrize(
    ("model", "sample", "file", "saved", "trusted_only"),
    [
        ("pipe", "X", "model.skops", "skops", False),
        ("pipe", "rows", "model.skops", "skops", False),
        ("forest", "rows", "model.skops", "skops", False),
        ("boosted", "X", "model.skops", "skops", False),
        ("light", "X", "model.skops", "skops", False),
        ("booster", "X", "model.ubj", "XGBoost's own", False),
        ("leaves", "X", "model.txt", "LightGBM's own", False),
        ("graph", "rows", "model.onnx", "ONNX", False),
        ("ols", "X", "model.joblib", "joblib", True),
        ("own", "rows", "model.joblib", "joblib", True),
        ("called", "rows", "model.joblib", "joblib", True),
        ("session", "rows", "model.onnx", "ONNX", False),
        ("flow", "X", "model.joblib", "joblib", True),
        ("score", "arguments", "model-pipe.skops", "skops", False),
    ],
)
def test_it_answers_as_in_the_notebook(
    notebook: Notebook, model: str, sample: str, file: str, saved: str, trusted_only: bool
):
    made = notebook.export(model, sample)
    assert made["model"] == [f"exported/m/{file}"]
    assert (made["format"], made["trusted_only"]) == (saved, trusted_only)
    assert made["handler"] == "exported/m/inference.py"
    assert made["function"] == ("score" if model == "score" else "")
    written = {path.name for path in (notebook.root / "exported" / "m").iterdir()}
    assert {path.rpartition("/")[2] for path in made["samples"]} <= written
    assert json.loads((notebook.root / made["expected"].replace("expected", "schema")).read_text())
    # Another process of the environment, that has seen nothing of the notebook.
    served = notebook.tab.run(
        "import shutil, subprocess, sys\n"
        "shutil.rmtree('package', ignore_errors=True)\n"
        f"done = subprocess.run([sys.executable, 'served.py', {made['function']!r}, "
        f"'inference.py', {file!r}], capture_output=True, text=True)\n"
        "print(done.stdout, done.stderr[-2000:])"
    )
    answers = [json.loads(line) for line in served.splitlines()]
    expected = json.loads((notebook.root / made["expected"]).read_text())
    assert len(answers) == len(made["samples"])
    for answer in answers:
        assert numbers(answer) == pytest.approx(numbers(expected))


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value]


def test_what_cannot_be_exported_says_why(notebook: Notebook):
    assert "cannot be the name of a model package" in notebook.refused("pipe", "X", "Bad Name")
    assert "has no variable gone any more" in notebook.refused("gone", "X")
    assert "unfitted is not a model that has been fitted" in notebook.refused("unfitted", "X")
    assert "pipe does not take when" in notebook.refused("pipe", "when")
    # Dates have no form of their own in JSON.
    said = notebook.refused("dated", "when")
    assert "as it comes in a request" in said and "c (datetime64" in said
    assert "choose a dict" in notebook.refused("score", "rows")
    assert "uses no model of the notebook" in notebook.refused("scaled", "arguments2")
    mine = notebook.root / "exported" / "mine"
    mine.mkdir(parents=True)
    (mine / "notes.txt").write_text("mine")
    assert "is there already, and is no exported model" in notebook.refused("pipe", "X", "mine")
    assert [file.name for file in mine.iterdir()] == ["notes.txt"]
    left = [file.name for file in (notebook.root / "exported").iterdir() if file.name[0] == "."]
    assert left == []

    number = notebook.tab.send("import time; time.sleep(8)")
    notebook.tab.wait_for(number, "busy")
    assert "busy with a cell" in notebook.refused("pipe", "X")
    notebook.tab.wait_for(number)


FORMATS = {
    "pipe.skops": ("skops", ""),
    "pipe.joblib": ("joblib", "pipe.joblib: loading it runs what is in it (a pickle)"),
    "booster.ubj": ("XGBoost", ""),
    "boosted.json": ("XGBoost", ""),
    "leaves.txt": ("LightGBM", ""),
    "ols.pickle": ("pickle", "ols.pickle: loading it runs what is in it (a pickle)"),
    "graph.onnx": ("ONNX", ""),
    "mlflow": ("MLflow", ""),
    "pyfunc": ("MLflow", "python_model.pkl: loading it runs what is in it (a pickle)"),
    "w.safetensors": ("safetensors", ""),
}
MISFITS = {
    "two.json": "it has 2 columns, the model was fitted with 3",
    "other.json": "it lacks c, and has d, which the model does not know",
    "text.json": "could not convert string to float: 'x'",
}


def test_files_are_models_by_themselves(notebook: Notebook):
    said = notebook.tab.run("import json\n" + FILES)
    assert "saved" in said, said
    root = notebook.root / "files"
    formats = {}
    for file, (name, _) in FORMATS.items():
        if (root / file).is_dir():
            found = model_formats.of_mlflow((root / file / "MLmodel").read_bytes())
        else:
            found = model_formats.of_file(file, (root / file).read_bytes())
        assert found is not None and found.name == name
        formats[file] = described(found)
    formats.pop("w.safetensors")  # Only with its code.
    (root / "formats.json").write_text(json.dumps(formats))
    done = notebook.tab.run(
        "done = subprocess.run([sys.executable, '-W', 'ignore', 'by_format.py'], "
        "capture_output=True, text=True)\nprint(done.stdout, done.stderr[-2000:])"
    )
    answers = json.loads(done.strip().splitlines()[-1])
    expected = json.loads((root / "answers.json").read_text())
    for file in formats:
        # As a table, as rows without names, as CSV.
        assert len(answers[file]) == 3
        for answer in answers[file]:
            assert numbers(answer) == pytest.approx(numbers(expected[file]), rel=1e-5), file

    async def packages() -> None:
        services = open_services(notebook.config)
        recorder = Recorder()
        snapshot = await services.snapshots.create(notebook.kernel, "files", "", recorder)

        async def make(file: str, sample: str = "sample.json") -> Any:
            handler = Handler("default", "")
            if file == "w.safetensors":
                handler = Handler("inference", "files/weighted.py")
            answer = f"files/{file.partition('.')[0]}-answer.json"
            return await services.packaging.create(
                snapshot.id, file.replace(".", "-"), [f"files/{file}"], handler,
                f"files/{sample}", recorder, answer,
            )  # fmt: skip

        try:
            found = await services.packaging.candidates(snapshot.id)
            loads = {f"files/{name}": of for name, (of, _) in FORMATS.items() if name[0] != "w"}
            assert {name: found.formats.get(name) for name in loads} == loads
            assert {f"files/{name}" for name in FORMATS} <= set(found.models)
            # MLflow's own files are no models beside it.
            assert not [name for name in found.models if name.startswith("files/mlflow/")]
            for file in ("pyfunc", "w.safetensors"):
                of, trust = FORMATS[file]
                made = await make(file)
                assert (made.format, made.trust) == (of, trust)
                report = await services.packaging.check(made.id, recorder)
                assert report.passed, (file, [c for c in report.checks if not c.passed])
                await services.packaging.delete(made.id)
            with pytest.raises(
                InvalidError, match=r"does not trust: copy\.copy\. Write a model_fn"
            ):
                await make("own.skops")
            for sample, reason in MISFITS.items():
                with pytest.raises(InvalidError, match=re.escape(reason)) as raised:
                    await make("pipe.skops", sample)
                assert "X_test[:5]" in raised.value.hint
            await services.snapshots.delete(snapshot.id)
        finally:
            await services.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requesting, "BUSY_SECONDS", 0.3)
        run_apart(packages())


def test_from_the_variable_to_a_package_that_passes(notebook: Notebook):
    made = notebook.export("pipe", "X", "churn")

    async def package() -> None:
        services = open_services(notebook.config)
        recorder = Recorder()
        try:
            snapshot = await services.snapshots.create(notebook.kernel, "live", "", recorder)
            package = await services.packaging.create(
                snapshot.id, "churn", made["model"], Handler("inference", made["handler"]),
                made["sample"], recorder, made["expected"],
                also=[path for path in made["samples"] if path != made["sample"]],
            )  # fmt: skip
            forms = {other.content_type for other in package.sample.others}
            assert forms == {"text/csv", "application/vnd.apache.parquet"}
            report = await services.packaging.check(package.id, recorder)
            assert report.passed, [c for c in report.checks if not c.passed]
            assert {"same_prediction", "forms"} <= {check.name for check in report.checks}
            await services.packaging.delete(package.id)
            await services.snapshots.delete(snapshot.id)
        finally:
            await services.close()

    run_apart(package())
