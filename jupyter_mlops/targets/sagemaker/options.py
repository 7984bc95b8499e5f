"""What a user chooses for a deployment on SageMaker; its JSON Schema draws the form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ...core.errors import InvalidError

ROLE = re.compile(r"^arn:aws[a-z-]*:iam::(\d{12}):role/[\w+=,.@/-]+$")
_ENVIRONMENT_BYTES = 32 * 1024
_GRAVITON = re.compile(r"^ml\.[a-z]+\d+g[a-z]*\.")

DEFAULT_REPOSITORY = "sagemaker-mlops"
"""AWS's managed policy for SageMaker users allows pushing to names with ``sagemaker`` in them."""


class Options(BaseModel):
    """Limits are those of SageMaker's API."""

    model_config = ConfigDict(extra="forbid", title="Amazon SageMaker")

    region: str = Field(
        title="Region",
        description="The AWS region to run in, such as eu-west-1.",
        pattern=r"^[a-z]{2}(-[a-z]+)+-\d$",
    )
    role: str = Field(
        title="Execution role",
        description="ARN of the IAM role that SageMaker runs the model with: "
        "arn:aws:iam::123456789012:role/NAME.",
    )
    kind: Literal["real-time", "serverless"] = Field(
        "real-time",
        title="Kind of endpoint",
        description="Real-time runs on instances that are billed as long as they exist. "
        "Serverless is billed by use and starts slowly after a pause.",
    )
    instance_type: str = Field(
        "ml.m5.large",
        title="Instance type",
        description="For real-time endpoints.",
        pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$",
    )
    instance_count: int = Field(
        1, title="Instances", description="For real-time endpoints.", ge=1, le=100
    )
    memory: Literal[1024, 2048, 3072, 4096, 5120, 6144] = Field(
        2048, title="Memory (MB)", description="For serverless endpoints."
    )
    concurrency: int = Field(
        5,
        title="Requests at once",
        description="For serverless endpoints: more are refused.",
        ge=1,
        le=200,
    )
    bucket: str = Field(
        "",
        title="S3 bucket",
        description="Where the model files go. Empty: sagemaker-REGION-ACCOUNT, made if missing.",
        pattern=r"^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
    )
    repository: str = Field(
        DEFAULT_REPOSITORY,
        title="Image repository",
        description="Repository in Amazon ECR for the image; made if missing.",
        pattern=r"^[a-z0-9]+([._/-][a-z0-9]+)*$",
        max_length=256,
    )
    variables: dict[str, str] = Field(
        default_factory=dict,
        title="Environment variables",
        description="Set in the container. Anyone who may look at the model sees them: "
        "no secrets here.",
        max_length=100,
    )

    @field_validator("role")
    @classmethod
    def _role(cls, value: str) -> str:
        if not ROLE.match(value):
            raise ValueError(
                "must be the ARN of an IAM role, such as arn:aws:iam::123456789012:role/NAME"
            )
        return value

    @field_validator("variables")
    @classmethod
    def _variables(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not re.match(r"^[a-zA-Z_][a-zA-Z0-9_]*$", name):
                raise ValueError(f"{name!r} cannot be the name of a variable")
            if max(len(name.encode()), len(text.encode())) > 1024:
                raise ValueError(f"{name} is longer than 1024 bytes")
        if sum(len((k + v).encode()) for k, v in value.items()) > _ENVIRONMENT_BYTES:
            raise ValueError("together they are larger than 32 kB")
        return value

    @property
    def account(self) -> str:
        """The AWS account that the role belongs to."""
        match = ROLE.match(self.role)
        return match.group(1) if match else ""

    @property
    def features(self) -> frozenset[str]:
        """What decides which calls a deployment makes."""
        return frozenset({self.kind})

    @property
    def architecture(self) -> str:
        """What the machines of this endpoint run, in the words of image configs."""
        if self.kind == "real-time" and _GRAVITON.match(self.instance_type):
            return "arm64"
        return "amd64"


def schema(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """JSON Schema of the options; a field that an admin or AWS's own configuration answers is
    not required any more."""
    drawn = Options.model_json_schema()
    for name, value in defaults.items():
        if name in drawn["properties"] and value:
            drawn["properties"][name]["default"] = value
    required = [n for n in drawn.get("required", []) if "default" not in drawn["properties"][n]]
    drawn["required"] = required
    return drawn


def parse(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Options:
    """Validated options; raises InvalidError with the field's title."""
    known = {name: value for name, value in defaults.items() if name in Options.model_fields}
    # An empty field of a form is one left alone.
    chosen = {name: value for name, value in given.items() if value not in ("", None)}
    try:
        return Options.model_validate({**known, **chosen})
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidError(*_explain(first)) from error


def _explain(problem: Any) -> tuple[str, str]:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        return f"SageMaker has no option {name!r}.", f"Options: {', '.join(Options.model_fields)}."
    field = Options.model_fields[name]
    if problem["type"] == "missing":
        return f"The option {name!r} ({field.title}) is missing.", str(field.description)
    reason = str(problem["msg"]).removeprefix("Value error, ")
    return f"The option {name!r} ({field.title}): {reason}.", str(field.description)
