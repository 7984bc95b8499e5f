"""The log of a deployment as it grows, on targets that can only be asked for its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from ..core.deployment import Deployment
from ..core.ports import Target

_POLL_SECONDS = 1.0
_TAIL = 2000


async def follow(
    target: Target, deployment: Deployment, poll_seconds: float = _POLL_SECONDS
) -> AsyncIterator[str]:
    """Pieces of whole lines; does not end by itself."""
    known = target.follow_logs(deployment)
    if known is not None:
        async for text in known:
            yield text
        return
    seen: list[str] = []
    while True:
        lines = (await target.logs(deployment, _TAIL)).splitlines()
        new = lines[_overlap(seen, lines) :]
        if new:
            yield "\n".join(new) + "\n"
        seen = lines
        await asyncio.sleep(poll_seconds)


def _overlap(seen: list[str], lines: list[str]) -> int:
    """How many of ``lines`` at its beginning are the end of ``seen``: the most there can be."""
    for count in range(min(len(seen), len(lines)), 0, -1):
        if seen[-count:] == lines[:count]:
            return count
    return 0
