"""Reproducing: run a snapshot's notebooks again in its image, and compare what comes out."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from pydantic import TypeAdapter, ValidationError

from ..core import outputs
from ..core.errors import InvalidError, KernelDeadError, NotFoundError
from ..core.inventory import InventoryDiff, diff
from ..core.outputs import RecordedNotebook
from ..core.ports import Blobs, EngineProvider, KernelSpecs, NotebookRunner, Progress, Store
from ..core.reproduction import CellReport, Level, NotebookReport, ReproduceReport, Verdict
from ..core.settings import Settings
from ..core.snapshot import Snapshot
from .bundles import read_outputs
from .ending import to_the_end
from .notebook_files import language, read_notebook, write_notebook
from .workspaces import remove_contents

if TYPE_CHECKING:
    from .snapshots import Snapshots

REPORT = "reproduce-report.json"
"""In the folder into which a snapshot was reproduced."""
SUFFIX = ".reproduced.ipynb"
"""Of the notebook as it came out, beside the one that was recorded."""

_REPORT: TypeAdapter[ReproduceReport] = TypeAdapter(ReproduceReport)


class Reproducing:
    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        engines: EngineProvider,
        blobs: Blobs,
        snapshots: Snapshots,
        notebooks: NotebookRunner,
        kernel_specs: KernelSpecs,
    ) -> None:
        self._settings = settings
        self._engines = engines
        self._snapshots = snapshots
        self._notebooks = notebooks
        self._kernel_specs = kernel_specs

    async def reproduce(
        self, snapshot_id: str, into: Path, progress: Progress, network: bool = False
    ) -> ReproduceReport:
        """Unpack into ``into`` (new or empty), run every notebook, compare cell by cell.

        A cell that fails or differs is a result, not an error. Without ``network`` the notebooks
        reach nothing. The report is written to ``into`` and kept for ``latest``. Raises
        ConflictError where ``into`` has files, NotFoundError where the image is not here; the
        folder is left as it was then, and when this is cancelled.
        """
        snapshot = await self._snapshots.get(snapshot_id)
        into, existed = await anyio.to_thread.run_sync(lambda: (into.absolute(), into.exists()))
        progress.phase("files", f"Unpacking {snapshot.name} into {into}")
        await self._snapshots.unpack(snapshot, into)
        try:
            report = await self._reproduce(snapshot, into, progress, network)
            await self._keep(report, into)
        except BaseException:
            await to_the_end(_clear(into, existed))
            raise
        progress.update(report.verdict(), 1.0)
        return report

    async def latest(self, snapshot_id: str) -> ReproduceReport | None:
        """The newest report of a snapshot that was reproduced here."""
        snapshot = await self._snapshots.get(snapshot_id)
        try:
            return _REPORT.validate_json(self._file(snapshot.id).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    async def _reproduce(
        self, snapshot: Snapshot, into: Path, progress: Progress, network: bool
    ) -> ReproduceReport:
        progress.phase("image", "Comparing the image's digest")
        levels = [await self._image_level(snapshot)]
        progress.phase("inventory", "Listing what is installed in a fresh container")
        changed = diff(
            await self._snapshots.inventory(snapshot), await self._snapshots.probe(snapshot)
        )
        levels.append(
            Level(
                "L1",
                "The same packages",
                changed.empty,
                "The inventory is the recorded one." if changed.empty else _changes(changed),
            )
        )
        paths = [p for p in snapshot.workspace.notebooks if not p.endswith(SUFFIX)]
        recorded = read_outputs(await self._snapshots.member(snapshot, "outputs"))
        kernel = self._kernel_specs.install_snapshot(snapshot)
        reports, failures = [], []
        started = time.monotonic()
        for number, path in enumerate(paths, 1):
            progress.phase("run", f"{path} ({number} of {len(paths)})")
            run = _Run(into / path, snapshot.language)
            # A HOME of its own: nothing that an earlier run left there takes part.
            with TemporaryDirectory(prefix="reproduce-", dir=self._settings.runtime) as home:
                failure = await run.run(self._notebooks, kernel, network, Path(home), progress)
            if failure:
                failures.append(f"{path}: {failure}")
            compared = await anyio.to_thread.run_sync(run.compare, recorded.get(path))
            reports.append(NotebookReport(path, compared))
        levels += _run_levels(reports, failures, time.monotonic() - started, network)
        return ReproduceReport(
            snapshot=snapshot.id,
            directory=str(into),
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            levels=tuple(levels),
            notebooks=tuple(reports),
        )

    async def _image_level(self, snapshot: Snapshot) -> Level:
        engine = await self._engines.engine()
        tagged = await engine.image(snapshot.ref) if snapshot.ref else None
        if await engine.image(snapshot.image) is None:
            title = (await engine.info()).title
            raise NotFoundError(
                f"The image of the snapshot {snapshot.name} is not in {title}.",
                "Open the snapshot again from its catalogue or file: that brings the image.",
            )
        moved = tagged is not None and tagged.id != snapshot.image
        return Level(
            "L0",
            "The same image",
            not moved,
            f"{snapshot.ref} is another image by now: {tagged.id}."
            if moved and tagged
            else f"{snapshot.image}",
        )

    async def _keep(self, report: ReproduceReport, into: Path) -> None:
        content = _REPORT.dump_json(report, indent=1)

        def write() -> None:
            (into / REPORT).write_bytes(content)
            file = self._file(report.snapshot)
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(".partial")
            partial.write_bytes(content)
            partial.replace(file)

        await anyio.to_thread.run_sync(write)

    def _file(self, snapshot_id: str) -> Path:
        return self._settings.data / "reports" / f"{snapshot_id}.json"


class _Run:
    """One notebook: the file that was recorded, and the copy that is run."""

    def __init__(self, file: Path, snapshot_language: str) -> None:
        self._file = file
        self._copy = file.with_name(file.stem + SUFFIX)
        self._language = snapshot_language.lower()
        self._seconds: dict[int, float] = {}
        """By the cell's number among code cells, from 1."""

    async def run(
        self, runner: NotebookRunner, kernel: str, network: bool, home: Path, progress: Progress
    ) -> str:
        """Returns what went wrong, empty when every cell did as it had done before."""
        notebook = await anyio.to_thread.run_sync(read_notebook, self._file)
        if notebook is None:
            return "is not a notebook."
        written_in = language(notebook)
        if written_in != self._language:
            return f"is written in {written_in}; the snapshot's kernel speaks {self._language}."
        # A cell that showed an error on purpose does so again; others must not.
        failed = any(outputs.error(cell) for _, cell in outputs.code_cells(notebook))
        await anyio.to_thread.run_sync(write_notebook, self._copy, _cleared(notebook))

        def on_cell(number: int, total: int, seconds: float) -> None:
            self._seconds[number] = seconds
            progress.update(f"{self._file.name}: cell {number} of {total}", number / total)

        try:
            await runner.run(
                self._copy,
                kernel_name=kernel,
                output=self._copy,
                timeout=None,
                allow_errors=failed,
                on_cell=on_cell,
                extra={
                    "limits": {"network": "outbound" if network else "none"},
                    "home": str(home),
                },
            )
        except (InvalidError, KernelDeadError) as error:
            return error.message
        return ""

    def compare(self, recorded: RecordedNotebook | None) -> tuple[CellReport, ...]:
        """The report of each code cell (blocks)."""
        before, after = read_notebook(self._file), read_notebook(self._copy)
        if before is None:
            return ()
        hashes = {cell.index: cell.outputs for cell in recorded.cells} if recorded else {}
        cells = after["cells"] if after is not None else []
        numbers = _numbers(before)
        return tuple(
            _cell_report(
                index,
                cell,
                cells[index] if index < len(cells) else None,
                hashes.get(index, ""),
                self._seconds.get(numbers[index], 0.0),
            )
            for index, cell in outputs.code_cells(before)
        )


