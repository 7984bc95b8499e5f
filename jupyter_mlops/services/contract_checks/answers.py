"""Whether an answer is the notebook's own."""

from __future__ import annotations

import json
import math
from typing import Any

TOLERANCE = 1e-9
"""Relative: the same program on another processor may differ in the last bits."""

_WRAPPERS = ("predictions", "result", "outputs", "instances")


def difference(expected: bytes, given: bytes, content_type: str) -> str:
    """Where two answers differ, in words; empty when they are the same.

    JSON by its values, everything else byte by byte.
    """
    if content_type.partition(";")[0].strip() not in ("application/json", ""):
        if expected == given or expected.strip() == given.strip():
            return ""
        return f"expected {_short(expected)}, got {_short(given)}"
    try:
        wanted = json.loads(expected)
    except ValueError as error:
        return f"the notebook's answer is not JSON: {error}"
    try:
        found = json.loads(given)
    except ValueError:
        return f"the answer is not JSON: {_short(given)}"
    # The notebook may have saved the bare predictions.
    if isinstance(found, dict) and not isinstance(wanted, dict) and len(found) == 1:
        key, inner = next(iter(found.items()))
        found = inner if key in _WRAPPERS else found
    return _differ(wanted, found, "")


def _differ(wanted: Any, found: Any, at: str) -> str:
    where = f" at {at}" if at else ""
    if _number(wanted) and _number(found):
        same = math.isclose(wanted, found, rel_tol=TOLERANCE, abs_tol=1e-12)
        return "" if same else f"expected {wanted!r}, got {found!r}{where}"
    if _nothing(wanted) and _nothing(found):
        return ""
    if isinstance(wanted, list) and isinstance(found, list):
        if len(wanted) != len(found):
            return f"expected {len(wanted)} values, got {len(found)}{where}"
        pairs: Any = zip(range(len(wanted)), wanted, found, strict=True)
        return next(filter(None, (_differ(a, b, f"{at}[{i}]") for i, a, b in pairs)), "")
    if isinstance(wanted, dict) and isinstance(found, dict):
        if wanted.keys() != found.keys():
            return f"expected the keys {sorted(wanted)}, got {sorted(found)}{where}"
        return next(
            filter(None, (_differ(wanted[k], found[k], f"{at}.{k}".strip(".")) for k in wanted)), ""
        )
    if type(wanted) is type(found) and wanted == found:
        return ""
    return f"expected {json.dumps(wanted)[:80]}, got {json.dumps(found)[:80]}{where}"


def _number(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and not (isinstance(value, float) and math.isnan(value))
    )


def _nothing(value: Any) -> bool:
    """JSON has no NaN: one side may have written it as null."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _short(content: bytes) -> str:
    text = content[:80].decode("utf-8", "replace").strip()
    return text + ("…" if len(content) > 80 else "")
