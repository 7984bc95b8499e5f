"""Kernel containers as the rest of the system sees them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KernelRecord:
    """Written when a kernel's container is started, removed with it."""

    id: str
    """The kernel id of Jupyter."""
    container: str
    """Container id."""
    owner: str
    environment: str
    """Empty for a snapshot's kernel."""
    revision: int
    snapshot: str
    """Empty for an environment's kernel."""
    image: str
    """Image id."""
    project: str
    """The folder whose files a snapshot takes: the notebook's."""
    workspace: str
    """The folder mounted into the container, at the same path."""
    home: str
    started: str
    language: str = "python"
    pid: int = 0
    """The process that owns the kernel manager."""


@dataclass(frozen=True)
class KernelStatus:
    """A live answer about one kernel."""

    id: str
    environment: str
    revision: int
    snapshot: str
    image: str
    container: str
    alive: bool
    """Whether the container runs and the kernel's process in it."""
    project: str
    memory: int = 0
    """Bytes in use."""
    memory_limit: int = 0
    """Bytes; 0 where there is none."""
    cpu: float = 0.0
    """Cores in use."""
