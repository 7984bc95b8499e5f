"""What is new in the end of a log that was asked for again."""

from __future__ import annotations

import pytest

from jupyter_mlops.services.deployment_logs import _overlap


@pytest.mark.parametrize(
    ("seen", "lines", "known"),
    [
        ("", "ab", 0),
        ("ab", "ab", 2),
        ("ab", "abc", 2),
        ("abc", "cd", 1),
        ("aab", "abaa", 2),
        ("abc", "xyz", 0),
        ("abc", "", 0),
    ],
)
def test_only_new_lines_are_new(seen: str, lines: str, known: int) -> None:
    assert _overlap(list(seen), list(lines)) == known
