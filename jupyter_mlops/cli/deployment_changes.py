"""``jupyter mlops deployment update|rollback|approve|reject``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .commands import Answer, Noun
from .deploy import parse_options

if TYPE_CHECKING:
    from ..core.deployment import Deployment
    from .screen import Screen
    from .session import Session


def register(noun: Noun) -> list[argparse.ArgumentParser]:
    """Returns the parsers, which all take a deployment."""
    update = noun.verb("update", "another package or other options, while it answers", change)
    update.add_argument(
        "--package", default="", metavar="PACKAGE", help="id or name (default: as it is)"
    )
    update.add_argument(
        "--option",
        dest="options",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="an option of the target that changes; may be repeated",
    )
    rollback = noun.verb("rollback", "back to what it was before its last update", roll_back)
    approve = noun.verb("approve", "approve a version in a registry of models", review)
    approve.set_defaults(approved=True)
    reject = noun.verb("reject", "reject a version in a registry of models", review)
    reject.set_defaults(approved=False)
    for parser in (approve, reject):
        parser.add_argument("--note", default="", help="why, for whoever reads it later")
    return [update, rollback, approve, reject]


async def change(session: Session, args: argparse.Namespace) -> Answer:
    deploying = session.services.deploying
    found = await deploying.get(args.deployment)
    options = parse_options(args.options, await deploying.schema(found.target))
    changed = await session.work(
        "update",
        found.name,
        lambda progress: deploying.update(found.id, args.package, options, progress),
        lambda deployment: {"deployment": deployment.id},
    )
    unchanged = session.operation is not None and session.operation.phase == "unchanged"
    said = "was so already: nothing was changed" if unchanged else "was updated"
    return _answer(session, changed, said)


async def roll_back(session: Session, args: argparse.Namespace) -> Answer:
    deploying = session.services.deploying
    found = await deploying.get(args.deployment)
    changed = await session.work(
        "rollback",
        found.name,
        lambda progress: deploying.roll_back(found.id, progress),
        lambda deployment: {"deployment": deployment.id},
    )
    return _answer(session, changed, f"went back to the package {changed.package}")


async def review(session: Session, args: argparse.Namespace) -> Answer:
    reviewed = await session.services.deploying.review(args.deployment, args.approved, args.note)

    def show(screen: Screen) -> None:
        screen.line(f"{reviewed.name} is {reviewed.status} now.")

    return Answer(reviewed, show)


def _answer(session: Session, changed: Deployment, said: str) -> Answer:
    def show(screen: Screen) -> None:
        screen.line(f"The deployment {changed.name} {said}.")

    return Answer(session.record(changed), show)
