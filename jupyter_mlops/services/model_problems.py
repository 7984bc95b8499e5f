"""What a trial of a model found wrong, in words: what happened and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.errors import InvalidError
from ..core.model_package import Handler
from .package_files import PackageFiles

_DISTRIBUTIONS = {"sklearn": "scikit-learn", "cv2": "opencv-python", "PIL": "pillow"}
"""Of modules whose package has another name."""


def check_trial(trial: Mapping[str, Any], handler: Handler, files: PackageFiles) -> None:
    """Raises InvalidError for what ``guest/trial.py`` says of a model."""
    said, model = str(trial["said"]).rstrip("."), _model(files)
    if trial["problem"] == "module":
        packages = " ".join(_DISTRIBUTIONS.get(name, name) for name in said.split(", "))
        raise InvalidError(
            f"The model {model} needs {said}, which the snapshot's environment does not have.",
            f"Install it in the kernel (%pip install {packages}) and freeze again.",
        )
    if trial["problem"] == "attribute":
        raise InvalidError(
            f"The model {model} needs a class or function that the notebook defined: {said}.",
            "Write it into the handler's file, or a file beside it, train again and freeze.",
        )
    if trial["problem"] == "load":
        raise InvalidError(
            f"The model {model} does not load in the snapshot's image: {said}.",
            "Save it again in the notebook and freeze, or write a model_fn(model_dir) that "
            "loads it.",
        )
    if trial["problem"] == "sample":
        hint = "Save rows as the model was fitted with, for instance X_test[:5], and freeze again."
        if handler.path:
            hint += " Or read the request in input_fn of the handler."
        raise InvalidError(f"The sample does not fit the model {model}: {said}.", hint)


def _model(files: PackageFiles) -> str:
    if files.format is not None and files.format.file:
        return files.format.file
    return files.format.name if files.format else ", ".join(files.model)
