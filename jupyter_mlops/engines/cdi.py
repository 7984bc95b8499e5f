"""Graphics processors by the names that the Container Device Interface gives them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

STANDARD = ("/etc/cdi", "/var/run/cdi")
"""Folders of the specification, where an engine does not say its own."""


def graphics_processors(folders: Iterable[str]) -> tuple[str, ...]:
    """Names such as ``nvidia.com/gpu=0``, lowest first, of the specification files in these
    folders. Each processor once: it may have an index and a UUID, and ``all`` is none."""
    kinds: dict[str, set[str]] = {}
    for folder in folders:
        for file in sorted(Path(folder).glob("*")):
            found = _specification(file)
            kind = str(found.get("kind", ""))
            if kind.endswith("/gpu"):
                names = [str(one.get("name", "")) for one in _entries(found.get("devices"))]
                kinds.setdefault(kind, set()).update(name for name in names if name != "all")
    return tuple(f"{kind}={name}" for kind in sorted(kinds) for name in _once(kinds[kind]))


def _once(names: set[str]) -> list[str]:
    numbers = sorted((name for name in names if name.isdigit()), key=int)
    return numbers or sorted(names)


def _specification(file: Path) -> dict[str, Any]:
    """Empty for what is none, or cannot be read."""
    if file.suffix not in (".json", ".yaml", ".yml"):
        return {}
    try:
        found = yaml.safe_load(file.read_text())  # JSON is YAML, too.
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _entries(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
