"""What a server costs beside its speed: memory, the time to its first answer, its packages."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from .turns import Contender, running


def memory(pid: int) -> int:
    """Bytes of a process and all that it started; shared pages count once among them (PSS)."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(_pss(each) for each in family)


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def cold_start(contender: Contender) -> float:
    """Seconds from the command to its first answer, with nothing else started."""
    began = time.perf_counter()
    with running([contender]):
        return time.perf_counter() - began


def installed(python: Path) -> Mapping[str, int]:
    """Bytes on disk by distribution of an environment."""
    code = (
        "import importlib.metadata as m, os, json\n"
        "def size(d):\n"
        "    paths = {os.path.realpath(d.locate_file(f)) for f in d.files or ()}\n"
        "    return sum(os.path.getsize(p) for p in paths if os.path.isfile(p))\n"
        "print(json.dumps({d.metadata['Name'].lower(): size(d) for d in m.distributions()}))"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, int] = json.loads(done.stdout)
    return found


def added(python: Path, before: Path) -> str:
    """``52 packages, 110 MB``: what an environment has beyond another."""
    ours = installed(before)
    more = {name: size for name, size in installed(python).items() if name not in ours}
    return f"{len(more)} packages, {sum(more.values()) / 1e6:.0f} MB"
