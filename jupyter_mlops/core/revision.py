"""Revisions: immutable builds of an environment."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from .environment import EnvironmentSpec


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
    python: str = ""
    """Python version, for lists and kernel names."""
    parent: str = ""
    """``tiny@3``: the revision that it was built on; empty for a base image."""
    inherited: tuple[str, ...] = ()
    """Requirements of that revision and of those below it, which hold here, too."""
    operation: str = ""
    """Id of the operation that built it, and so its log."""


def identity(base_image: str, lock: str, spec: EnvironmentSpec) -> str:
    """What a revision *is*: equal identities mean the build need not run again."""
    text = "\n".join((base_image, lock, spec.digest))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
