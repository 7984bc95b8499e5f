"""Revisions: immutable builds of an environment."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

from .environment import EnvironmentSpec
from .inventory import InventoryDiff

MOST_CHANGES = 100
"""Changed packages that an operation's record holds."""


@dataclass(frozen=True)
class SmokeResult:
    """What became of a smoke notebook in a revision."""

    notebook: str
    """Blob digest of the notebook as it was given."""
    passed: bool
    ended: str
    message: str = ""
    """Which cell failed, and its last line."""


@dataclass(frozen=True)
class Revision:
    """One build. Lock and inventory are blobs, found by digest."""

    environment: str
    number: int
    spec: EnvironmentSpec
    base_image: str
    """Image id of the base."""
    image: str
    """Image id of the build."""
    ref: str
    """The engine's tag for it: ``mlops/env/<name>:r<number>-<6 hex>``."""
    lock: str
    """Blob digest of the pylock.toml (PEP 751)."""
    inventory: str
    """Blob digest of the inventory JSON."""
    identity: str
    created: str
    size: int = 0
    packages: int = 0
    """Number of Python packages, for lists."""
    r_packages: int = 0
    """Number of packages of R, for lists."""
    python: str = ""
    """Python version, for lists and kernel names."""
    parent: str = ""
    """``tiny@3``: the revision that it was built on; empty for a base image."""
    inherited: tuple[str, ...] = ()
    """Requirements of that revision and of those below it, which hold here, too."""
    smoke: SmokeResult | None = None
    """Of the last time that a smoke notebook was run in it."""
    r: str = ""
    """R version, where the revision has a kernel of R."""
    operation: str = ""
    """Id of the operation that built it, and so its log."""


@dataclass(frozen=True)
class Built:
    """What a build came to, and what it changed."""

    revision: Revision
    previous: int
    """The active revision before; 0 where there was none."""
    changes: InventoryDiff
    """From that revision to this one; empty where there was none."""

    @property
    def moved(self) -> bool:
        """Whether another revision is active now."""
        return self.previous != self.revision.number

    def result(self) -> dict[str, Any]:
        """For the operation's record: a long list of packages is cut."""
        named = {"environment": self.revision.environment, "revision": self.revision.number}
        if not self.previous or not self.moved:
            return named
        changes = asdict(self.changes.first(MOST_CHANGES))
        return {
            **named,
            "previous": self.previous,
            "summary": self.changes.summary(),
            "changes": {kind: list(group) for kind, group in changes.items()},
        }


def identity(base_image: str, lock: str, spec: EnvironmentSpec) -> str:
    """What a revision *is*: equal identities mean the build need not run again."""
    text = "\n".join((base_image, lock, spec.digest))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
