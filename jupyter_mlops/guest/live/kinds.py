"""What a variable is, by what it can do; asked of the value alone."""

import sys
import types
from collections.abc import Iterable

from .shapes import HERE, is_array, is_frame

SKIPPED = {"In", "Out", "exit", "quit", "get_ipython", "open"}
ROWS = 5


def hidden(name, value):
    return name.startswith("_") or name in SKIPPED or isinstance(value, (type, types.ModuleType))


def library(value):
    """The library that a value's class, or a class it is made of, comes from."""
    for base in type(value).__mro__:
        found = base.__module__.split(".")[0]
        if found not in (HERE, "builtins"):
            return found
    return ""


def model_kind(value):
    """How a value would be saved; empty when it is no model."""
    if isinstance(value, types.FunctionType):
        return "function" if value.__module__ == HERE and value.__name__ != "<lambda>" else ""
    name, of = type(value).__name__, library(value)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.nn.Module):
        return "torch"
    if of == "onnx" and name == "ModelProto":
        return "onnx"
    if of == "onnxruntime" and name == "InferenceSession":
        return "session"
    if of in ("xgboost", "lightgbm") and name == "Booster":
        return of
    if callable(getattr(value, "predict", None)):
        return "fitted" if fitted(value) else ""
    # An object of the notebook's own that is called with rows.
    return "callable" if type(value).__module__ == HERE and callable(value) else ""


def fitted(value):
    """Whether a scikit-learn estimator has learned; true for what is not one."""
    if not callable(getattr(value, "fit", None)) or not hasattr(value, "get_params"):
        return True
    validation = sys.modules.get("sklearn.utils.validation")
    if validation is None:
        return True
    try:
        validation.check_is_fitted(value)
    except Exception:
        return False
    return True


def features(value):
    """(number, names) of the columns that a model wants; (0, []) when it does not say."""
    names = getattr(value, "feature_names_in_", None)
    if names is None:
        names = getattr(value, "feature_names", None)  # Of XGBoost.
    if names is None and callable(getattr(value, "feature_name", None)):
        names = value.feature_name()  # Of LightGBM.
    if names is None:
        names = getattr(getattr(value, "model", None), "exog_names", None)  # Of statsmodels.
    names = [str(name) for name in names] if isinstance(names, Iterable) else []
    number = getattr(value, "n_features_in_", None)
    if hasattr(value, "graph") and hasattr(value, "opset_import"):  # Of ONNX.
        sizes = value.graph.input[0].type.tensor_type.shape.dim
        number = sizes[1].dim_value if len(sizes) == 2 else None
    if hasattr(value, "get_inputs") and hasattr(value, "run"):  # Of onnxruntime.
        sizes = value.get_inputs()[0].shape
        number = sizes[1] if len(sizes) == 2 else None
    return (int(number) if isinstance(number, int) else len(names)), names


def is_sample(value):
    """Rows: a table, an array or a tensor; or a dict, the arguments of a function."""
    if is_frame(value):
        return len(value) > 0
    if is_array(value):
        return len(value.shape) > 0 and value.shape[0] > 0
    if isinstance(value, dict):
        return bool(value) and all(isinstance(key, str) for key in value)
    return isinstance(value, list) and bool(value) and isinstance(value[0], (list, int, float))


def fits(model, sample):
    """Why a sample can be a request to a model, in words; empty when it cannot."""
    if isinstance(model, types.FunctionType):
        if not isinstance(sample, dict):
            return ""
        wanted = model.__code__.co_varnames[: model.__code__.co_argcount]
        needed = wanted[: len(wanted) - len(model.__defaults__ or ())]
        if set(needed) <= set(sample) <= set(wanted):
            return "it has the arguments of the function"
        return ""
    if isinstance(sample, dict):
        return ""
    number, names = features(model)
    if is_frame(sample):
        columns = [str(column) for column in sample.columns]
        if names:
            return "it has the columns of the fit" if columns == names else ""
        return "it has as many columns as the fit" if len(columns) == number or not number else ""
    width = sample.shape[1] if is_array(sample) and len(sample.shape) == 2 else 0
    if number and width != number:
        return ""
    return "it has as many columns as the fit" if number else "the model takes any rows"


def described(value):
    """Type and size in a few words."""
    name = type(value).__name__
    if isinstance(value, types.FunctionType):
        code = value.__code__
        return "function(%s)" % ", ".join(code.co_varnames[: code.co_argcount])
    if callable(getattr(value, "named_steps", None)) or hasattr(value, "named_steps"):
        steps = [type(step).__name__ for step in value.named_steps.values()]
        return "%s: %s" % (name, " → ".join(steps))
    if is_frame(value) or is_array(value):
        return "%s, %s" % (name, " by ".join(str(size) for size in value.shape))
    if isinstance(value, (list, dict)):
        return "%s of %d" % (name, len(value))
    return name


def survey(namespace):
    """``{"models": […], "samples": […]}``; of each name, kind and size, and of a sample which
    models it fits, and why."""
    seen = [(n, v) for n, v in list(namespace.items()) if not hidden(n, v)]
    models = [(name, value, model_kind(value)) for name, value in seen]
    models = [found for found in models if found[2]]
    samples = [(name, value) for name, value in seen if is_sample(value)]
    found = {"models": [], "samples": []}
    for name, value, kind in models:
        number, names = features(value)
        found["models"].append(
            {
                "name": name,
                "kind": kind,
                "description": described(value),
                "features": names or ([""] * number),
            }
        )
    for name, value in samples:
        why = {model: fits(of, value) for model, of, _ in models}
        fitting = {model: reason for model, reason in why.items() if reason}
        if fitting:
            found["samples"].append(
                {"name": name, "description": described(value), "fits": fitting}
            )
    return found
