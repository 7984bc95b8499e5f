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
    models = noun.verb("models", "list its variables that can be exported as models", show_models)
    models.add_argument("kernel", metavar="KERNEL", help="its id")
    export = noun.verb(
        "export",
        "write one of them into the project, with a sample and the notebook's own prediction",
        export_model,
    )
    export.add_argument("kernel", metavar="KERNEL", help="its id")
    export.add_argument("model", metavar="MODEL", help="name of the variable")
    export.add_argument(
        "--sample", required=True, metavar="NAME", help="variable whose first rows are a request"
    )
    export.add_argument("--name", help="of the folder below exported/ (default: the variable's)")


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


async def show_models(session: Session, args: argparse.Namespace) -> Answer:
    found = await session.services.live_models.survey(args.kernel)
    rows = [
        (m.name, m.description, ", ".join(s.name for s in found.samples if m.name in s.fits))
        for m in found.models
    ]
    nothing = "No variable of it is a fitted model, or a function."
    return Answer(
        found, lambda screen: screen.table(("model", "what it is", "samples"), rows, nothing)
    )


async def export_model(session: Session, args: argparse.Namespace) -> Answer:
    name = args.name or args.model.replace("_", "-").lower()
    made = await session.services.live_models.export(args.kernel, args.model, args.sample, name)

    def show(screen: Any) -> None:
        screen.facts(
            {
                "model": ", ".join(made.model),
                "saved as": made.format + (" (trusted only)" if made.trusted_only else ""),
                "handler": f"{made.handler}:{made.function}" if made.function else made.handler,
                "sample": ", ".join(made.samples),
                "prediction": made.expected,
            }
        )

    return Answer(made, show)
