"""``jupyter mlops deployment``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import deployment_changes
from .commands import Answer, Noun, add_yes
from .latency import show_latencies

if TYPE_CHECKING:
    from ..core.deployment import Deployment
    from .screen import Screen
    from .session import Session


def register(nouns: Any, common: argparse.ArgumentParser) -> None:
    noun = Noun(nouns, common, "deployment", "model packages that run somewhere")
    noun.verb("list", "list deployments with their live state", show_all)
    show = noun.verb("show", "show a deployment and what was made for it", show_one)
    invoke = noun.verb("invoke", "ask for a prediction", ask)
    invoke.add_argument(
        "--body", metavar="FILE", help="the request; - is stdin (default: the recorded sample)"
    )
    invoke.add_argument("--content-type", default="", help="of the request, such as text/csv")
    invoke.add_argument("--accept", default="", help="the wanted type of the answer")
    invoke.add_argument(
        "--times",
        type=int,
        default=1,
        metavar="N",
        help="send it so often, and say how long it took",
    )
    logs = noun.verb("logs", "print the last lines its container wrote", print_logs)
    logs.add_argument("--follow", "-f", action="store_true", help="go on until interrupted")
    stop = noun.verb("stop", "stop it, and keep it for a later start", halt)
    start = noun.verb("start", "start it again", resume)
    delete = noun.verb("delete", "stop it, and remove what was made for it", remove)
    changes = deployment_changes.register(noun)
    for parser in (show, invoke, logs, stop, start, delete, *changes):
        parser.add_argument("deployment", metavar="DEPLOYMENT", help="id or name")
    add_yes(delete)


async def show_all(session: Session, args: argparse.Namespace) -> Answer:
    from .words import is_past, since

    deployments = await session.services.deploying.list()
    rows = [
        (
            d.name,
            d.id,
            d.target,
            d.state.value,
            d.endpoint,
            since(d.created),
            d.cost,
            since(d.planned_end),
        )
        for d in deployments
    ]
    columns = ("name", "id", "target", "state", "endpoint", "made", "costs", "planned end")
    empty = "Nothing is deployed. Deploy: jupyter mlops deploy PACKAGE --target local"
    overdue = [d for d in deployments if is_past(d.planned_end)]

    def show(screen: Screen) -> None:
        screen.table(columns, rows, empty)
        for d in overdue:
            screen.note(
                f"{d.name} was planned to end {since(d.planned_end)}. It is not deleted by "
                f"itself: jupyter mlops deployment delete {d.name}"
            )

    return Answer(deployments, show)


async def show_one(session: Session, args: argparse.Namespace) -> Answer:
    from .words import moment

    found = await session.services.deploying.get(args.deployment)

    def show(screen: Screen) -> None:
        screen.facts(
            {
                "name": found.name,
                "id": found.id,
                "target": found.target,
                "package": found.package,
                "state": found.state.value,
                "status": found.status,
                "message": found.message,
                "endpoint": found.endpoint,
                "owner": found.owner,
                "created": moment(found.created),
                "costs": found.cost,
                "planned end": moment(found.planned_end),
                **{key: value for key, value in found.details.items() if key != "pid"},
            }
        )
        screen.line()
        rows = [(r.kind, r.name, "stays" if r.kept else "deleted") for r in found.resources]
        screen.table(("resource", "name", "on delete"), rows, "Nothing was made for it.")

    return Answer(found, show)


async def ask(session: Session, args: argparse.Namespace) -> Answer:
    from .files import content

    body: bytes | None = None
    kind = args.content_type
    if args.body == "-":
        body = sys.stdin.buffer.read()
    elif args.body:
        body = content(args.body)
        kind = kind or _TYPES.get(Path(args.body).suffix, "")
    if body is not None:
        kind = kind or "application/json"
    answer, took = await session.services.deploying.invoke_often(
        args.deployment, args.times, body, kind, args.accept
    )
    text = answer.body.decode(errors="replace")
    data = {
        "status": answer.status,
        "content_type": answer.content_type,
        "body": text,
        "seconds": answer.seconds,
        "latencies": took,
    }

    def show(screen: Screen) -> None:
        screen.text(text)
        screen.note(f"{answer.status}, {answer.content_type}, {answer.seconds * 1000:.0f} ms")
        if took.requests > 1:
            show_latencies(screen, took)

    return Answer(data, show, failed=bool(took.failed))


_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/jsonlines",
    ".csv": "text/csv",
    ".npy": "application/x-npy",
    ".npz": "application/x-npz",
    ".parquet": "application/x-parquet",
    ".txt": "text/plain",
}


async def print_logs(session: Session, args: argparse.Namespace) -> Answer:
    if args.follow:
        return await _follow(session, args.deployment)
    found = await session.services.deploying.logs(args.deployment)

    def show(screen: Screen) -> None:
        if found:
            screen.text(found)
        else:
            screen.note("It has written nothing yet.")

    return Answer({"text": found}, show)


async def halt(session: Session, args: argparse.Namespace) -> Answer:
    return await _turn(session, args.deployment, "stop")


async def resume(session: Session, args: argparse.Namespace) -> Answer:
    return await _turn(session, args.deployment, "start")


async def _turn(session: Session, name: str, verb: str) -> Answer:
    deploying = session.services.deploying
    act = deploying.stop if verb == "stop" else deploying.start
    found = await deploying.get(name)
    seen = await session.work(
        verb,
        found.name,
        lambda progress: act(found.id, progress),
        lambda deployment: {"deployment": deployment.id},
    )
    line = f"Deployment {seen.name} is {seen.state.value}. {seen.message}".rstrip()
    return Answer(session.record(seen), lambda screen: screen.line(line))


async def _follow(session: Session, deployment: str) -> Answer:
    """Until the user interrupts it, which is no failure."""
    import asyncio
    from contextlib import suppress

    with suppress(asyncio.CancelledError):
        async for text in session.services.deploying.follow_logs(deployment):
            session.screen.text(text)
    return Answer({}, lambda screen: None)


async def remove(session: Session, args: argparse.Namespace) -> Answer:
    deploying = session.services.deploying
    found = await deploying.get(args.deployment)
    session.confirm(_forecast(found))
    await session.work(
        "delete",
        found.name,
        lambda progress: deploying.delete(found.id, progress),
        lambda _: {"deployment": found.id},
    )
    return Answer(
        session.record({"deleted": found.id}),
        lambda screen: screen.line(f"Deleted the deployment {found.name}."),
    )


def _forecast(found: Deployment) -> str:
    """What goes and what stays, as a question."""
    goes = [f"  {r.kind} {r.name}" for r in found.resources if not r.kept]
    stays = [f"  {r.kind} {r.name}" for r in found.resources if r.kept]
    lines = [f"Deleting {found.name} on {found.target} takes away:", *(goes or ["  nothing"])]
    if stays:
        lines += ["These stay, others may use them:", *stays]
    return "\n".join([*lines, "Delete it?"])
