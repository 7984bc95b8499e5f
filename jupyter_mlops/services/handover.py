"""How a kernel changes hands, in two files of its private folder.

The folder is outside of what the container sees. They hold the kernel's key, so only their user
may read them. None of it is in the container or its image.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..core.handover import Launch, SessionRow, Use
from .processes import runs

_LAUNCH = "launch.json"
_USE = "use.json"


def write_launch(folder: Path, launch: Launch) -> None:
    _write(folder / _LAUNCH, asdict(launch))


def read_launch(folder: Path) -> Launch | None:
    """None when there is none, or none that this version can read."""
    found = _read(folder / _LAUNCH)
    try:
        return Launch(**{**found, "arguments": tuple(found["arguments"])})
    except (KeyError, TypeError):
        return None


def write_use(folder: Path, use: Use) -> None:
    """Does nothing when the kernel is gone, and its folder with it."""
    if folder.is_dir():
        _write(folder / _USE, asdict(use))


def read_use(folder: Path) -> Use:
    """Empty when there is none, or none that this version can read."""
    found = _read(folder / _USE)
    try:
        return Use(tuple(SessionRow(**row) for row in found["sessions"]), found["last_activity"])
    except (KeyError, TypeError):
        return Use()


def waiting(runtime: Path, server: str) -> bool:
    """Whether kernels of the server on this root folder seem to wait for the next one.

    Quick, for the start of a server: reads no more than a small file for each kernel.
    """
    found = (read_launch(file.parent) for file in runtime.glob(f"*/{_LAUNCH}"))
    return any(
        launch is not None and launch.server == server and not _another_lives(launch.pid)
        for launch in found
    )


def _another_lives(pid: int) -> bool:
    # In a container of its own a server has the same number after every restart.
    return pid not in (0, os.getpid()) and runs(pid)


def _write(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file)
    partial.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
