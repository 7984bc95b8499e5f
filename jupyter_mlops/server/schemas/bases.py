"""Bodies for base images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from ...core.environment import check_name
from .bodies import Request


class CreateBase(Request):
    """Make a base image from distribution packages or a Dockerfile, or pull one."""

    kind: Literal["debian", "pull", "dockerfile"]
    name: str
    suite: str = Field("bookworm", pattern=r"^[a-z]+$")
    packages: tuple[str, ...] = ()
    """Distribution packages beyond Python, for ``debian``."""
    ref: str = ""
    """The image to pull, for ``pull``."""
    path: str = ""
    """The Dockerfile, or the folder it is in, as the file browser has it, for ``dockerfile``."""
    text: str = Field("", max_length=1_000_000)
    """The Dockerfile itself in place of ``path``; no files are beside it."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        check_name(self.name, "base image")
        if self.kind == "pull" and not self.ref:
            raise ValueError("which image is to be pulled is missing: say ref")
        if self.kind == "dockerfile" and bool(self.path) == bool(self.text.strip()):
            raise ValueError("a Dockerfile is needed: say path or text, and not both")
        return self
