"""Bodies for the catalogue."""

from __future__ import annotations

from .bodies import Request


class OpenPublished(Request):
    project: str = ""
    """``registry/team/name``; the configured one when empty."""
    id: str
    """The snapshot's."""
    directory: str = ""
    """Where its files are put, below the folder that Jupyter shows; nowhere when empty."""
