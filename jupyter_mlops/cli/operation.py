"""``jupyter mlops operation``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .commands import Answer, Noun

if TYPE_CHECKING:
    from .screen import Screen
    from .session import Session


def register(nouns: Any, common: argparse.ArgumentParser) -> None:
    from ..core.operation import OperationState

    noun = Noun(nouns, common, "operation", "long pieces of work, running and ended")
    list_ = noun.verb("list", "list operations, the newest first", show_all)
    list_.add_argument("--state", default="", choices=[s.value for s in OperationState])
    list_.add_argument("--limit", type=int, default=20, help="at most so many (default: 20)")
    show = noun.verb("show", "show how far an operation is, or how it ended", show_one)
    log = noun.verb("log", "print an operation's log", print_log)
    cancel = noun.verb("cancel", "cancel a running operation; it cleans up", stop)
    for parser in (show, log, cancel):
        parser.add_argument("operation", metavar="OPERATION", help="its id")
    log.add_argument("--follow", "-f", action="store_true", help="go on until it has ended")


async def show_all(session: Session, args: argparse.Namespace) -> Answer:
    from .words import moment

    await session.services.operations.recover()
    operations = await session.services.operations.list(limit=args.limit, state=args.state)
    rows = [
        (
            o.id,
            o.kind,
            o.subject,
            o.state.value,
            o.phase if not o.state.ended else "",
            moment(o.created),
        )
        for o in operations
    ]
    columns = ("id", "kind", "subject", "state", "phase", "created")
    return Answer(
        operations, lambda screen: screen.table(columns, rows, "There are no operations yet.")
    )


async def show_one(session: Session, args: argparse.Namespace) -> Answer:
    from .words import moment, read_diff, show_diff

    await session.services.operations.recover()
    found = await session.services.operations.get(args.operation)

    def show(screen: Screen) -> None:
        screen.facts(
            {
                "id": found.id,
                "kind": found.kind,
                "subject": found.subject,
                "state": found.state.value,
                "message": found.message,
                "error": found.error.message if found.error else "",
                "hint": found.error.hint if found.error else "",
                "created": moment(found.created),
                "ended": moment(found.ended) if found.ended else "",
                "result": [
                    f"{key} {value}" for key, value in found.result.items() if key != "changes"
                ],
            }
        )
        if found.result.get("changes"):
            screen.line()
            screen.line(f"Packages since revision {found.result['previous']}:")
            show_diff(screen, read_diff(found.result["changes"]))
        if found.phases:
            screen.line()
            rows = [
                (p.name, f"{p.seconds:.1f} s" if p.seconds is not None else "running")
                for p in found.phases
            ]
            screen.table(("phase", "time"), rows, "")

    return Answer(found, show)


async def print_log(session: Session, args: argparse.Namespace) -> Answer:
    import asyncio

    operations = session.services.operations
    follow = args.follow and not getattr(args, "json", False)
    whole, offset = [], 0
    while True:
        # Asked before reading: what is written between the two is read the next time.
        ended = (await operations.get(args.operation)).state.ended
        text, offset = await operations.log(args.operation, offset)
        if follow:
            session.screen.text(text) if text else None
        else:
            whole.append(text)
        if not text and (ended or not follow):
            break
        if not text:
            await asyncio.sleep(0.5)
    return Answer({"text": "".join(whole)}, lambda screen: screen.text("".join(whole)))


async def stop(session: Session, args: argparse.Namespace) -> Answer:
    ended = await session.services.operations.cancel(args.operation)
    return Answer(
        ended,
        lambda screen: screen.line(
            f"The operation {ended.id} ({ended.kind} {ended.subject}) is {ended.state.value}."
            if ended.state.ended
            else f"The operation {ended.id} is still cleaning up."
        ),
    )
