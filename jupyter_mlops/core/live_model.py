"""Models that are variables of a live kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ModelVariable:
    """A variable that can be exported as a model."""

    name: str
    kind: str
    """``fitted``, ``function``, ``xgboost``, ``lightgbm``, ``torch``, ``onnx``,
    ``session`` (of onnxruntime) or ``callable``."""
    description: str
    """Its type and what it is made of: ``Pipeline: StandardScaler → LogisticRegression``."""
    features: tuple[str, ...] = ()
    """Columns that it was fitted with; empty names where only their number is known."""


@dataclass(frozen=True)
class SampleVariable:
    """A variable whose first rows can be a request."""

    name: str
    description: str
    """``DataFrame, 442 by 10``."""
    fits: dict[str, str]
    """Name of a model to why the sample fits it, in words."""


@dataclass(frozen=True)
class LiveModels:
    models: tuple[ModelVariable, ...]
    samples: tuple[SampleVariable, ...]


@dataclass(frozen=True)
class LiveExport:
    """What was written for a model of a live kernel; paths below the project's folder."""

    model: tuple[str, ...]
    handler: str
    function: str
    """That answers requests; empty where ``handler`` has SageMaker's functions."""
    sample: str
    expected: str
    """The notebook's own prediction of the sample."""
    samples: tuple[str, ...]
    """The sample in each form that it can have as a request."""
    format: str
    """How the model is saved: ``skops``, ``ONNX``, ``joblib``, …"""
    trusted_only: bool
    """Loading it runs what is in it: only for who trusts its author."""
    schema: dict[str, Any] = field(default_factory=dict)
    """``{"input", "output"}``: names and types of columns, or type and shape of arrays."""
