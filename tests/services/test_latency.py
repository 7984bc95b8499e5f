"""Percentiles and bars of how long requests took."""

from __future__ import annotations

import pytest

from jupyter_mlops.core.latency import latencies


def test_numbers_of_a_hundred() -> None:
    took = latencies([n / 1000 for n in range(100, 0, -1)], failed=2)
    assert (took.requests, took.failed) == (100, 2)
    assert (took.fastest, took.p50, took.p99, took.slowest) == (0.001, 0.05, 0.099, 0.1)
    assert sum(bar.count for bar in took.histogram) == 100
    edges = [bar.until for bar in took.histogram]
    assert edges == sorted(edges)
    assert edges[-1] == took.slowest


def test_one_slow_request_leaves_the_others_apart() -> None:
    took = latencies([0.010, 0.012, 0.014, 0.016, 0.020, 4.0], failed=0)
    counts = [bar.count for bar in took.histogram]
    assert counts[-1] == 1
    assert sum(1 for count in counts if count) >= 3


@pytest.mark.parametrize("seconds", [[0.5], [0.5, 0.5, 0.5], [0.0, 0.0]])
def test_all_the_same_is_one_bar(seconds: list[float]) -> None:
    took = latencies(seconds, failed=0)
    assert [bar.count for bar in took.histogram] == [len(seconds)]
    assert took.p50 == took.p99 == seconds[0]
