"""Phase smoke: a notebook that must run to its end before a revision becomes active."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any

from ..core.environment import EnvironmentSpec
from ..core.errors import InvalidError, KernelDeadError, NotFoundError
from ..core.ports import Blobs, NotebookRunner, Progress
from ..core.revision import Revision, SmokeResult
from ..core.settings import Settings
from .notebook_files import kernel_for, parse_notebook

CELL_SECONDS = 600.0
"""How long one cell may take."""
_MOST_TEXT = 4000
"""Characters of one output that the log gets."""
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Smoke:
    def __init__(self, settings: Settings, blobs: Blobs, notebooks: NotebookRunner) -> None:
        self._folder = settings.data / "smoke"
        self._blobs = blobs
        self._notebooks = notebooks

    async def taken(self, spec: EnvironmentSpec, folder: Path | None) -> EnvironmentSpec:
        """The specification with the notebook that is in ``folder`` now, else with the one that
        it was taken with before. Its content is kept, since builds come later, too, when a
        parent changes. Raises InvalidError where there is none at all."""
        if not spec.smoke:
            return spec
        file = folder / spec.smoke if folder else None
        if file and file.is_file():
            return replace(spec, smoke_notebook=await self._take(file))
        if not await self._known(spec.smoke_notebook):
            raise InvalidError(
                f"smoke: there is no notebook {spec.smoke!r}."
                f"{f' It is looked for at {file}.' if file else ''}",
                "Its path begins in the specification's folder, or, in JupyterLab, in the folder "
                "that the file browser shows first.",
            )
        return spec

    async def _take(self, file: Path) -> str:
        """Returns the content's digest; raises InvalidError for what is no notebook."""
        content = await asyncio.to_thread(file.read_bytes)
        try:
            cells = json.loads(content)["cells"]
        except (ValueError, KeyError, TypeError):
            raise InvalidError(
                f"smoke: {file.name} is not a notebook.", "Save it in Jupyter, and try again."
            ) from None
        if not any(cell.get("cell_type") == "code" for cell in cells):
            raise InvalidError(f"smoke: {file.name} has no code cell, so it tests nothing.")
        return await self._blobs.put(content)

    async def run(
        self, revision: Revision, spec: EnvironmentSpec, progress: Progress
    ) -> SmokeResult:
        """Run it in a container of the revision, whose kernel spec is installed.

        In an empty folder: nothing beside it could be kept for later builds. Outputs go to the
        log. Errors that are not the notebook's are raised.
        """
        name = PurePosixPath(spec.smoke).name
        progress.phase("smoke", f"Running {name} in revision {revision.number}")
        folder = self._folder / uuid.uuid4().hex
        await asyncio.to_thread(folder.mkdir, 0o700, True)
        notebook = folder / name
        message = ""

        def on_cell(index: int, total: int, seconds: float) -> None:
            progress.update(f"Cell {index} of {total}: {seconds:.1f} s", index / total)

        try:
            content = await self._blobs.get(spec.smoke_notebook)
            notebook.write_bytes(content)
            parsed = await asyncio.to_thread(parse_notebook, content)
            await self._notebooks.run(
                notebook,
                kernel_name=kernel_for(parsed, name, revision),
                output=notebook,
                timeout=CELL_SECONDS,
                allow_errors=False,
                on_cell=on_cell,
            )
        except (InvalidError, KernelDeadError) as error:
            message = _COLOUR.sub("", error.message)
        finally:
            for line in _outputs(notebook):
                progress.log(line)
            await asyncio.to_thread(shutil.rmtree, folder, True)
        return SmokeResult(
            notebook=spec.smoke_notebook,
            passed=not message,
            ended=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            message=message,
        )

    async def _known(self, digest: str) -> bool:
        try:
            return bool(digest and await self._blobs.get(digest))
        except NotFoundError:
            return False


def _outputs(notebook: Path) -> Iterator[str]:
    """Texts of what the code cells put out, each with the number of its cell."""
    try:
        cells = json.loads(notebook.read_bytes())["cells"]
    except (OSError, ValueError, KeyError):
        return
    for number, cell in enumerate((c for c in cells if c.get("cell_type") == "code"), start=1):
        texts = [text for output in cell.get("outputs", ()) if (text := _text(output))]
        if texts:
            yield f"-- cell {number}\n"
        yield from (text.rstrip("\n")[:_MOST_TEXT] + "\n" for text in texts)


def _text(output: dict[str, Any]) -> str:
    if output.get("output_type") == "error":
        lines = output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"]
        found: Any = "\n".join(lines)
    else:
        found = output.get("text") or output.get("data", {}).get("text/plain", "")
    return _COLOUR.sub("", "".join(found))
