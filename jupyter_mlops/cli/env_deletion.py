"""``jupyter mlops env delete`` and ``prune``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .commands import Answer, Noun, add_yes

if TYPE_CHECKING:
    from ..core.deletion import Deletion
    from .screen import Screen
    from .session import Session


def register(noun: Noun) -> None:
    delete = noun.verb("delete", "delete an environment, or one revision of it", remove)
    delete.add_argument("name", metavar="NAME[@REVISION]")
    prune = noun.verb("prune", "delete old revisions that nothing needs", remove_old)
    prune.add_argument("name", nargs="?", default="", help="of this environment (default: of all)")
    for verb in (delete, prune):
        verb.add_argument(
            "--dry-run", action="store_true", help="only say what would go, and what comes back"
        )
        add_yes(verb)


async def remove(session: Session, args: argparse.Namespace) -> Answer:
    deleting = session.services.environments.deleting
    name, at, _ = args.name.partition("@")
    if not at:
        plan = await deleting.of_environment(name)
        return await _carry_out(session, args, plan)
    _, revision = await session.services.environments.resolve(args.name)
    return await _carry_out(session, args, await deleting.of_revision(name, revision.number))


async def remove_old(session: Session, args: argparse.Namespace) -> Answer:
    plan = await session.services.environments.deleting.of_old(args.name)
    return await _carry_out(session, args, plan)


async def _carry_out(session: Session, args: argparse.Namespace, plan: Deletion) -> Answer:
    from .screen import plain
    from .words import size

    what = _what(plan)
    nothing = not plan.revisions and not plan.environments
    if args.dry_run or nothing:

        def foretell(screen: Screen) -> None:
            screen.line("There is nothing to delete." if nothing else f"Would delete {what}.")
            _show(screen, plan, "would be free again")

        return Answer({**plain(plan), "deleted": False}, foretell)
    session.confirm(f"Delete {what}? That frees {size(plan.freed)}.")
    gone = await session.services.environments.deleting.carry_out(plan)

    def show(screen: Screen) -> None:
        screen.line(f"Deleted {what}.")
        _show(screen, gone, "are free again")

    return Answer({**plain(gone), "deleted": True}, show)


def _what(plan: Deletion) -> str:
    from .words import listed, plural

    if plan.environments:
        count = plural(len(plan.revisions), "revision")
        return f"the environment {plan.environments[0]} with its {count}"
    return listed(plan.revisions)


def _show(screen: Screen, plan: Deletion, free: str) -> None:
    from .words import size

    home = f", {size(plan.home)} of that in the notebooks' home folder" if plan.home else ""
    screen.line(f"{size(plan.freed)} {free}{home}.")
    if plan.shared:
        screen.line(f"{size(plan.shared)} stay: other images have these layers, too.")
    for kept in plan.kept:
        screen.line(f"{kept.revision} stays: {kept.reason}.")
