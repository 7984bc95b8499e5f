"""Bodies for deployments."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ...core.deployment import Invocation
from ...core.latency import Latencies
from .bodies import Answer, Request


class CreateDeployment(Request):
    package: str
    target: str
    name: str = ""
    """The package's own name when empty."""
    options: dict[str, Any] = Field(default_factory=dict)
    """As the target's schema has them."""


class UpdateDeployment(Request):
    package: str = ""
    """The one that it has when empty."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Those that change."""


class Review(Request):
    approved: bool
    note: str = Field("", max_length=1024)


class Invoke(Request):
    body: str | None = None
    """The package's recorded sample when missing."""
    content_type: str = ""
    accept: str = ""
    times: int = Field(1, ge=1, le=1000)
    """Of the same request, one after the other."""


class InvocationAnswer(Answer):
    """How a deployment answered one request."""

    status: int
    content_type: str
    body: str
    """Bytes that are no text are shown as replacement characters."""
    seconds: float
    latencies: Latencies
    """Of all requests, where there were several; the rest is of the last."""

    @classmethod
    def of(cls, invocation: Invocation, latencies: Latencies) -> InvocationAnswer:
        return cls(
            status=invocation.status,
            content_type=invocation.content_type,
            body=invocation.body.decode(errors="replace"),
            seconds=invocation.seconds,
            latencies=latencies,
        )


class Logs(Answer):
    text: str
