"""Models that are variables of a live kernel: which there are, and writing one down."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

from ..core.environment import check_name
from ..core.errors import ConflictError
from ..core.live_model import LiveExport, LiveModels, ModelVariable, SampleVariable
from ..core.ports import LiveKernels
from .ending import to_the_end
from .kernels import Kernels
from .package_files import SCHEMA

FOLDER = "exported"
"""Below the project's folder: so what is exported is in the next snapshot, and in version control
if the user wants that."""


class LiveModelExports:
    """Use cases of models that were never saved."""

    def __init__(self, *, kernels: Kernels, live: LiveKernels) -> None:
        self._kernels = kernels
        self._live = live

    async def survey(self, kernel_id: str) -> LiveModels:
        """Variables of the kernel that can be exported, and those that can be requests to them.

        Raises as ``ports.LiveKernels``.
        """
        found = await self._live.ask(await self._kernels.record(kernel_id), "survey")
        return LiveModels(
            tuple(
                ModelVariable(m["name"], m["kind"], m["description"], tuple(m["features"]))
                for m in found["models"]
            ),
            tuple(SampleVariable(**sample) for sample in found["samples"]),
        )

    async def export(self, kernel_id: str, model: str, sample: str, name: str) -> LiveExport:
        """Write the variable ``model`` to ``exported/<name>`` of the project, with a handler, the
        first rows of ``sample``, and what the notebook itself predicts for them.

        What an earlier export wrote there is replaced, all of it or nothing. Raises ConflictError
        for a folder that no export wrote, and as ``ports.LiveKernels``.
        """
        check_name(name, "model package")
        record = await self._kernels.record(kernel_id)
        project = Path(record.project)
        target = project / FOLDER / name
        await asyncio.to_thread(_check, target)
        # Beside its later place, where the container can write, too.
        partial = target.with_name(f".{name}.{token_hex(4)}")
        try:
            written = await self._live.ask(
                record, "export", model=model, sample=sample, folder=str(partial), stem="model"
            )
            await asyncio.to_thread(_replace, partial, target)
        finally:
            await to_the_end(asyncio.to_thread(shutil.rmtree, partial, True))
        export = LiveExport(**{**written, "model": (), "samples": ()})
        below = f"{FOLDER}/{name}"
        return replace(
            export,
            model=tuple(f"{below}/{file}" for file in written["model"]),
            samples=tuple(f"{below}/{file}" for file in written["samples"]),
            handler=f"{below}/{export.handler}",
            sample=f"{below}/{export.sample}",
            expected=f"{below}/{export.expected}",
        )


def _check(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not (target / SCHEMA).is_file()):
        raise ConflictError(
            f"{target} is there already, and is no exported model.",
            "Choose another name, or move it away.",
        )


def _replace(partial: Path, target: Path) -> None:
    before = target.with_name(f"{partial.name}.before")
    with suppress(FileNotFoundError):
        target.rename(before)
    try:
        partial.rename(target)
    except OSError:
        with suppress(FileNotFoundError):
            before.rename(target)
        raise
    shutil.rmtree(before, ignore_errors=True)
