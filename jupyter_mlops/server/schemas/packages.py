"""Bodies for model packages."""

from __future__ import annotations

from pydantic import BaseModel, Field

from ...core.model_package import Batching, Handler
from .bodies import Request


class CreatePackage(Request):
    """Paths are those of the snapshot's files."""

    snapshot: str
    name: str
    model: tuple[str, ...] = Field(min_length=1)
    handler: Handler
    sample: str
    """A file with a request."""
    expected: str = ""
    """A file with the notebook's own prediction for it."""
    content_type: str = ""
    """Of the sample; guessed from its name when empty."""
    also: tuple[str, ...] = ()
    """The sample in other content types."""
    batching: Batching = Batching()


class ApprovePackage(Request):
    """Who approves is who is logged in."""

    note: str = ""


class ModelCard(BaseModel):
    markdown: str
    """With the front matter of the Hugging Face Hub's model cards."""


class ExportModel(Request):
    """Variables of a live kernel."""

    name: str
    """Of the model, and of the folder below ``exported/`` that it is written to."""
    model: str
    sample: str
    """Its first rows become the recorded request."""
