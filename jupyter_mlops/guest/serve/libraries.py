"""Models of libraries whose files do not bring a ``predict`` of rows: each gets one here."""

import importlib.util
import json
import os

from .errors import Refused


def available(module):
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


class Onnx:
    """An ONNX session; the first output is the prediction."""

    KINDS = {
        "tensor(float)": "float32",
        "tensor(double)": "float64",
        "tensor(float16)": "float16",
        "tensor(int64)": "int64",
        "tensor(int32)": "int32",
        "tensor(bool)": "bool",
        "tensor(string)": "object",
    }

    def __init__(self, path):
        import onnxruntime

        # Not the default of as many threads as the machine has: workers share it.
        options = onnxruntime.SessionOptions()
        threads = os.environ.get("OMP_NUM_THREADS", "")
        if threads.isdigit():
            options.intra_op_num_threads = int(threads)
        self._session = onnxruntime.InferenceSession(
            path, options, providers=onnxruntime.get_available_providers()
        )
        self._inputs = self._session.get_inputs()
        first = self._inputs[0]
        if len(self._inputs) == 1 and len(first.shape) == 2 and isinstance(first.shape[1], int):
            self.n_features_in_ = first.shape[1]

    def predict(self, data):
        return self._session.run(None, self._feed(data))[0]

    def _feed(self, data):
        import numpy

        if len(self._inputs) == 1 and not isinstance(data, dict):
            only = self._inputs[0]
            return {only.name: numpy.asarray(data, dtype=self.KINDS.get(only.type))}
        names = [wanted.name for wanted in self._inputs]
        columns = hasattr(data, "columns")
        given = [str(name) for name in data.columns] if columns else list(data)
        missing = [name for name in names if name not in given]
        if missing:
            raise Refused(400, "The model's inputs are %s; send them by name." % ", ".join(names))
        fed = {}
        for wanted in self._inputs:
            values = numpy.asarray(data[wanted.name], dtype=self.KINDS.get(wanted.type))
            fed[wanted.name] = values.reshape(-1, 1) if columns else values
        return fed


def xgboost(path):
    """Of the scikit-learn interface, where the file was saved by it; else the booster."""
    import xgboost as library

    booster = library.Booster(model_file=path)
    kind = ""
    try:
        kind = json.loads(booster.attr("scikit_learn") or "{}").get("_estimator_type", "")
    except ValueError:
        pass
    classes = {"classifier": "XGBClassifier", "regressor": "XGBRegressor", "ranker": "XGBRanker"}
    if kind in classes and available("sklearn"):
        model = getattr(library, classes[kind])()
        model.load_model(path)
        return model
    return Booster(booster)


class Booster:
    """XGBoost's own model, which takes no rows but its own matrix of them."""

    def __init__(self, booster):
        self._booster = booster
        self.n_features_in_ = int(booster.num_features())

    def predict(self, data):
        import xgboost as library

        names = self._booster.feature_names
        if hasattr(data, "columns") or not names or data.shape[1] != len(names):
            return self._booster.predict(library.DMatrix(data))
        return self._booster.predict(library.DMatrix(data, feature_names=names))


def lightgbm(path):
    import lightgbm as library

    return library.Booster(model_file=path)


class TorchScript:
    """A module with its program; rows are given in the type of its weights."""

    def __init__(self, path):
        import torch

        self._torch = torch
        self._module = torch.jit.load(path, map_location="cpu").eval()
        first = next(self._module.parameters(), None)
        self._kind = first.dtype if first is not None else torch.float32

    def predict(self, data):
        rows = data.to_numpy() if hasattr(data, "to_numpy") else data
        with self._torch.no_grad():
            found = self._module(self._torch.as_tensor(rows, dtype=self._kind))
        if isinstance(found, (list, tuple)):
            found = found[0]
        return found.numpy()


class PyFunc:
    """An MLflow model, loaded by MLflow."""

    def __init__(self, folder, columns):
        # A served model calls nobody.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow.pyfunc

        self._model = mlflow.pyfunc.load_model(folder)
        self._columns = list(columns)

    def predict(self, data):
        names = [column["name"] for column in self._columns]
        if names and not isinstance(data, dict):
            data = self._table(data, names)
        return self._model.predict(data)

    def _table(self, data, names):
        """With the columns' names, and whole numbers where the signature has them: CSV and mixed
        JSON bring floats, which MLflow refuses there."""
        import pandas

        if not hasattr(data, "columns"):
            width = data.shape[1] if getattr(data, "ndim", 0) == 2 else 0
            if width != len(names):
                raise Refused(400, "The model wants the columns %s." % ", ".join(names))
            data = pandas.DataFrame(data, columns=names)
        for column in self._columns:
            name = column["name"]
            if column["type"] not in ("long", "integer") or name not in data.columns:
                continue
            values = data[name]
            if values.dtype.kind == "f" and (values == values.round()).all():
                kind = "int64" if column["type"] == "long" else "int32"
                data = data.assign(**{name: values.astype(kind)})
        return data
