"""Bodies for base images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from ...core.environment import check_name
from .bodies import Request


class CreateBase(Request):
    """Make a base image from distribution packages, or pull one from a registry."""

    kind: Literal["debian", "pull"]
    name: str
    suite: str = Field("bookworm", pattern=r"^[a-z]+$")
    packages: tuple[str, ...] = ()
    """Distribution packages beyond Python, for ``debian``."""
    ref: str = ""
    """The image to pull, for ``pull``."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        check_name(self.name, "base image")
        if self.kind == "pull" and not self.ref:
            raise ValueError("which image is to be pulled is missing: say ref")
        return self
