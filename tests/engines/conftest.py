"""Containers of one test, removed when it ends."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from jupyter_mlops.core.layout import LABEL_KIND, LABEL_OWNER
from jupyter_mlops.core.ports import ContainerSpec, Engine
from tests.parts.engines import OWNER, run_apart, tiny_image

Make = Callable[..., Awaitable[str]]
_numbers = itertools.count()
FOREVER = ("sleep", "1000000")
LABELS = {LABEL_KIND: "check", LABEL_OWNER: OWNER}


@pytest.fixture
def tiny(engine: Engine) -> str:
    """Image id of BusyBox."""
    return run_apart(tiny_image(engine))


def spec(image: str, *command: str, **changes: Any) -> ContainerSpec:
    values: dict[str, Any] = {
        "image": image,
        "name": f"{OWNER}-{next(_numbers)}",
        "labels": LABELS,
        "command": command or FOREVER,
        "network": "none",
        **changes,
    }
    return ContainerSpec(**values)


@pytest.fixture
def make(engine: Engine, tiny: str) -> Iterator[Make]:
    """``await make(*command, start=True, **fields of the specification)`` returns its id."""
    made: list[str] = []

    async def make_container(*command: str, start: bool = True, **changes: Any) -> str:
        changes.setdefault("image", tiny)
        container = await engine.create(spec(changes.pop("image"), *command, **changes))
        made.append(container)
        if start:
            await engine.start(container)
        return container

    yield make_container

    async def clean() -> None:
        for container in made:
            await engine.remove(container)

    run_apart(clean())
