"""Formats of model files: how each is recognised, what loads it, and whom it may be given to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from .errors import InvalidError

MLFLOW_FILE = "MLmodel"
"""What makes a folder an MLflow model."""

PICKLE = "loading it runs what is in it (a pickle)"


@dataclass(frozen=True)
class ModelFormat:
    """How a model is saved.

    ``file`` is its place in model.tar.gz; a whole folder has an empty one. ``trust`` says why
    only those should load it who trust its author; it is empty where loading runs no code of
    the file. ``loader`` is read by the serving layer's ``models.load``.
    """

    name: str
    file: str = ""
    modules: tuple[str, ...] = ()
    """Top-level modules that load it."""
    trust: str = ""
    loads: bool = True
    """Whether it is loaded without a ``model_fn``."""
    loader: Mapping[str, Any] = field(default_factory=dict)


_BY_SUFFIX: dict[str, ModelFormat] = {
    ".skops": ModelFormat("skops", modules=("skops",)),
    ".onnx": ModelFormat("ONNX", modules=("onnxruntime", "numpy")),
    ".ubj": ModelFormat("XGBoost", modules=("xgboost",)),
    ".joblib": ModelFormat("joblib", modules=("joblib",), trust=PICKLE),
    ".pkl": ModelFormat("pickle", trust=PICKLE),
    ".pickle": ModelFormat("pickle", trust=PICKLE),
    ".safetensors": ModelFormat("safetensors", modules=("safetensors",), loads=False),
    ".keras": ModelFormat("Keras", loads=False),
    ".h5": ModelFormat("HDF5", loads=False),
    ".cbm": ModelFormat("CatBoost", modules=("catboost",), loads=False),
    ".rds": ModelFormat("RDS", trust="it can hold functions of R, which run with it", loads=False),
    ".dill": ModelFormat("dill", trust=PICKLE, loads=False),
}
_MODULES = {
    "skops": ("skops",),
    "pickle": (),
    "ONNX": ("onnxruntime", "numpy"),
    "XGBoost": ("xgboost",),
    "LightGBM": ("lightgbm",),
}
"""Of what an MLflow folder can hold that its own library loads alone."""
_KNOWN = {"catboost", "collections", "lightgbm", "numpy", "pandas", "quantile_forest", "scipy",
          "sklearn", "xgboost"}  # fmt: skip
"""Libraries whose types a skops file may hold, as in the export of live variables."""
_TORCH = (".pt", ".pth")
_SNIFFED = (".json", ".txt", ".model", ".lgb", *_TORCH)
"""Suffixes that say nothing alone."""

Read = Callable[[str], bytes]
"""The beginning and the end of a file of the package, by its place in it; of ``MLmodel`` all."""


def of_file(path: str, head: bytes = b"") -> ModelFormat | None:
    """The format of one file by its suffix, its beginning and its end; None for what is no
    model."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in _BY_SUFFIX:
        return _named(_BY_SUFFIX[suffix], path)
    if suffix not in _SNIFFED:
        return None
    if suffix in _TORCH:
        # TorchScript is a zip with the program's source, as the list at its end says; other .pt
        # files are pickles.
        if head.startswith(b"PK") and b"/code/__torch__" in head:
            return ModelFormat("TorchScript", path, ("torch",))
        return ModelFormat("PyTorch", path, ("torch",), trust=PICKLE, loads=False)
    start = head.lstrip()[:4096]
    if start.startswith(b'{"learner"'):
        return ModelFormat("XGBoost", path, ("xgboost",))
    if start.startswith(b"tree\n") and b"num_class=" in start:
        return ModelFormat("LightGBM", path, ("lightgbm",))
    return None


def _named(found: ModelFormat, path: str) -> ModelFormat:
    return ModelFormat(found.name, path, found.modules, found.trust, found.loads)


def of_files(names: list[str], read: Read) -> ModelFormat | None:
    """The format of a package's model files, by their places; None where no one of them, or more
    than one, is a model that we know."""
    if MLFLOW_FILE in names:
        return of_mlflow(read(MLFLOW_FILE))
    found = [known for name in names if (known := of_file(name, read(name)))]
    loaded = [known for known in found if known.loads]
    if len(loaded) == 1:
        return loaded[0]
    return found[0] if len(found) == 1 else None


def trust_of(names: list[str], read: Read) -> str:
    """Why only those should load these files who trust their author; empty when anyone may."""
    found = {
        name: known.trust for name in names if (known := of_file(name, read(name))) and known.trust
    }
    return "; ".join(f"{name}: {why}" for name, why in found.items())


def untrusted(types: Iterable[str]) -> str:
    """Why only those should load a skops file who trust its author, by the types in it that skops
    does not trust; empty when all are of libraries that are known."""
    unknown = sorted(name for name in types if name.partition(".")[0] not in _KNOWN)
    return f"it holds types that skops does not trust: {', '.join(unknown)}" if unknown else ""


def of_mlflow(content: bytes) -> ModelFormat:
    """The format of a folder with this ``MLmodel``. Raises InvalidError.

    MLflow itself loads it where the environment has it. Of the flavours that need no more than
    their own library, ``loader["direct"]`` says how without.
    """
    import yaml

    try:
        described = yaml.safe_load(content.decode())
        flavors = dict(described["flavors"])
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        raise InvalidError(
            "The file MLmodel does not say which flavors the model has.",
            "Save the model again with MLflow's save_model.",
        ) from None
    direct = _direct(flavors)
    loader: dict[str, Any] = {"columns": _columns(described.get("signature"))}
    trust = ""
    if direct:
        name, file, more = direct
        loader["direct"] = {"name": name, "file": file, **more}
        trust = PICKLE if name == "pickle" else ""
    else:
        trust = "MLflow loads it with what its own code does"
    if "python_function" in flavors:
        loader["pyfunc"] = True
        if dict(flavors["python_function"]).get("code"):
            trust = "MLflow runs the code that the model brings"
    modules = _MODULES[direct[0]] if direct else ("mlflow",)
    return ModelFormat("MLflow", "", modules, trust, loader=loader)


def _direct(flavors: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]] | None:
    """(format, file, more) of a flavour that its own library loads alone."""
    sklearn = dict(flavors.get("sklearn") or {})
    if sklearn.get("pickled_model"):
        form = str(sklearn.get("serialization_format", "pickle"))
        name = "skops" if form == "skops" else "pickle"
        trusted = list(sklearn.get("skops_trusted_types") or ())
        return name, str(sklearn["pickled_model"]), {"trusted": trusted} if trusted else {}
    for flavor, name in (("onnx", "ONNX"), ("xgboost", "XGBoost"), ("lightgbm", "LightGBM")):
        found = dict(flavors.get(flavor) or {})
        if not found.get("data"):
            continue
        file = str(found["data"])
        if file.endswith(".skops"):
            return "skops", file, {"trusted": list(found.get("skops_trusted_types") or ())}
        return "pickle" if file.endswith(".pkl") else name, file, {}
    return None


def _columns(signature: Any) -> list[dict[str, str]]:
    """Names and types of the input's columns; empty for tensors and models without signature."""
    import json

    try:
        inputs = json.loads(signature["inputs"])
        return [{"name": str(c["name"]), "type": str(c["type"])} for c in inputs]
    except (KeyError, TypeError, ValueError):
        return []
