"""Bodies for environments and revisions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import model_validator
from typing_extensions import Self

from ...core.environment import EnvironmentSpec
from .bodies import Request


class BuildRequest(Request):
    """What to build: ``spec`` as JSON, or ``spec_text`` as YAML."""

    spec: EnvironmentSpec | None = None
    spec_text: str = ""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.spec is None) == (not self.spec_text):
            raise ValueError("either spec or spec_text is needed, and not both")
        return self

    def asked(self, parse: Callable[[str, Path | None], EnvironmentSpec]) -> EnvironmentSpec:
        return self.spec if self.spec is not None else parse(self.spec_text, None)


class RevisionRequest(BuildRequest):
    """What to build: ``spec`` as JSON, ``spec_text`` as YAML, or ``from_kernel``."""

    from_kernel: str = ""
    """The id of a kernel: the active revision's specification and the packages that were
    installed in it."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.spec) + bool(self.spec_text) + bool(self.from_kernel) != 1:
            raise ValueError("one of spec, spec_text and from_kernel is needed")
        return self


class ImportRequest(Request):
    """What to import: the file at ``path``, or what the server itself runs on."""

    path: str = ""
    """As the file browser has it. Empty: the Python that the server runs on."""
    extras: list[str] = []
    """Of pyproject.toml, to take over."""
    groups: list[str] = []
    """Dependency groups of pyproject.toml, to take over."""


class ChangeEnvironment(Request):
    """What can be changed without a new revision."""

    description: str