def _cell_report(
    index: int,
    before: Mapping[str, Any],
    after: Mapping[str, Any] | None,
    recorded: str,
    seconds: float,
) -> CellReport:
    source = outputs.joined(before["source"]).strip().split("\n")[0][:120]

    def report(verdict: Verdict, difference: str = "") -> CellReport:
        return CellReport(index, verdict, source, round(seconds, 3), difference)

    if after is None or not outputs.was_run(after):
        return report(Verdict.NOT_RUN, "It was not reached.")
    raised = outputs.error(after)
    if raised and not outputs.error(before):
        return report(Verdict.FAILED, raised)
    if not outputs.was_run(before):
        return report(Verdict.NOT_RUN, "It had not been run when the snapshot was made.")
    now = outputs.outputs(after)
    if outputs.digest(now) == recorded:
        return report(Verdict.SAME)
    # The hash may be of an older version's rules; the recorded outputs themselves are here.
    difference = outputs.difference(outputs.outputs(before), now)
    return report(Verdict.DIFFERENT, difference) if difference else report(Verdict.SAME)


def _run_levels(
    reports: list[NotebookReport], failures: list[str], seconds: float, network: bool
) -> list[Level]:
    verdicts = [cell.verdict for report in reports for cell in report.cells]
    if not reports:
        nothing = "The snapshot has no notebook."
        return [
            Level("L2", "Every notebook runs", False, nothing),
            Level("L3", "The same outputs", False, nothing),
        ]
    raised = verdicts.count(Verdict.FAILED)
    if raised and not failures:
        failures = [f"{raised} cells raised an error that they had not raised before."]
    count = "1 notebook" if len(reports) == 1 else f"{len(reports)} notebooks"
    reach = "with" if network else "without"
    runs = Level(
        "L2",
        "Every notebook runs",
        not failures,
        " ".join(failures) or f"{count} in {seconds:.1f} s, {reach} network.",
    )
    same = verdicts.count(Verdict.SAME)
    compared = len(verdicts) - verdicts.count(Verdict.NOT_RUN)
    detail = f"{same} of {compared} cells gave the same outputs."
    if compared < len(verdicts):
        detail += f" {len(verdicts) - compared} could not be compared."
    return [runs, Level("L3", "The same outputs", 0 < same == compared and not failures, detail)]


def _changes(changed: InventoryDiff) -> str:
    """``humanize 4.9 is 4.10, …``, the first ten."""
    groups = (changed.added, changed.removed, changed.changed, changed.patched)
    words = [
        f"{change.name} {change.before or 'absent'} is {change.after or 'absent'}"
        for group in groups
        for change in group
    ]
    return f"{changed.summary()}: {', '.join(words[:10])}."


def _cleared(notebook: dict[str, Any]) -> dict[str, Any]:
    """Without outputs, so that what is in it afterwards was made now."""
    cleared = copy.deepcopy(notebook)
    for cell in cleared["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            cell["metadata"].pop("execution", None)
    cleared["metadata"].pop("widgets", None)
    return cleared


def _numbers(notebook: Mapping[str, Any]) -> dict[int, int]:
    """A runner counts code cells from 1, blank ones too: number by index."""
    code = [i for i, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code"]
    return {index: number for number, index in enumerate(code, 1)}


async def _clear(into: Path, existed: bool) -> None:
    def clear() -> None:
        remove_contents(into)
        if not existed:
            into.rmdir()

    await anyio.to_thread.run_sync(clear)
