"""What a trial of a model found wrong, in words: what happened and what to do."""

from __future__ import annotations

import signal
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
    if trial["problem"] == "handler":
        raise InvalidError(
            f"The handler {handler.path} does not load in the snapshot's image: {said}.",
            "Correct it and freeze again. It was run as it will be when it is served: without "
            "network, with the model's files and what is beside the handler.",
        )
    if trial["problem"] == "answer":
        raise InvalidError(
            f"The handler {handler.path} does not answer the sample: {said}.",
            "Correct the handler, or the sample, and freeze again.",
        )
    if trial["problem"] == "sample":
        rows, reader = "X_test[:5]", "input_fn"
        if handler.kind == "r":
            rows, reader = "head(data, 5)", "predict_fn"
        hint = f"Save rows as the model was fitted with, for instance {rows}, and freeze again."
        if handler.path:
            hint += f" Or read the request in {reader} of the handler."
        raise InvalidError(f"The sample does not fit the model {model}: {said}.", hint)


def ended(handler: Handler, files: PackageFiles, code: int, last: str) -> InvalidError:
    """The process that tried it ended with this exit code, or by the signal ``-code``, after it had
    said ``last``."""
    signals = {value.value: value.name for value in signal.Signals}
    how = f"exit code {code}" if code >= 0 else signals.get(-code, f"signal {-code}")
    said = f" Its last words: {last}" if last else ""
    hint = "Correct what ends the process, and freeze again."
    if code == -signal.SIGKILL:
        hint = "The machine may be short of memory: a model is loaded whole."
    return InvalidError(
        f"{_subject(handler, files)} ended its process ({how}) when it was tried in the "
        f"snapshot's image.{said}",
        hint,
    )


def too_slow(handler: Handler, files: PackageFiles, seconds: float) -> InvalidError:
    """It has not loaded and answered within ``seconds``."""
    return InvalidError(
        f"{_subject(handler, files)} has not loaded and answered the sample within "
        f"{seconds:.0f} s.",
        "SageMaker waits no longer. It was tried without network: what it downloads must be "
        "among the model's files.",
    )


def _subject(handler: Handler, files: PackageFiles) -> str:
    return f"The handler {handler.path}" if handler.path else f"The model {_model(files)}"


def _model(files: PackageFiles) -> str:
    if files.format is not None and files.format.file:
        return files.format.file
    return files.format.name if files.format else ", ".join(files.model)
