"""Environments on ``NAME@active``, built anew in the foreground, since the process then ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.revision import Built
    from .screen import Screen
    from .session import Session


@dataclass(frozen=True)
class Followed:
    """What became of one follower."""

    environment: str
    operation: str
    active: int
    """The revision that is active now."""
    previous: int
    error: str
    """Why it is not a new one; empty after a success."""
    changes: Sequence[str]
    """One line per package, from ``previous`` to the revision that was built."""


async def follow(session: Session, name: str) -> list[Followed]:
    """Build all that follow ``name``, and what follows those. A failure ends none of the others."""
    done: list[Followed] = []
    left = [(child, name) for child in await session.services.rebuilds.followers(name)]
    while left:
        child, parent = left.pop(0)
        session.screen.note(f"{child} starts from {parent}@active: building it again.")
        followed = await _one(session, child, parent)
        done.append(followed)
        if not followed.error and followed.active != followed.previous:
            following = await session.services.rebuilds.followers(child)
            left += [(grandchild, child) for grandchild in following]
    return done


async def _one(session: Session, name: str, parent: str) -> Followed:
    from ..core.errors import CancelledError, MlopsError

    services = session.services
    previous = (await services.environments.get(name)).active
    made: list[Built] = []
    error = ""
    try:
        made.append(
            await session.work(
                "build",
                name,
                lambda progress: services.rebuilds.rebuild(name, parent, progress),
                lambda built: built.result(),
            )
        )
    except CancelledError:
        raise
    except MlopsError as failure:
        error = str(failure)
    operation = session.operation.id if session.operation else ""
    active = (await services.environments.get(name)).active
    return Followed(
        environment=name,
        operation=operation,
        active=active,
        previous=previous,
        error=error,
        changes=made[0].changes.lines() if made else (),
    )


def show_followers(screen: Screen, followers: Sequence[Followed]) -> None:
    for one in followers:
        screen.line()
        if one.error:
            screen.line(f"{one.environment} stays at revision {one.active}. {one.error}", "yellow")
            continue
        screen.line(f"{one.environment} followed: revision {one.active} is active.")
        for line in one.changes:
            screen.line(f"  {line}")
