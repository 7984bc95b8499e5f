"""Sizes, times and lists as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from ..core.inventory import Change, InventoryDiff
from .screen import Screen


def size(count: float) -> str:
    """``1.2 GB``, in powers of 1000 as disks and downloads are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def moment(text: str) -> str:
    """A stored time on this machine's clock."""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return text


def since(text: str, now: datetime | None = None) -> str:
    """A stored time as ``3 h ago`` or ``in 2 d``; nothing for nothing."""
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return text
    seconds = (then - (now or datetime.now(timezone.utc))).total_seconds()
    count, unit = abs(seconds) / 60, "min"
    for size, larger in ((60, "h"), (24, "d")):
        if count < size:
            break
        count, unit = count / size, larger
    span = f"{count:.0f} {unit}"
    return f"in {span}" if seconds > 0 else f"{span} ago"


def is_past(text: str) -> bool:
    try:
        return datetime.fromisoformat(text) < datetime.now(timezone.utc)
    except ValueError:
        return False


def digest(text: str) -> str:
    """Short enough to read, long enough to compare."""
    return text.removeprefix("sha256:")[:12]


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(words: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(words[:most])
    return f"{shown} and {len(words) - most} more" if len(words) > most else shown


def read_diff(groups: Mapping[str, Sequence[Mapping[str, str]]]) -> InventoryDiff:
    """A diff as an operation's result has it."""
    return InventoryDiff(**{k: tuple(Change(**one) for one in v) for k, v in groups.items()})


def show_diff(screen: Screen, diff: InventoryDiff, empty: str = "No change.") -> None:
    """One line per package: ``+`` added, ``-`` removed, ``~`` changed, ``!`` edited."""
    for line in diff.lines():
        screen.line(line, {"+": "green", "-": "red"}.get(line[0], "yellow"))
    screen.line(empty if diff.empty else f"{diff.summary()}.")
