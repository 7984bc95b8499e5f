"""Loading a model where the user wrote no ``model_fn``, and predicting with it."""

import os

from . import libraries
from .errors import NotServable, Refused

SUFFIXES = (".skops", ".onnx", ".ubj", ".joblib", ".pkl", ".pickle")
"""Of files that say by their name alone how they are loaded."""


def load(folder, described=None):
    """The model in a folder. Raises NotServable.

    ``described`` is what the package says of it: ``{"name", "file", …}``; without it, the model
    is the folder's only file of a known kind.
    """
    if not described:
        return by_file(_only(folder))
    if described["name"] == "MLflow":
        return mlflow(folder, described)
    return by_name(described["name"], os.path.join(folder, described["file"]), described)


def _only(folder):
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    found = [name for name in names if name.lower().endswith(SUFFIXES)]
    if len(found) != 1:
        seen = ", ".join(names) or "nothing"
        raise NotServable(
            "Which file is the model? Looked in %s for exactly one of %s; there is %s. "
            "Write a model_fn(model_dir) that loads it." % (folder, ", ".join(SUFFIXES), seen)
        )
    return os.path.join(folder, found[0])


def by_file(path):
    suffix = os.path.splitext(path)[1].lower()
    names = {".skops": "skops", ".onnx": "ONNX", ".ubj": "XGBoost", ".joblib": "joblib"}
    return by_name(names.get(suffix, "pickle"), path, {})


def by_name(name, path, more):
    if name == "skops":
        return _skops(path, more.get("trusted") or ())
    if name == "ONNX":
        return libraries.Onnx(path)
    if name == "XGBoost":
        return libraries.xgboost(path)
    if name == "LightGBM":
        return libraries.lightgbm(path)
    if name == "TorchScript":
        return libraries.TorchScript(path)
    if name == "joblib":
        import joblib

        return joblib.load(path)
    if name != "pickle":
        raise NotServable("A model in the format %s needs a model_fn(model_dir)." % name)
    import pickle

    with open(path, "rb") as file:
        return pickle.load(file)


def _skops(path, trusted):
    import skops.io

    unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(trusted))
    if unknown:
        raise NotServable(
            "%s holds types that skops does not trust: %s. Write a model_fn(model_dir) that "
            "names them in skops.io.load(…, trusted=[…])."
            % (os.path.basename(path), ", ".join(unknown))
        )
    return skops.io.load(path, trusted=list(trusted))


def mlflow(folder, described):
    """An MLflow model: by MLflow where it is installed, else by the library that saved it."""
    if described.get("pyfunc") and libraries.available("mlflow"):
        return libraries.PyFunc(folder, described.get("columns") or ())
    direct = described.get("direct")
    if not direct:
        raise NotServable("The environment has no mlflow, which alone loads this model.")
    return by_name(direct["name"], os.path.join(folder, direct["file"]), direct)


def predict(data, model):
    """The model's own ``predict``, or the model called. Raises Refused for unknown data."""
    if isinstance(data, dict) and not all(hasattr(value, "shape") for value in data.values()):
        raise Refused(
            400,
            "The JSON object has none of the keys instances, inputs, data, dataframe_split, "
            "dataframe_records; it has %s." % (", ".join(sorted(map(str, data))) or "no keys"),
        )
    own = getattr(model, "predict", None)
    if own is not None:
        return own(_named(data, model))
    if callable(model):
        return model(data)
    raise TypeError(
        "The model is a %s, which has no predict. Write a predict_fn(data, model)."
        % type(model).__name__
    )


def _named(data, model):
    """Rows without names for a model that was fitted with names, or names in another order."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return data
    names = list(names)
    if hasattr(data, "columns"):
        columns = list(data.columns)
        # The order of names says nothing in JSON, and models refuse another one than the fit's.
        same = len(columns) == len(names) and set(columns) == set(names)
        return data[names] if same and columns != names else data
    if isinstance(data, dict):
        if set(data) != set(names):
            return data
    elif getattr(data, "ndim", 0) != 2 or data.shape[1] != len(names):
        return data
    try:
        import pandas
    except ImportError:
        return data
    if isinstance(data, dict):
        return pandas.DataFrame({name: data[name].reshape(-1) for name in names})
    return pandas.DataFrame(data, columns=names)


def features(model):
    """(number, names) of the columns that a model says it wants; (0, []) when it says nothing."""
    names = getattr(model, "feature_names_in_", None)
    names = [str(name) for name in names] if names is not None else []
    number = getattr(model, "n_features_in_", None)
    return (int(number) if isinstance(number, int) else len(names)), names


def misfit(data, model):
    """Why rows cannot be those that the model wants, in words; empty when nothing is known."""
    number, names = features(model)
    if hasattr(data, "columns"):
        given = [str(name) for name in data.columns]
        missing = [name for name in names if name not in given]
        more = [name for name in given if names and name not in names]
        if missing or more:
            parts = ["lacks %s" % ", ".join(missing)] if missing else []
            parts += ["has %s, which the model does not know" % ", ".join(more)] if more else []
            return "it " + ", and ".join(parts)
        width = len(given)
    elif getattr(data, "ndim", 0) == 2:
        width = data.shape[1]
    else:
        return ""
    if number and width != number:
        return "it has %d columns, the model was fitted with %d" % (width, number)
    return ""
