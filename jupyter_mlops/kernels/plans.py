"""What kernels were started by, remembered from one Jupyter server to the next."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from .starting import Plan


@cache
def _adapter() -> Any:
    # Not at import: kernels that no server starts need none of it.
    from pydantic import TypeAdapter

    return TypeAdapter(tuple[Plan, ...])


def read_plans(file: Path) -> tuple[Plan, ...]:
    """The least recently used first; none when there is no such file, or another version's.

    Without the process's environment, which may hold credentials of package indexes.
    """
    try:
        found: tuple[Plan, ...] = _adapter().validate_json(file.read_bytes())
    except (OSError, ValueError):
        return ()
    return found


def write_plans(file: Path, plans: Iterable[Plan]) -> None:
    """Raises OSError."""
    kept = tuple(replace(plan, process={}) for plan in plans)
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    partial.write_text(json.dumps(_adapter().dump_python(kept, mode="json"), indent=1))
    partial.replace(file)
