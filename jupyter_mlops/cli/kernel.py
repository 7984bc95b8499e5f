"""``jupyter mlops kernel``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .commands import Answer, Noun

if TYPE_CHECKING:
    from .session import Session


def register(nouns: Any, common: argparse.ArgumentParser) -> None:
    noun = Noun(nouns, common, "kernel", "kernels that run in containers now")
    noun.verb("list", "list them, of all your Jupyter servers on this machine", show_all)
    stop = noun.verb("stop", "end one whose Jupyter server does not run any more", stop_one)
    stop.add_argument("kernel", metavar="KERNEL", help="its id")


async def show_all(session: Session, args: argparse.Namespace) -> Answer:
    from .words import size

    await session.services.kernels.collect()
    kernels = await session.services.kernels.list(warm=True)
    rows = [
        (
            k.id,
            f"{k.environment}@{k.revision}" if k.environment else k.snapshot,
            "warm" if k.warm else "alive" if k.alive else "dead",
            f"{size(k.memory)} of {size(k.memory_limit)}" if k.memory_limit else size(k.memory),
            k.project,
        )
        for k in kernels
    ]
    columns = ("id", "environment", "state", "memory", "project")
    return Answer(
        kernels, lambda screen: screen.table(columns, rows, "No kernel runs in a container now.")
    )


async def stop_one(session: Session, args: argparse.Namespace) -> Answer:
    await session.services.kernels.stop(args.kernel)
    return Answer({"kernel": args.kernel}, lambda screen: screen.line(f"{args.kernel} has ended."))
