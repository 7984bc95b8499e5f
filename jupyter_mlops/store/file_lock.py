"""A lock between processes of one machine."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Held until the block ends, or the process: the system releases it then."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
