"""CloudWatch's log as it grows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from .client import Aws
from .plain_words import MissingError

_BEFORE_SECONDS = 600
"""How far back it begins."""


async def follow(aws: Aws, group: str, prefix: str, poll_seconds: float) -> AsyncIterator[str]:
    """Pieces of whole lines, oldest first, of all containers; does not end by itself. A group
    that is not there yet is waited for."""
    since = int((time.time() - _BEFORE_SECONDS) * 1000)
    tokens: dict[str, str] = {}
    while True:
        events: list[dict[str, Any]] = []
        for stream in await _streams(aws, group, prefix):
            events += await _newer(aws, group, stream, tokens, since)
        events.sort(key=lambda event: int(event["timestamp"]))
        if events:
            yield "".join(event["message"].rstrip("\n") + "\n" for event in events)
        await asyncio.sleep(poll_seconds)


async def _streams(aws: Aws, group: str, prefix: str) -> list[str]:
    chosen = {"logStreamNamePrefix": prefix} if prefix else {}
    try:
        found = await aws.call("logs", "describe_log_streams", logGroupName=group, **chosen)
    except MissingError:
        return []
    return [stream["logStreamName"] for stream in found["logStreams"]]


async def _newer(
    aws: Aws, group: str, stream: str, tokens: dict[str, str], since: int
) -> list[dict[str, Any]]:
    """What came since the last time; ``tokens`` remembers how far each stream was read."""
    events: list[dict[str, Any]] = []
    while True:
        token = tokens.get(stream)
        page = await aws.call(
            "logs",
            "get_log_events",
            logGroupName=group,
            logStreamName=stream,
            startFromHead=True,
            **({"nextToken": token} if token else {"startTime": since}),
        )
        events += page["events"]
        tokens[stream] = page["nextForwardToken"]
        # The same token again is CloudWatch's way of saying that there is no more.
        if not page["events"] or tokens[stream] == token:
            return events
