"""Saves one model in the safest format that holds it."""

import contextlib
import importlib
import io
import os
import pickle
import pickletools

from . import modules
from .kinds import HERE
from .sources import NotSaved

KNOWN = {
    "catboost",
    "lightgbm",
    "numpy",
    "pandas",
    "quantile_forest",
    "scipy",
    "sklearn",
    "xgboost",
}
"""Libraries whose types a skops file may hold."""
CONTAINERS = {"collections.OrderedDict", "collections.defaultdict"}
ONNX_KINDS = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(int64)": "int64"}


class Saved:
    """A model in files: ``loader`` is an expression for ``folder``, the folder that they are in."""

    def __init__(self, file, form, loader, imports=(), trusted=False, predict="", classes=()):
        self.file, self.form, self.loader = file, form, loader
        self.imports = list(imports)
        self.trusted = trusted
        """Whoever loads it runs what is in it."""
        self.predict = predict
        """Lines of a ``predict_fn``, where the model's own ``predict`` is not it."""
        self.classes = list(classes)
        """Of the notebook, that the file refers to."""


def place(file):
    """The source of a path below ``_folder``, which each handler has."""
    return "os.path.join(_folder, %r)" % file


def save(value, kind, folder, stem, namespace, data=None):
    """Write ``value`` below ``folder`` as ``stem`` and a suffix. ``data`` is a sample."""
    formats = {
        "xgboost": xgboost_own,
        "lightgbm": lightgbm_own,
        "onnx": onnx_own,
        "session": onnx_own,
    }
    if kind in formats:
        return formats[kind](value, folder, stem)
    if kind == "torch":
        return torch_own(value, folder, stem, data)
    return by_object(value, os.path.join(folder, stem), stem, namespace)


def xgboost_own(value, folder, stem):
    file = stem + ".ubj"
    value.save_model(os.path.join(folder, file))
    loader = "xgboost.Booster(model_file=%s)" % place(file)
    predict = "    return model.predict(xgboost.DMatrix(data))\n"
    return Saved(file, "XGBoost's own", loader, ["import xgboost"], predict=predict)


def lightgbm_own(value, folder, stem):
    file = stem + ".txt"
    value.save_model(os.path.join(folder, file))
    loader = "lightgbm.Booster(model_file=%s)" % place(file)
    return Saved(file, "LightGBM's own", loader, ["import lightgbm"])


def onnx_own(value, folder, stem):
    need("onnxruntime", "An ONNX model is run by it.")
    file = stem + ".onnx"
    with open(os.path.join(folder, file), "wb") as out:
        out.write(onnx_bytes(value))
    loader = "onnxruntime.InferenceSession(%s)" % place(file)
    predict = (
        "    first = model.get_inputs()[0]\n"
        "    kinds = %r\n"
        "    rows = numpy.asarray(data, dtype=kinds.get(first.type))\n"
        "    return model.run(None, {first.name: rows})[0]\n" % ONNX_KINDS
    )
    return Saved(file, "ONNX", loader, ["import numpy", "import onnxruntime"], predict=predict)


def onnx_bytes(value):
    """Of a graph, or of a session: what it was made of."""
    if hasattr(value, "SerializeToString"):
        return value.SerializeToString()
    content, path = getattr(value, "_model_bytes", None), getattr(value, "_model_path", None)
    if content is None and path:
        with open(path, "rb") as file:
            content = file.read()
    if not content:
        raise NotSaved("The session does not say which model it runs. Export the ONNX model.")
    return content


def torch_own(value, folder, stem, data):
    file = stem + ".pt"
    predict = modules.torch_script(value, folder, file, data)
    loader = "torch.jit.load(%s, map_location='cpu').eval()" % place(file)
    return Saved(file, "TorchScript", loader, ["import torch"], predict=predict)


def by_object(value, path, stem, namespace):
    """With skops, where that trusts all that is in it; else pickled."""
    found = with_skops(value, path, stem)
    if found is not None:
        return found
    try:
        content = pickle.dumps(value)
    except Exception as error:
        raise NotSaved("A %s cannot be saved: %s" % (type(value).__name__, error)) from error
    classes = [namespace[name] for name in sorted(own_names(content)) if name in namespace]
    try:
        import joblib
    except ImportError:
        file, imports = stem + ".pkl", ["import pickle"]
        with open(path + ".pkl", "wb") as out:
            out.write(content)
        loader = "pickle.load(open(%s, 'rb'))" % place(file)
    else:
        file, imports = stem + ".joblib", ["import joblib"]
        joblib.dump(value, path + ".joblib")
        loader = "joblib.load(%s)" % place(file)
    form = file.rpartition(".")[2]
    return Saved(file, form, loader, imports, trusted=True, classes=classes)


def with_skops(value, path, stem):
    """None where skops is not installed, or does not know what is in the model."""
    try:
        import skops.io
    except ImportError:
        return None
    file = path + ".skops"
    with contextlib.suppress(Exception):
        skops.io.dump(value, file)
        more = skops.io.get_untrusted_types(file=file)
        if all(name.split(".")[0] in KNOWN or name in CONTAINERS for name in more):
            # No other type is made when it is loaded, whatever the file says by then.
            trusted = ", trusted=%r" % sorted(more) if more else ""
            loader = "skops.io.load(%s%s)" % (place(stem + ".skops"), trusted)
            return Saved(stem + ".skops", "skops", loader, ["import skops.io"])
    with contextlib.suppress(OSError):
        os.unlink(file)
    return None


def own_names(content):
    """Names of the notebook's own classes and functions in a pickle."""
    found, texts = set(), []
    for opcode, argument, _ in pickletools.genops(io.BytesIO(content)):
        if opcode.name in ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"):
            texts.append(argument)
        elif opcode.name == "GLOBAL":
            module, _, name = argument.partition(" ")
            if module == HERE:
                found.add(name.split(".")[0])
        elif opcode.name == "STACK_GLOBAL" and HERE in texts:
            found |= {text.split(".")[0] for text in texts}
    return found


def need(module, why):
    try:
        importlib.import_module(module)
    except ImportError:
        raise NotSaved(
            "%s is not installed. %s Add it to the environment." % (module, why)
        ) from None
