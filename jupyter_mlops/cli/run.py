"""``jupyter mlops run``: a notebook in an environment, without a Jupyter server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .commands import Answer, command

if TYPE_CHECKING:
    from ..core.inventory import InventoryDiff
    from ..core.ports import Progress
    from ..core.snapshot import Snapshot
    from .screen import Screen
    from .session import Session


def register(nouns: Any, common: argparse.ArgumentParser) -> None:
    parser = command(
        nouns, common, "run", "run a notebook in an environment, without a Jupyter server", execute
    )
    parser.add_argument("notebook", metavar="NOTEBOOK")
    parser.add_argument("--env", required=True, metavar="NAME[@REVISION]")
    parser.add_argument(
        "--output", metavar="FILE", help="where the outputs go (default: into the notebook itself)"
    )
    parser.add_argument(
        "--snapshot", metavar="NAME", help="freeze the kernel when the last cell is done"
    )
    parser.add_argument("--note", default="", help="a note for the snapshot")
    parser.add_argument(
        "--exclude",
        metavar="PATH",
        action="append",
        default=[],
        help="leave this file or folder out of the snapshot; may be repeated",
    )
    limits = parser.add_argument_group("limits of this run, instead of the environment's")
    limits.add_argument("--memory", metavar="AMOUNT", help="such as 2GiB; 0 is no limit")
    limits.add_argument("--cpus", type=float, metavar="NUMBER", help="such as 1.5; 0 is no limit")
    limits.add_argument("--pids", type=int, metavar="NUMBER", help="processes and threads")
    limits.add_argument("--gpus", type=int, metavar="NUMBER", help="graphics processors")
    limits.add_argument("--network", choices=("outbound", "none"), help="what it may reach")
    parser.add_argument("--allow-errors", action="store_true", help="go on after a cell that fails")


def _ask(names: Sequence[str]) -> dict[str, str]:
    """Values from the terminal, unseen. Without one, none: the kernel then says what to do."""
    from ..core.errors import InvalidError

    values: dict[str, str] = {}
    if not sys.stdin.isatty():
        return values
    for name in names:
        value = getpass(f"{name} (for this run only, never saved): ")
        if not value:
            raise InvalidError(f"The secret {name} was not given.", "Run it again, and type it.")
        values[name] = value
    return values


async def execute(session: Session, args: argparse.Namespace) -> Answer:
    from ..core.limits import limits_of
    from .files import existing
    from .words import show_diff

    services = session.services
    notebook = existing(args.notebook, "notebook")
    output = Path(args.output) if args.output else None
    names = ("memory", "cpus", "pids", "gpus", "network")
    limits = limits_of({name: getattr(args, name) for name in names})
    await services.kernels.collect()
    _, revision = await services.environments.resolve(args.env)
    # Before the progress bars, which would write over the question.
    secrets = _ask(await services.kernels.missing_secrets(args.env))
    drift: list[InventoryDiff] = []
    made: list[Snapshot] = []

    async def work(progress: Progress) -> Path:
        async def keep(kernel: str) -> None:
            progress.phase("drift", "Comparing what is installed now with the revision")
            drift.append(await services.kernels.drift(kernel))
            if args.snapshot:
                made.append(
                    await services.snapshots.create(
                        kernel, args.snapshot, args.note, progress, exclude=args.exclude
                    )
                )

        return await services.kernels.run(
            notebook,
            args.env,
            progress,
            output=output,
            keep=keep,
            allow_errors=args.allow_errors,
            limits=limits,
            secrets=secrets,
        )

    def result(written: Path) -> dict[str, Any]:
        named: dict[str, Any] = {"notebook": str(written)}
        return {**named, "snapshot": made[0].id} if made else named

    written = await session.work("run", notebook.name, work, result)

    def show(screen: Screen) -> None:
        screen.line(f"Outputs are in {written}.")
        screen.line(f"Since revision {revision.number} of {revision.environment}:")
        show_diff(screen, drift[0], "Nothing was installed or removed.")
        for snapshot in made:
            screen.line(f"Snapshot {snapshot.name} ({snapshot.id}) is frozen.")

    data = {
        "operation": session.operation.id if session.operation else "",
        "output": written,
        "environment": revision.environment,
        "revision": revision.number,
        "drift": drift[0],
        "snapshot": made[0] if made else None,
    }
    return Answer(data, show)
