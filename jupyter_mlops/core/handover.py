"""What a Jupyter server needs to take over a kernel that outlived the one before.

Two files in the kernel's private folder, outside of what its container sees. They hold the
kernel's key, so only their user may read them. None of it is in the container or its image.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_LAUNCH = "launch.json"
_USE = "use.json"


@dataclass(frozen=True)
class Launch:
    """How the kernel was started; written by who started it, anew at every restart."""

    kernel_name: str
    key: str
    """Signs the messages of this kernel."""
    signature_scheme: str
    cwd: str
    environment: dict[str, str]
    """What a restart needs of the server's environment: the allow-list, no credentials."""
    arguments: tuple[str, ...]
    """Added to the kernel spec's command."""
    server: str
    """The root folder of the Jupyter server."""
    pid: int
    """Of that server; 0 after it has let go of the kernel. A hint: the store decides."""


@dataclass(frozen=True)
class SessionRow:
    """A session of Jupyter Server."""

    id: str
    path: str
    name: str
    type: str


@dataclass(frozen=True)
class Use:
    """Who uses the kernel; written by the Jupyter server."""

    sessions: tuple[SessionRow, ...] = ()
    last_activity: str = ""
    """ISO 8601; empty when it is not known."""


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
    if pid in (0, os.getpid()):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


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
