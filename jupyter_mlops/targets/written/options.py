"""What all targets that write files ask for, and how a form's answers are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ...core.errors import InvalidError

Chosen = TypeVar("Chosen", bound="FileOptions")


class FileOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")

    folder: str = Field(
        title="Folder",
        description="A new folder for the files, such as ~/exports/churn. Relative ones are below "
        "the folder where Jupyter, or the command, was started.",
        min_length=1,
    )

    @field_validator("folder")
    @classmethod
    def _folder(cls, value: str) -> str:
        # Absolute from here on: whoever deletes it may have been started elsewhere.
        return str(Path(value.strip()).expanduser().absolute())

    @property
    def place(self) -> Path:
        """Where the files will be."""
        return Path(self.folder)


def schema(model: type[FileOptions], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """JSON Schema of the form; what an admin has answered is not required any more."""
    drawn = model.model_json_schema()
    for name, value in defaults.items():
        if name in drawn["properties"]:
            drawn["properties"][name]["default"] = value
    required = [n for n in drawn.get("required", []) if "default" not in drawn["properties"][n]]
    drawn["required"] = required
    return drawn


def parse(
    model: type[Chosen], title: str, given: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Chosen:
    """Validated options; raises InvalidError that names the field and says what it is."""
    # An empty field of a form is one left alone.
    chosen = {name: value for name, value in given.items() if value not in ("", None)}
    try:
        return model.model_validate({**defaults, **chosen})
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0]) if problem["loc"] else "options"
        if problem["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields)
            raise InvalidError(f"{title} has no option {name!r}.", f"Options: {known}.") from None
        field = model.model_fields.get(name)
        what = f"{name!r} ({field.title})" if field else f"{name!r}"
        hint = str(field.description) if field else ""
        if problem["type"] == "missing":
            raise InvalidError(f"The option {what} is missing.", hint) from None
        reason = str(problem["msg"]).removeprefix("Value error, ")
        raise InvalidError(f"The option {what}: {reason}.", hint) from None
