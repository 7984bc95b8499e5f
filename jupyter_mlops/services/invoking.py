"""Requests to what is deployed: one, or many to see how long they take."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Protocol

from ..core.deployment import Deployment, DeploymentState, Invocation
from ..core.errors import ConflictError, InvalidError
from ..core.latency import Latencies, latencies
from ..core.model_package import ModelPackage
from .deployment_records import DeploymentRecords
from .targets import Targets

MOST = 1000
"""Requests of one trial."""
_ASKED = (DeploymentState.RUNNING, DeploymentState.WRITTEN)
"""Of files, too: their target says where predictions come from instead."""


class Samples(Protocol):
    """What it needs of packaging."""

    async def get(self, package_id: str) -> ModelPackage: ...

    async def sample_body(self, package: ModelPackage) -> bytes: ...


class Invoking:
    """Sends requests by way of the target, as its own clients would."""

    def __init__(self, records: DeploymentRecords, targets: Targets, packaging: Samples) -> None:
        self._records = records
        self._targets = targets
        self._packaging = packaging

    async def invoke(
        self, deployment_id: str, body: bytes | None, content_type: str, accept: str, times: int
    ) -> tuple[Invocation, Latencies]:
        """The last answer, and how long all of them took, one after the other."""
        if not 1 <= times <= MOST:
            raise InvalidError(f"{times} requests are not possible.", f"Ask for 1 to {MOST}.")
        deployment = await self._records.get(deployment_id)
        if deployment.state not in _ASKED:
            raise ConflictError(
                f"The deployment {deployment.name!r} does not answer requests: it is "
                f"{deployment.state.value}. {deployment.message}".rstrip(),
                "Wait until it runs, or read its logs.",
            )
        if body is None:
            package = await self._packaging.get(deployment.package)
            body = await self._packaging.sample_body(package)
            content_type = content_type or package.sample.content_type
            accept = accept or package.sample.accept
        if not content_type:
            raise InvalidError(
                "The request has no content type.", "Say what it is: application/json, text/csv, …"
            )
        accept = accept or "application/json"
        answers = [await self._one(deployment, body, content_type, accept) for _ in range(times)]
        failed = sum(answer.status >= 400 for answer in answers)
        return answers[-1], latencies([answer.seconds for answer in answers], failed)

    async def _one(
        self, deployment: Deployment, body: bytes, content_type: str, accept: str
    ) -> Invocation:
        target = await self._targets.get(deployment.target)
        started = time.perf_counter()
        answer = await target.invoke(deployment, body, content_type, accept)
        if answer.seconds:
            return answer
        return replace(answer, seconds=round(time.perf_counter() - started, 6))
