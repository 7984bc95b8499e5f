"""Loading a model where the user wrote no ``model_fn``, and predicting with it."""

import os

from .errors import NotServable, Refused

SUFFIXES = (".skops", ".joblib", ".pkl", ".pickle")


def load(folder):
    """The model in a folder: its only file of a known kind. Raises NotServable."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    found = [name for name in names if name.lower().endswith(SUFFIXES)]
    if len(found) != 1:
        seen = ", ".join(names) or "nothing"
        raise NotServable(
            "Which file is the model? Looked in %s for exactly one of %s; there is %s. "
            "Write a model_fn(model_dir) that loads it." % (folder, ", ".join(SUFFIXES), seen)
        )
    path = os.path.join(folder, found[0])
    if path.lower().endswith(".skops"):
        return _skops(path)
    if path.lower().endswith(".joblib"):
        import joblib

        return joblib.load(path)
    import pickle

    with open(path, "rb") as file:
        return pickle.load(file)


def _skops(path):
    import skops.io

    unknown = skops.io.get_untrusted_types(file=path)
    if unknown:
        raise NotServable(
            "%s holds types that skops does not trust: %s. Write a model_fn(model_dir) that "
            "names them in skops.io.load(…, trusted=[…])."
            % (os.path.basename(path), ", ".join(unknown))
        )
    return skops.io.load(path)


def predict(data, model):
    """The model's own ``predict``, or the model called. Raises Refused for unknown data."""
    if isinstance(data, dict) and not all(hasattr(value, "shape") for value in data.values()):
        raise Refused(
            400,
            "The JSON object has none of the keys instances, inputs, data, dataframe_split, "
            "dataframe_records; it has %s." % (", ".join(sorted(map(str, data))) or "no keys"),
        )
    if hasattr(model, "predict"):
        return model.predict(_named(data, model))
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
