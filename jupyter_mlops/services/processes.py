"""Whether a process that left a record is still the same one."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path


def runs(pid: int) -> bool:
    """Whether there is such a process, of whomever."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def started_after(pid: int, moment: str) -> bool | None:
    """Whether the process began after ``moment`` (ISO 8601): then it is another one that got
    the number again. None when there is no such process."""
    if not runs(pid):
        return None
    began = _start_time(pid)
    # Records have whole seconds, and the kernel's clock may differ from ours by a little.
    return began is not None and began > datetime.fromisoformat(moment).timestamp() + 2


def _start_time(pid: int) -> float | None:
    """Seconds since the epoch; None where the system does not tell (no /proc)."""
    try:
        # The name in parentheses may hold spaces; field 22 is the start in clock ticks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = next(
            int(line.split()[1])
            for line in Path("/proc/stat").read_text().splitlines()
            if line.startswith("btime ")
        )
    except (OSError, StopIteration):
        return None
    return boot + int(fields[19]) / os.sysconf("SC_CLK_TCK")
