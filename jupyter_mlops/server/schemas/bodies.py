"""The bases of all bodies, and how what is wrong with a request is told."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ...core.errors import InvalidError


class Request(BaseModel):
    """A body that may have no other fields than these: a misspelt one is never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Answer(BaseModel):
    """A body that is no noun of the core."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


Body = TypeVar("Body", bound=BaseModel)


def read(model: type[Body], given: Any) -> Body:
    """Raises InvalidError that names each wrong field in one sentence."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidError(
            " ".join(_told(problem) for problem in error.errors()[:5]),
            "Correct the named fields, then send the request again.",
        ) from error


def _told(problem: Any) -> str:
    field = ".".join(str(part) for part in problem["loc"]) or "The body"
    message = str(problem["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{field}: {message[:1].lower()}{message[1:]}."
