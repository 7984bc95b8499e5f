"""HTTP to a container on this machine."""

from __future__ import annotations

import json
import time

import httpx

from ...core.deployment import Invocation
from ...core.errors import TargetError

_PROBE = 2.0
_ANSWER = 90.0
"""Seconds; longer than the container lets a prediction take, so that its own answer is seen."""


def _client(timeout: float) -> httpx.AsyncClient:
    # No proxy, and no TLS set up that is not used: it takes longer than a prediction.
    return httpx.AsyncClient(timeout=timeout, trust_env=False, verify=False)


async def probe(port: int) -> tuple[int, str]:
    """Status of ``/ping``, 0 where nothing answers, and what it says."""
    try:
        async with _client(_PROBE) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/ping")
    except httpx.HTTPError as error:
        return 0, str(error)
    return answer.status_code, _reason(answer.text)


async def invoke(port: int, body: bytes, content_type: str, accept: str) -> Invocation:
    """One prediction. Raises TargetError where nothing answers."""
    headers = {"Content-Type": content_type, "Accept": accept}
    began = time.perf_counter()
    try:
        async with _client(_ANSWER) as client:
            began = time.perf_counter()
            answer = await client.post(
                f"http://127.0.0.1:{port}/invocations", content=body, headers=headers
            )
    except httpx.HTTPError as error:
        raise TargetError(
            f"Nothing answers on port {port} of this machine: {error or type(error).__name__}.",
            "Look at the deployment's logs.",
        ) from None
    seconds = round(time.perf_counter() - began, 6)
    return Invocation(
        answer.status_code, answer.headers.get("content-type", ""), answer.content, seconds
    )


def _reason(text: str) -> str:
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:300]
