"""What a user chooses for a deployment on this machine; its JSON Schema draws the form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...core.errors import InvalidError


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", title="This machine")

    port: int = Field(
        0,
        title="Port",
        description="Where it answers on this machine. 0 takes a free one.",
        ge=0,
        le=65535,
    )
    memory: int = Field(
        4096,
        title="Memory (MB)",
        description="More than this ends a worker; it is started again.",
        ge=64,
        le=1024 * 1024,
    )
    workers: int = Field(
        0,
        title="Workers",
        description="Processes that hold the model. 0: as many as processors and memory allow.",
        ge=0,
        le=256,
    )
    restart: bool = Field(
        False,
        title="Keep it running",
        description="Start it again when it ends, and when this machine starts.",
    )


def parse(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Options:
    """Validated options; raises InvalidError that names the field."""
    try:
        return Options.model_validate({**defaults, **given})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "options"
        known = ", ".join(Options.model_fields)
        if first["type"] == "extra_forbidden":
            raise InvalidError(
                f"This machine has no option {field!r}.", f"Options: {known}."
            ) from None
        raise InvalidError(
            f"The option {field!r} cannot be {first['input']!r}: {first['msg']}.",
            f"{Options.model_fields[field].description}" if field in Options.model_fields else "",
        ) from None
