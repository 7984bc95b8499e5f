"""What a user chooses for a deployment on SageMaker; its JSON Schema draws the form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from ...core.errors import InvalidError

Kind = Literal["real-time", "serverless", "async", "batch", "registry"]
ROLE = re.compile(r"^arn:aws[a-z-]*:iam::(\d{12}):role/[\w+=,.@/-]+$")
_ENVIRONMENT_BYTES = 32 * 1024
_GRAVITON = re.compile(r"^ml\.[a-z]+\d+g[a-z]*\.")

DEFAULT_REPOSITORY = "sagemaker-mlops"
"""AWS's managed policy for SageMaker users allows pushing to names with ``sagemaker`` in them."""


class Options(BaseModel):
    # Limits are those of SageMaker's API.
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
    kind: Kind = Field(
        "real-time",
        title="Kind",
        description="Real-time runs on instances that are billed as long as they exist. "
        "Serverless is billed by use and starts slowly after a pause. Async takes requests and "
        "answers of up to 1 GB by way of S3. Batch predicts files in S3 once. Registry makes a "
        "version in the Model Registry, for others to approve and deploy.",
    )
    instance_type: str = Field(
        "ml.m5.large",
        title="Instance type",
        description="For real-time, async and batch.",
        pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$",
    )
    instance_count: int = Field(
        1,
        title="Instances",
        description="For real-time, async and batch; the least number where they are scaled.",
        ge=1,
        le=100,
    )
    max_instances: int = Field(
        0,
        title="Instances at most",
        description="For real-time endpoints: AWS scales up to so many. 0: no scaling.",
        ge=0,
        le=100,
    )
    requests_per_instance: int = Field(
        100,
        title="Requests a minute and instance",
        description="What scaling aims at.",
        ge=1,
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
    lifetime_hours: float = Field(
        0,
        title="Planned lifetime (hours)",
        description="When they have passed, lists remind you to delete the deployment; it is not "
        "deleted by itself. 0: no reminder.",
        ge=0,
        le=24 * 366,
    )
    capture: int = Field(
        0,
        title="Data capture (%)",
        description="For real-time endpoints: the share of requests and answers that AWS keeps "
        "in the bucket. 0: none.",
        ge=0,
        le=100,
    )
    rollout: Literal["all-at-once", "canary", "linear", "rolling"] = Field(
        "all-at-once",
        title="Way of updating",
        description="How an update replaces instances: a second fleet that gets all requests at "
        "once, first a part of them (canary), or more and more (linear); or the instances one "
        "batch after the other (rolling).",
    )
    rollout_percent: int = Field(
        50,
        title="Step of an update (%)",
        description="Of the capacity, for canary, linear and rolling.",
        ge=10,
        le=50,
    )
    rollout_wait: int = Field(
        60,
        title="Pause of an update (s)",
        description="Between its steps, in which the alarms are watched.",
        ge=0,
        le=3600,
    )
    rollback_alarms: list[str] = Field(
        default_factory=list,
        title="Alarms",
        description="Names of CloudWatch alarms: AWS undoes an update when one goes off.",
        max_length=10,
    )
    batch_input: str = Field(
        "",
        title="Batch input",
        description="For batch: an address in S3; every object below it is predicted.",
        pattern=r"^$|^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$",
    )
    batch_content_type: str = Field(
        "",
        title="Type of the batch input",
        description="Such as text/csv. Empty: that of the package's sample.",
        max_length=256,
    )
    batch_lines: bool = Field(
        False,
        title="Batch input is split into lines",
        description="For CSV and JSON lines: requests get some lines of a file at a time.",
    )
    group: str = Field(
        "",
        title="Model package group",
        description="For the registry; made if missing. Empty: the deployment's name.",
        pattern=r"^$|^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$",
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

    @model_validator(mode="after")
    def _fit(self) -> Options:
        """What only some kinds have."""
        for name in ("max_instances", "capture"):
            if getattr(self, name) and self.kind != "real-time":
                raise _unfit(name, f"is for real-time endpoints only, not {self.kind}")
        if self.kind == "batch" and _GRAVITON.match(self.instance_type):
            raise _unfit("instance_type", "is none of batch transform, which has no Graviton")
        if self.max_instances and self.max_instances < self.instance_count:
            raise _unfit("max_instances", f"is less than the {self.instance_count} of the start")
        if self.kind == "batch" and not self.batch_input:
            raise _unfit("batch_input", "is missing")
        if self.batch_input and self.kind != "batch":
            raise _unfit("batch_input", f"is for batch only, not {self.kind}")
        return self

    @property
    def account(self) -> str:
        """The AWS account that the role belongs to."""
        match = ROLE.match(self.role)
        return match.group(1) if match else ""

    @property
    def features(self) -> frozenset[str]:
        """What decides which calls a deployment makes."""
        scaling = {"scaling"} if self.max_instances else set()
        capture = {"capture"} if self.capture else set()
        return frozenset({self.kind, *scaling, *capture})

    def planned_end(self) -> str:
        """From now on; empty without a lifetime."""
        if not self.lifetime_hours:
            return ""
        end = datetime.now(timezone.utc) + timedelta(hours=self.lifetime_hours)
        return end.isoformat(timespec="seconds")

    @property
    def is_endpoint(self) -> bool:
        return self.kind in ("real-time", "serverless", "async")

    @property
    def thing(self) -> str:
        """What is created, in a word for people."""
        words = {"batch": "transform job", "registry": "version in the Model Registry"}
        return words.get(self.kind, "endpoint")

    @property
    def architecture(self) -> str:
        """What the machines of this endpoint run, in the words of image configs."""
        if self.kind in ("real-time", "async") and _GRAVITON.match(self.instance_type):
            return "arm64"
        return "amd64"


def _unfit(name: str, reason: str) -> PydanticCustomError:
    return PydanticCustomError("unfit", "{reason}", {"name": name, "reason": reason})


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
    fits = problem["type"] != "unfit"
    name = str(problem["loc"][0] if problem["loc"] else problem["ctx"]["name"])
    if problem["type"] == "extra_forbidden":
        return f"SageMaker has no option {name!r}.", f"Options: {', '.join(Options.model_fields)}."
    field = Options.model_fields[name]
    if problem["type"] == "missing":
        return f"The option {name!r} ({field.title}) is missing.", str(field.description)
    if not fits:
        return f"The option {name!r} ({field.title}) {problem['msg']}.", str(field.description)
    reason = str(problem["msg"]).removeprefix("Value error, ")
    return f"The option {name!r} ({field.title}): {reason}.", str(field.description)
