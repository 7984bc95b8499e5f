"""The report of a reproduction: what was checked, level by level and cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    SAME = "same"
    DIFFERENT = "different"
    FAILED = "failed"
    """The cell raised, and had not when the snapshot was made."""
    NOT_RUN = "not_run"


@dataclass(frozen=True)
class Level:
    """One line of the report: L0 image, L1 inventory, L2 runs, L3 same outputs."""

    level: str
    title: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class CellReport:
    index: int
    """Of the code cell in the notebook, from 0, counting all cells."""
    verdict: Verdict
    source: str
    """Its first line."""
    seconds: float = 0.0
    difference: str = ""
    """A unified diff of the sanitised outputs, or the error."""


@dataclass(frozen=True)
class NotebookReport:
    path: str
    cells: tuple[CellReport, ...]


@dataclass(frozen=True)
class ReproduceReport:
    snapshot: str
    directory: str
    """Where the files were put."""
    created: str
    levels: tuple[Level, ...]
    notebooks: tuple[NotebookReport, ...]

    @property
    def passed(self) -> bool:
        return all(level.passed for level in self.levels)

    def reaches(self, level: str) -> bool:
        """Whether every level up to this one passed; ``L2``, for instance."""
        return all(found.passed for found in self.levels if found.level <= level)

    def verdict(self) -> str:
        """``Same results in 12 of 13 cells.``"""
        cells = [c for n in self.notebooks for c in n.cells]
        same = sum(c.verdict is Verdict.SAME for c in cells)
        return f"Same results in {same} of {len(cells)} cells."
