"""Operations: long-running pieces of work that survive their page, and say how they ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class OperationState(str, Enum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """The process that ran it ended first."""

    @property
    def ended(self) -> bool:
        return self not in (OperationState.QUEUED, OperationState.RUNNING)


@dataclass(frozen=True)
class OperationError:
    """A domain error as it is stored and sent."""

    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Phase:
    name: str
    started: str
    seconds: float | None = None
    """None while it runs."""


@dataclass(frozen=True)
class Operation:
    """The persisted state of one piece of work. Its log is a file of its own."""

    id: str
    kind: str
    """``base``, ``build``, ``snapshot``, ``publish``, ``open``, ``reproduce``, ``package``,
    ``check``, ``deploy``, ``delete``."""
    subject: str
    """What it works on, as a user would name it: an environment, a snapshot, …"""
    state: OperationState
    created: str
    owner: str = ""
    phase: str = ""
    phases: tuple[Phase, ...] = ()
    """All phases begun so far, in order."""
    progress: float | None = None
    """0 to 1, None where it cannot be known."""
    message: str = ""
    error: OperationError | None = None
    result: dict[str, Any] = field(default_factory=dict)
    """Names what was made: ``{"environment": "churn", "revision": 3}``."""
    started: str = ""
    ended: str = ""
    pid: int = 0
    """The process that runs it: a dead one makes it interrupted."""
