"""Model packages: a snapshot, model files, a handler, and a sample with its expected output."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .errors import InvalidError


@dataclass(frozen=True)
class Handler:
    """How a request becomes a prediction.

    ``inference``: ``path`` is a file with ``model_fn``, ``input_fn``, ``predict_fn``,
    ``output_fn`` or ``transform_fn``, any of which may be missing (SageMaker's convention).
    ``function``: ``function`` of the file ``path`` is called with the fields of
    ``{"data": {…}}`` as keyword arguments; the answer is ``{"result": …}``.
    ``r``: ``function`` of the R file ``path``, or its ``predict_fn``, is called with a data frame
    and the model, which its ``model_fn`` or ``readRDS`` loads.
    ``default``: no file; the model is loaded by its format, and its own ``predict`` answers.
    """

    kind: str
    path: str
    """Below the project's folder, so of the snapshot's workspace; empty for ``default``."""
    function: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("default", "inference", "function", "r"):
            raise InvalidError(f"A handler of kind {self.kind!r} is not known.")
        if bool(self.path) == (self.kind == "default"):
            raise InvalidError(
                "A handler is a Python or R file, or of the kind `default` and has none.",
                "Name the file that answers requests, or leave it out.",
            )
        if self.kind == "function" and not self.function:
            raise InvalidError(
                f"Which function of {self.path} answers requests?", "Name it with --function."
            )


@dataclass(frozen=True)
class OtherForm:
    content_type: str
    body: str
    """Blob digest."""


@dataclass(frozen=True)
class Batching:
    """Requests that wait at the same time go to the model in one call."""

    size: int = 1
    """Requests in one call at most; 1 is one by one."""
    wait_ms: float = 2.0
    """How long the first one waits for others, in milliseconds."""

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 1024:
            raise InvalidError(f"A batch of {self.size} requests cannot be.", "Choose 1 to 1024.")
        if not 0 <= self.wait_ms <= 10_000:
            raise InvalidError(
                f"A batch cannot wait {self.wait_ms} ms.", "Choose 0 to 10000 milliseconds."
            )


@dataclass(frozen=True)
class Sample:
    """A request that must be answered as it was in the notebook."""

    content_type: str
    body: str
    """Blob digest."""
    expected: str = ""
    """Blob digest of the notebook's own prediction; empty where none was recorded."""
    accept: str = "application/json"
    others: tuple[OtherForm, ...] = ()
    """The same request in other content types, which must get the same answer."""


@dataclass(frozen=True)
class Check:
    """One line of the contract report."""

    name: str
    """Stable: ``ping``, ``same_prediction``, …"""
    title: str
    passed: bool
    detail: str = ""
    """What was seen, with its number: ``answered in 3 ms``."""
    hint: str = ""
    """What to do, for a failed check."""
    seconds: float = 0.0


@dataclass(frozen=True)
class ContractReport:
    image: str
    created: str
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
    """What no check decides, and whoever gets the package must know."""

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(c.passed for c in self.checks)


@dataclass(frozen=True)
class Approval:
    """Somebody's word that a package may be deployed."""

    by: str
    at: str
    image: str
    """What was approved: of a package that is made anew, it must be given again."""
    note: str = ""


@dataclass(frozen=True)
class ModelPackage:
    id: str
    """``p-`` and 16 hex digits."""
    name: str
    owner: str
    created: str
    snapshot: str
    image: str
    """Image id: the snapshot's image and the serving layer."""
    ref: str
    model: str
    """Blob digest of model.tar.gz: the model files at its root, the handler's below ``code/``."""
    model_files: tuple[str, ...]
    model_size: int
    handler: Handler
    sample: Sample
    layer_size: int = 0
    """Bytes that the serving layer added."""
    format: str = ""
    """Of the model: ``skops``, ``ONNX``, ``MLflow``, …; empty for one that only its handler
    knows."""
    trust: str = ""
    """Why only those should load the model who trust its author; empty when anyone may."""
    schema: dict[str, Any] = field(default_factory=dict)
    """``{"input", "output"}`` of the sample: names and types of columns, or type and shape of
    arrays; empty where only the handler can read it."""
    report: ContractReport | None = None
    approvals: tuple[Approval, ...] = ()

    @property
    def trusted_only(self) -> bool:
        """Loading the model can run what is in it."""
        return bool(self.trust)


@dataclass(frozen=True)
class Candidates:
    """Files of a project that can play a part in a package, likeliest first."""

    models: tuple[str, ...]
    handlers: tuple[str, ...]
    samples: tuple[str, ...]
    functions: dict[str, tuple[str, ...]]
    """Of each Python file: the functions it defines at top level."""
    formats: dict[str, str] = field(default_factory=dict)
    """Of each model that needs no handler: its format."""
    trust: dict[str, str] = field(default_factory=dict)
    """Of each model that only those should load who trust its author: why."""
