"""Bodies for snapshots."""

from __future__ import annotations

from pydantic import Field

from .bodies import Request


class CreateSnapshot(Request):
    """Freeze the container of a running kernel."""

    kernel: str
    """The kernel's id."""
    name: str = Field(min_length=1, max_length=80)
    note: str = ""
    exclude: tuple[str, ...] = ()
    """Paths of the project that stay out."""


class PublishSnapshot(Request):
    project: str = ""
    """``registry/team/name``; the configured one when empty."""
    allow: tuple[str, ...] = ()
    """Paths with findings that may travel all the same."""


class OpenSnapshot(Request):
    directory: str = Field(min_length=1)
    """Where its files are put, below the folder that Jupyter shows."""


class ReproduceSnapshot(Request):
    into: str = Field(min_length=1)
    """A new folder, below the folder that Jupyter shows."""
    network: bool = False
    """Whether the notebooks may reach the network."""
