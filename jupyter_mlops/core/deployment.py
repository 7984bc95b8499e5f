"""Deployments: a model package running on a target."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class DeploymentState(str, Enum):
    CREATING = "creating"
    RUNNING = "running"
    WRITTEN = "written"
    """It exists as files, for people elsewhere; nothing of it runs here."""
    FAILED = "failed"
    STOPPED = "stopped"
    DELETING = "deleting"
    COMPLETED = "completed"
    """A batch job that has ended well."""
    REGISTERED = "registered"
    """In a registry of models, for others to deploy."""


@dataclass(frozen=True)
class Resource:
    kind: str
    """Such as ``container``, ``ecr-image``, ``s3-object``, ``model``, ``endpoint``."""
    name: str
    kept: bool = False
    """True where delete leaves it: shared with others, such as a repository."""


@dataclass(frozen=True)
class Deployment:
    id: str
    """``d-`` and 16 hex digits."""
    name: str
    owner: str
    created: str
    package: str
    target: str
    options: dict[str, Any]
    state: DeploymentState
    endpoint: str = ""
    """Where it answers: a URL, or an endpoint's name. Of one that is written: where its files
    are."""
    status: str = ""
    """The target's own word: ``InService``, ``:8081``."""
    message: str = ""
    resources: tuple[Resource, ...] = ()
    """Everything the target made for it, oldest first: what delete takes away."""
    details: dict[str, Any] = field(default_factory=dict)
    planned_end: str = ""
    """When it was meant to end (ISO 8601): a reminder; nothing is deleted by itself."""
    cost: str = ""
    """Of an hour, for people: ``0.256 USD an hour``, ``by use``, ``unknown``."""
    can_update: bool = False
    """Whether it can get another package or other options while it runs."""
    can_roll_back: bool = False
    """Whether there is a former package, with its options, to go back to."""
    can_review: bool = False
    """Whether it waits to be approved, or can be approved or rejected again."""
    can_stop: bool = False
    """Whether its target can stop it, and start it again without making it anew."""


@dataclass(frozen=True)
class Invocation:
    """One answered request."""

    status: int
    content_type: str
    body: bytes
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What a deployment will create, before it does."""

    steps: tuple[str, ...]
    resources: tuple[Resource, ...]
    cost: str = ""
    """Per hour, if known."""


@dataclass(frozen=True)
class Policy:
    """Rights that somebody needs for a deployment, as the target writes them."""

    name: str
    """``caller``, ``execution-role``, ``trust``."""
    title: str
    document: dict[str, Any]


@dataclass(frozen=True)
class TargetInfo:
    name: str
    title: str
    description: str
    options: dict[str, Any]
    """JSON Schema of the options: the form in the browser is drawn from it."""
    problems: tuple[str, ...] = ()
    """Why it cannot be used now; each says what to do."""
