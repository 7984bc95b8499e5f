"""Kernel containers as the rest of the system sees them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from .limits import KernelLimits


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
    """The process that owns the kernel manager; 0 after a server has left the kernel behind."""
    notebook: str = ""
    """Absolute path of the notebook it was started for; empty where it is not known."""
    limits: KernelLimits = field(default_factory=KernelLimits)
    """In force in its container."""
    claimed: str = ""
    """When that process took it over; empty when it started it."""
    server: str = ""
    """The root folder of the Jupyter server that it belongs to, whose next start takes it over;
    empty for kernels that end with their process."""
    warm: str = ""
    """Of a container in which no kernel runs yet: what it is kept for; see ``kernels.pool``."""

    def owned_by(self, pid: int, now: datetime) -> KernelRecord:
        """What takes this one's place when the process ``pid`` takes the container over."""
        return replace(self, pid=pid, claimed=now.isoformat(timespec="seconds"), warm="")


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
    notebook: str = ""
    """Absolute path; empty where it is not known."""
    limits: KernelLimits = field(default_factory=KernelLimits)
    """In force in its container, where the engine can enforce them."""
    warm: bool = False
    """No kernel runs in it yet: it waits for one."""


@dataclass(frozen=True)
class KernelEvent:
    """Something happened to a kernel that its user did not ask for."""

    kernel_id: str
    reason: str
    """``out_of_memory``, ``child_out_of_memory``, ``crashed`` or ``engine_gone``."""
    message: str
    hint: str = ""
    limit: int = 0
    """Bytes of memory the container may use; 0 where there is no limit."""


@dataclass(frozen=True)
class SecretRequest:
    """A kernel that starts waits for values that only its user has."""

    kernel_id: str
    environment: str
    notebook: str
    """Absolute path; empty where it is not known."""
    names: tuple[str, ...]
    """Of variables. Values are in no record and no event."""


def kernel_name(environment: str, revision: int = 0, language: str = "python") -> str:
    """The kernel spec of an environment's active revision, or of a pinned one.

    Jupyter knows names in lower case only. R's end as the kernel spec that IRkernel itself makes.
    """
    pinned = f".r{revision}" if revision else ""
    return f"mlops-{environment}{pinned}{'.ir' if language.lower() == 'r' else ''}"
