"""How long requests took, drawn with characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.latency import Latencies
    from .screen import Screen

_WIDTH = 40


def show_latencies(screen: Screen, took: Latencies) -> None:
    failed = f", {took.failed} failed" if took.failed else ""
    screen.note(
        f"{took.requests} requests{failed}: p50 {_ms(took.p50)}, p99 {_ms(took.p99)}, "
        f"{_ms(took.fastest)} to {_ms(took.slowest)}"
    )
    most = max(bar.count for bar in took.histogram)
    for bar in took.histogram:
        drawn = "█" * max(round(bar.count / most * _WIDTH), 1 if bar.count else 0)
        screen.note(f"{_ms(bar.until):>10}  {bar.count:>4}  {drawn}".rstrip())


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
