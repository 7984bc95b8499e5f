"""One measured line, and how it is shown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    row: str
    """What was measured."""
    ours: str
    peer: str
    theirs: str
    ratio: str
    bar: str
    met: bool

    def dump(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Ratio:
    """Ours by theirs, of each round: median and range."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    def __str__(self) -> str:
        return f"{self.median:.2f} ({min(self.rounds):.2f} to {max(self.rounds):.2f})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    return Ratio(tuple(a / b for a, b in zip(ours, theirs, strict=True)))


def table(rows: Sequence[Row]) -> str:
    """Markdown, with a mark for each bar."""
    head = ("row", "ours", "peer", "theirs", "ratio", "bar", "met")
    cells = [head, *((r.row, r.ours, r.peer, r.theirs, r.ratio, r.bar, _mark(r)) for r in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = [
        "| "
        + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        + " |"
        for line in cells
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def _mark(row: Row) -> str:
    return ("yes" if row.met else "NO") if row.bar else ""
