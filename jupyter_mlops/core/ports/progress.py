"""How a use case tells what it is doing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """How a use case tells what it is doing. All methods return at once."""

    def phase(self, name: str, message: str = "") -> None:
        """A new step begins; the one before has ended."""
        ...

    def update(self, message: str = "", fraction: float | None = None) -> None:
        """Within the phase."""
        ...

    def log(self, text: str) -> None:
        """Raw output for the log, as it comes."""
        ...
