"""Metrics that a notebook logged: what its cells showed as ``METRICS``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

METRICS = "application/vnd.jupyter-mlops.metrics+json"
"""Of an output that says numbers by name: ``display({METRICS: {"accuracy": 0.93}}, raw=True)``."""


@dataclass(frozen=True)
class Metric:
    name: str
    value: float
    notebook: str
    """Where it was logged: the path in the project, and"""
    cell: int
    """the cell's index, from 0, counting all cells."""


def of_notebook(path: str, content: bytes) -> list[Metric]:
    """Of the outputs that are in the file, in order; empty for a file that is no notebook."""
    try:
        cells = json.loads(content)["cells"]
    except (ValueError, KeyError, TypeError):
        return []
    found = []
    for index, cell in enumerate(cells):
        for output in cell.get("outputs", ()) if isinstance(cell, Mapping) else ():
            data = output.get("data") or {}
            found += [Metric(name, value, path, index) for name, value in _numbers(data)]
    return found


def newest(metrics: list[Metric]) -> list[Metric]:
    """Of each name the last one."""
    return list({metric.name: metric for metric in metrics}.values())


def _numbers(data: Mapping[str, Any]) -> list[tuple[str, float]]:
    said = data.get(METRICS)
    if isinstance(said, (str, list)):  # As some tools write JSON.
        try:
            said = json.loads(said if isinstance(said, str) else "".join(said))
        except (ValueError, TypeError):
            return []
    if not isinstance(said, Mapping):
        return []
    return [
        (str(name), float(value))
        for name, value in said.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    ]
