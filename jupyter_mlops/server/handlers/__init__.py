"""The REST interface below ``mlops/``, one file per noun."""

from __future__ import annotations

from typing import Any

from . import (
    about,
    bases,
    catalogue,
    deployments,
    environments,
    kernels,
    limits,
    operations,
    packages,
    revisions,
    secrets,
    snapshots,
)

_NOUNS = (
    about,
    bases,
    catalogue,
    deployments,
    environments,
    kernels,
    limits,
    operations,
    packages,
    revisions,
    secrets,
    snapshots,
)


def handlers() -> list[tuple[str, Any]]:
    """All routes: pattern below the server's base URL, and handler."""
    return [route for noun in _NOUNS for route in noun.default_handlers]
