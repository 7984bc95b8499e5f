"""Phases prepare and python: the virtual environment, and the locked packages in it."""

from __future__ import annotations

import re

from ...core.layout import ENV_PREFIX
from .container import CACHE, GUEST, PYTHON, UV, BuildContainer
from .failures import python_failed
from .resolve import LOCK, use, with_index


async def prepare(container: BuildContainer, python: str) -> None:
    """Make ``/opt/env``, unless the base is an environment and has one."""
    if python != PYTHON:
        await container.run(
            "prepare", f'{UV} venv -q --python "$1" {ENV_PREFIX}', python,
            failed=python_failed("prepare"),
        )  # fmt: skip


async def install(container: BuildContainer, *, keep_others: bool) -> None:
    """Install the lock. ``keep_others``: packages of a parent's setup script stay."""

    def on_line(line: str) -> None:
        found = re.match(r"\s*(Downloading|Building) (\S+)(?: \((.*)\))?", line)
        if found:
            size = f" ({found[3]})" if found[3] else ""
            container.progress.update(f"{found[1]} {found[2]}{size}")
        elif line.startswith("Prepared"):
            container.progress.update("Installing files")

    _, lock, _ = await container.ask(f"cat {LOCK}")
    await use(container, with_index(lock, container.settings.network.index_url))
    command = f"install -r {LOCK}" if keep_others else f"sync {LOCK}"
    await container.run(
        "python",
        f"{UV} pip {command} --python {PYTHON}",
        on_line=on_line,
        failed=python_failed("python"),
    )
    container.progress.update("Compiling")
    await container.run(
        "python",
        f"{PYTHON} -I -B - {CACHE}/bytecode",
        stdin=(GUEST / "bytecode.py").read_bytes(),
    )
