"""Answers about the server itself."""

from __future__ import annotations

from ...core.ports import Capabilities
from .bodies import Answer


class Problem(Answer):
    """Why there is no engine, and what to do."""

    message: str
    hint: str


class EngineStatus(Answer):
    capabilities: Capabilities | None
    """Null while no engine answers."""
    problem: Problem | None
    containers: int
    """Running containers of ours."""
    version: str
    """Of jupyter-mlops."""


class ServerSettings(Answer):
    project: str
    """Where snapshots are published when nothing else is said; may be empty."""
    owner: str


class Error(Answer):
    """The body of every answer of status 400 and above."""

    message: str
    """What happened."""
    reason: str
    """The status in words."""
    code: str
    """Stable: clients branch on it."""
    hint: str
    """What to do; may be empty."""
