"""What deleting would take away, and what space comes back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """A revision that stays, and why."""

    revision: str
    """``churn@3``."""
    reason: str


@dataclass(frozen=True)
class Deletion:
    """Before: what would go. After: what went."""

    environments: tuple[str, ...]
    """Those that go as a whole."""
    revisions: tuple[str, ...]
    """``churn@3``, newest first; also those of ``environments``."""
    freed: int
    """Bytes that are free afterwards: layers that no other image has, and home folders."""
    shared: int
    """Bytes of layers of these revisions that stay, since other images have them, too."""
    home: int = 0
    """The part of ``freed`` that home folders of notebooks hold."""
    kept: tuple[Kept, ...] = ()
    """Old revisions that were looked at and stay."""
