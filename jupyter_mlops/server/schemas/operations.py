"""Answers about operations."""

from __future__ import annotations

from .bodies import Answer


class LogText(Answer):
    text: str
    """Empty when there is no more yet."""
    next: int
    """The offset, in bytes, to ask for next."""
