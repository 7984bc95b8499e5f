"""Times as people read them."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from jupyter_mlops.cli.words import is_past, since

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-03-01T11:30:00+00:00", "30 min ago"),
        ("2026-03-01T09:00:00+00:00", "3 h ago"),
        ("2026-02-20T12:00:00+00:00", "9 d ago"),
        ("2026-03-01T14:00:00+00:00", "in 2 h"),
        ("", ""),
    ],
)
def test_how_long_ago(text: str, said: str) -> None:
    assert since(text, NOW) == said


def test_the_past() -> None:
    assert is_past("2026-01-01T00:00:00+00:00")
    assert not is_past("2999-01-01T00:00:00+00:00")
    assert not is_past("")
