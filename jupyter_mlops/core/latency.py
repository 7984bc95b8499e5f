"""How long requests took, in numbers and as a histogram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_BARS = 12


@dataclass(frozen=True)
class Bar:
    """Requests that took up to ``until`` seconds, and longer than the bar before says."""

    until: float
    count: int


@dataclass(frozen=True)
class Latencies:
    """Times in seconds."""

    requests: int
    failed: int
    """Of these, answered with a status of 400 or more."""
    fastest: float
    p50: float
    p99: float
    slowest: float
    histogram: tuple[Bar, ...]
    """Bars of the same ratio: one slow request leaves the others apart."""


def latencies(seconds: Sequence[float], failed: int) -> Latencies:
    """Of at least one request."""
    ordered = sorted(seconds)
    return Latencies(
        requests=len(ordered),
        failed=failed,
        fastest=ordered[0],
        p50=_percentile(ordered, 0.5),
        p99=_percentile(ordered, 0.99),
        slowest=ordered[-1],
        histogram=_histogram(ordered),
    )


def _percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest time that at least this share of the requests did not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _histogram(ordered: Sequence[float]) -> tuple[Bar, ...]:
    # A clock may say 0 for a request; nothing is faster than a microsecond.
    low, high = max(ordered[0], 1e-6), max(ordered[-1], 1e-6)
    if low == high:
        return (Bar(high, len(ordered)),)
    step = (high / low) ** (1 / _BARS)
    edges = [low * step**number for number in range(1, _BARS)] + [high]
    counts = [0] * _BARS
    bar = 0
    for value in ordered:
        while bar < _BARS - 1 and value > edges[bar]:
            bar += 1
        counts[bar] += 1
    return tuple(Bar(edge, count) for edge, count in zip(edges, counts, strict=True))
