"""One deployment being made or changed: what its steps share, and the record of what they make."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ...core.deployment import Deployment, Resource
from ...core.errors import MlopsError
from ...core.model_package import ModelPackage
from ...core.ports import Blobs, Engine, Progress
from .client import Aws
from .endpoints import Endpoints
from .images import Images, Place
from .names import as_list, object_name, tags
from .options import Options
from .plain_words import MissingError

_CONSISTENT_SECONDS = 30.0
"""AWS may answer for a while that it does not know what it has just made."""

T = TypeVar("T")


@dataclass
class Job:
    """``deployment`` is the record as it was last saved."""

    aws: Aws
    images: Images
    endpoints: Endpoints
    engine: Engine
    blobs: Blobs
    package: ModelPackage
    deployment: Deployment
    options: Options
    progress: Progress
    save: Callable[[Deployment], Any]
    poll_seconds: float
    generation: int = 1
    """Which update of the deployment this is."""
    place: Place | None = None
    """Where the image went, once that is known."""

    @property
    def object_name(self) -> str:
        """Of what this generation makes."""
        return object_name(self.deployment, self.generation)

    async def made(self, kind: str, name: str, kept: bool = False) -> None:
        """Recorded before it is made: a record too many is harmless, a thing too many is not."""
        await self.record(resources=(*self.deployment.resources, Resource(kind, name, kept)))

    async def not_made(self) -> None:
        """The last one was refused."""
        await self.record(resources=self.deployment.resources[:-1])

    async def record(self, **changes: Any) -> None:
        self.deployment = replace(self.deployment, **changes)
        await self.save(self.deployment)

    async def make(
        self, kind: str, name: str, service: str, operation: str, **parameters: Any
    ) -> dict[str, Any]:
        """Make one thing by one call; it is recorded first, and not any more if AWS refuses."""
        await self.made(kind, name)
        try:
            answer = await self.eventually(lambda: self.aws.call(service, operation, **parameters))
        except MlopsError:
            await self.not_made()
            raise
        self.progress.log(f"made {kind} {name}\n")
        return answer

    async def eventually(self, work: Callable[[], Awaitable[T]]) -> T:
        """Repeated for a while when AWS does not know what was made a moment ago."""
        until = time.monotonic() + _CONSISTENT_SECONDS
        while True:
            try:
                return await work()
            except MissingError:
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(min(self.poll_seconds, 2.0))

    def tags(self) -> list[dict[str, str]]:
        """For SageMaker's objects."""
        return as_list(tags(self.deployment, self.package))
