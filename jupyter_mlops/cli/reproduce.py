"""``jupyter mlops reproduce``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .commands import Answer, command

if TYPE_CHECKING:
    from .screen import Screen
    from .session import Session


def register(nouns: Any, common: argparse.ArgumentParser) -> None:
    parser = command(
        nouns,
        common,
        "reproduce",
        "run a snapshot's notebooks again in its image, and compare the outputs",
        execute,
    )
    parser.add_argument("snapshot", metavar="SNAPSHOT", help="id or name")
    parser.add_argument(
        "--into", metavar="DIR", help="a new or empty folder (default: ./SNAPSHOT-reproduced)"
    )
    parser.add_argument(
        "--require",
        choices=("L0", "L1", "L2", "L3"),
        default="L3",
        help="the level that must be reached to end with 0: same image, same packages, every "
        "notebook runs, same outputs (default: L3)",
    )
    parser.add_argument(
        "--network", action="store_true", help="let the notebooks reach the network"
    )


async def execute(session: Session, args: argparse.Namespace) -> Answer:
    from .files import absolute

    services = session.services
    snapshot = await services.snapshots.get(args.snapshot)
    into = absolute(args.into or f"{snapshot.name}-reproduced")
    file = into / "reproduce-report.json"
    report = await session.work(
        "reproduce",
        snapshot.name,
        lambda progress: services.reproducing.reproduce(
            snapshot.id, into, progress, network=args.network
        ),
        lambda made: {
            "snapshot": made.snapshot,
            "report": str(file),
            "passed": made.passed,
            "verdict": made.verdict(),
        },
    )

    def show(screen: Screen) -> None:
        for level in report.levels:
            mark, style = ("✓", "green") if level.passed else ("✗", "red")
            screen.line(f"{mark} {level.level} {level.title}: {level.detail}", style)
        for notebook in report.notebooks:
            for cell in notebook.cells:
                if cell.verdict.value != "same":
                    screen.line()
                    verdict = cell.verdict.value.replace("_", " ")
                    screen.line(f"{notebook.path}, cell {cell.index}: {verdict}: {cell.source}")
                    screen.text(cell.difference)
        screen.line()
        screen.line(report.verdict())
        screen.line(f"The report is in {file}.")

    data = {
        **session.record(report),
        "passed": report.passed,
        "verdict": report.verdict(),
        "report": str(file),
    }
    return Answer(data, show, failed=not report.reaches(args.require))
