"""Containers that end with the work they are for, and how those are found that did not."""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from ..core.errors import EngineUnavailableError
from ..core.layout import LABEL_KIND, LABEL_OWNER
from ..core.ports import Engine
from .ending import to_the_end

KINDS = ("build", "probe", "check")

_active: set[str] = set()
"""Names of the containers that this process is using."""


def temporary_name(kind: str) -> str:
    """A name for a container that ends with the work it is for; its kind is one of
    ``KINDS``. It tells which process it belongs to, for ``remove_left``."""
    name = f"mlops-{kind}-{_place()}-{os.getpid()}-{uuid4().hex[:8]}"
    _active.add(name)
    return name


async def remove_temporary(engine: Engine, name: str, container: str = "") -> None:
    """Remove it, also while this task is cancelled and when it was never made."""
    try:
        await to_the_end(_removed(engine, container or name))
    finally:
        _active.discard(name)


async def remove_left(engine: Engine, owner: str) -> int:
    """Remove temporary containers whose process is gone, or could not remove them since the
    engine went away; returns how many.

    Only containers made on this machine are judged: process ids mean nothing elsewhere.
    """
    removed = 0
    for kind in KINDS:
        for found in await engine.list({LABEL_KIND: kind, LABEL_OWNER: owner}):
            name = found.name.lstrip("/")
            parts = name.split("-")
            if len(parts) != 5 or parts[2] != _place() or not parts[3].isdigit():
                continue
            pid = int(parts[3])
            if name not in _active if pid == os.getpid() else not _lives(pid):
                await engine.remove(found.id)
                removed += 1
    return removed


async def _removed(engine: Engine, container: str) -> None:
    # Where the engine stopped in the middle, the next build removes it by its label.
    with suppress(EngineUnavailableError):
        await engine.remove(container)


def _place() -> str:
    """Where process ids are comparable: this boot of this machine, this pid namespace."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return hashlib.sha256(f"{socket.gethostname()} {namespace}".encode()).hexdigest()[:8]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
