"""The targets that are installed; each is loaded when it is first used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import anyio

from ..core.deployment import TargetInfo
from ..core.errors import MlopsError, NotFoundError, UnsupportedError
from ..core.ports import Target

ANSWER_SECONDS = 15.0
"""A list is not held up longer than this by a target that does not answer."""


class Targets:
    """By name."""

    def __init__(self, makers: Mapping[str, Callable[[], Target]]) -> None:
        self._makers = makers
        self._made: dict[str, Target] = {}

    async def all(self) -> list[TargetInfo]:
        """In the order of a list to choose from; also those that cannot be used now, and why."""
        return list(await asyncio.gather(*(self._info(name) for name in self._makers)))

    async def _info(self, name: str) -> TargetInfo:
        try:
            target = await self.get(name)
            schema = await anyio.to_thread.run_sync(target.options_schema)
        except MlopsError as error:
            return TargetInfo(name, name, "", {}, (str(error),))
        try:
            problems = await asyncio.wait_for(target.check(), ANSWER_SECONDS)
        except asyncio.TimeoutError:
            problems = [f"{target.title} does not answer. Check the network, then try again."]
        except MlopsError as error:
            problems = [str(error)]
        return TargetInfo(name, target.title, target.description, schema, tuple(problems))

    async def schema(self, name: str) -> dict[str, Any]:
        """JSON Schema of one target's options."""
        target = await self.get(name)
        return await anyio.to_thread.run_sync(target.options_schema)

    async def get(self, name: str) -> Target:
        if name not in self._makers:
            known = ", ".join(sorted(self._makers)) or "none is installed"
            raise NotFoundError(f"There is no target {name!r}.", f"Targets: {known}.")
        if name not in self._made:
            try:
                # Importing a target may read a large library from disk.
                made = await anyio.to_thread.run_sync(self._makers[name])
            except ImportError as error:
                raise UnsupportedError(
                    f"The target {name!r} cannot be loaded: {error}.",
                    "Install what is missing, then restart.",
                ) from error
            self._made.setdefault(name, made)
        return self._made[name]
