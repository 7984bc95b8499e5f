"""What kernels were started by, remembered from one Jupyter server to the next."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from .starting import Plan

_PLANS = TypeAdapter(tuple[Plan, ...])


def read_plans(file: Path) -> tuple[Plan, ...]:
    """The least recently used first; none when there is no such file, or another version's.

    Without the process's environment, which may hold credentials of package indexes.
    """
    try:
        return _PLANS.validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return ()


def write_plans(file: Path, plans: Iterable[Plan]) -> None:
    """Raises OSError."""
    kept = tuple(replace(plan, process={}) for plan in plans)
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    partial.write_text(json.dumps(_PLANS.dump_python(kept, mode="json"), indent=1))
    partial.replace(file)
