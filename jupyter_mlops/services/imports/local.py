"""Capture the Python that this server runs on."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

from ...core.additions import LeftOut
from ...core.errors import InvalidError
from ...core.imported import Imported
from ...core.inventory import Package
from ..build_steps.container import GUEST
from .parts import PYTHON_REASON

_CONDA_BUILD = re.compile(r"/(?:feedstock_root|croot|conda-bld|rattler-build[^/]*)/")
"""Where conda built a package: it says nothing about where this one came from."""
_OURS = "jupyter-mlops"


async def capture(python: Path | None = None) -> Imported:
    """Everything that is installed in an interpreter's environment, in those versions."""
    executable = str(python or sys.executable)
    process = await asyncio.create_subprocess_exec(
        *(executable, "-I", "-B", "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    answer, _ = await process.communicate((GUEST / "probe.py").read_bytes())
    if process.returncode != 0:
        raise InvalidError(f"What is installed for {executable} cannot be listed.")
    found = json.loads(answer)
    packages = [Package(**item) for item in found["packages"] if item["ecosystem"] == "pypi"]
    taken: list[str] = []
    left: list[LeftOut] = []
    for package in packages:
        reason = _reason(package)
        if reason:
            left.append(LeftOut(package.name, reason))
        else:
            taken.append(f"{package.name}=={package.version}")
    left.append(LeftOut(f"Python {found['python']}", PYTHON_REASON))
    left.append(LeftOut("system packages", "The base image has its own; add those that you need."))
    return Imported(source=executable, python=tuple(taken), left_out=tuple(left))


def _reason(package: Package) -> str:
    if package.name == _OURS:
        return "It runs beside the server, not in environments."
    if package.source and not _CONDA_BUILD.search(package.source):
        return f"It was installed from {package.source}, not from a package index."
    if package.patched:
        return "Its files were edited after it was installed, which no index can give."
    if not package.version:
        return "Its version is not known."
    return ""
