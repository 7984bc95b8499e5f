"""Which project a request means."""

from __future__ import annotations

from ..core.errors import InvalidError


def project_or(asked: str, default: str) -> str:
    """The project asked for, else the configured one; raises InvalidError without either."""
    project = asked.strip() or default
    if not project:
        raise InvalidError(
            "No project is named, and none is configured.",
            "Name one as registry.example.com/team/project, or set c.Mlops.project.",
        )
    return project
