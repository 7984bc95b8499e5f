"""Where model packages run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

from ..deployment import Deployment, Invocation, Plan, Policy
from ..errors import UnsupportedError
from ..model_package import ModelPackage
from ..snapshot import Snapshot
from .progress import Progress


class Target(ABC):
    """A place where model packages run. Registered by entry point ``jupyter_mlops.targets_v1``."""

    name: str
    title: str
    description: str

    @abstractmethod
    def options_schema(self) -> dict[str, Any]:
        """JSON Schema with titles, descriptions and defaults."""

    @abstractmethod
    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Validated, with defaults filled in; raises InvalidError naming the field."""

    @abstractmethod
    async def check(self) -> list[str]:
        """Why the target cannot be used now, each with what to do; empty when it can."""

    @abstractmethod
    async def plan(self, package: ModelPackage, name: str, options: Mapping[str, Any]) -> Plan: ...

    def policies(self, name: str, options: Mapping[str, Any]) -> tuple[Policy, ...]:
        """The least rights for a deployment of that name (empty: any). Raises
        UnsupportedError where the target knows no rights."""
        raise UnsupportedError(f"Deploying to {self.title} needs no rights that could be printed.")

    @abstractmethod
    async def deploy(
        self,
        package: ModelPackage,
        deployment: Deployment,
        progress: Progress,
        save: Callable[[Deployment], Any],
    ) -> Deployment:
        """Create everything; ``save`` is awaited after each resource, so that a crash leaves a
        record of it. On failure what was made is deleted, newest first, and the error raised."""

    @abstractmethod
    async def describe(self, deployment: Deployment) -> Deployment:
        """With its live state."""

    @abstractmethod
    async def invoke(
        self, deployment: Deployment, body: bytes, content_type: str, accept: str
    ) -> Invocation: ...

    async def update(
        self,
        package: ModelPackage,
        deployment: Deployment,
        options: Mapping[str, Any],
        progress: Progress,
        save: Callable[[Deployment], Any],
    ) -> Deployment:
        """Another package or other options for a deployment that ``can_update``; it goes on
        answering meanwhile. ``save`` as in ``deploy``. On failure it is as it was before."""
        raise _cannot(self, "update a deployment")

    async def roll_back(
        self,
        package: ModelPackage,
        deployment: Deployment,
        progress: Progress,
        save: Callable[[Deployment], Any],
    ) -> Deployment:
        """Back to what it was before its last update, for one that ``can_roll_back``; ``package``
        is the one that it had."""
        raise _cannot(self, "go back to a former version of a deployment")

    async def review(self, deployment: Deployment, approved: bool, note: str) -> Deployment:
        """Approve or reject one that ``can_review``."""
        raise _cannot(self, "approve or reject this deployment")

    async def stop(self, deployment: Deployment, progress: Progress) -> Deployment:
        """End what runs, and keep what was made; for a deployment that ``can_stop``."""
        raise _cannot_stop(self)

    async def start(self, deployment: Deployment, progress: Progress) -> Deployment:
        """Run what was stopped; returns once it answers."""
        raise _cannot_stop(self)

    @abstractmethod
    async def delete(self, deployment: Deployment, progress: Progress) -> None: ...

    def follow_logs(self, deployment: Deployment) -> AsyncIterator[str] | None:
        """The log as it grows, in pieces of whole lines; None where ``logs`` has to be asked
        again and again."""
        return None

    @abstractmethod
    async def logs(self, deployment: Deployment, tail: int = 200) -> str: ...


def _cannot(target: Target, what: str) -> UnsupportedError:
    return UnsupportedError(
        f"{target.title} cannot {what}.",
        "Deploy the package under another name, and delete this deployment.",
    )


def _cannot_stop(target: Target) -> UnsupportedError:
    return UnsupportedError(
        f"{target.title} cannot stop a deployment and start it again.",
        "Delete it, and deploy the package again when it is needed.",
    )


class PackageRecords(Protocol):
    """Where a package comes from, for targets that write it down."""

    async def snapshot(self, package: ModelPackage) -> Snapshot:
        """What it was made of; raises NotFoundError."""
        ...

    async def sbom(self, package: ModelPackage) -> bytes:
        """A CycloneDX 1.6 bill of materials (JSON) of everything in the package's image."""
        ...
