"""``jupyter mlops package approve``, ``gate`` and ``card``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .commands import Answer, Noun

if TYPE_CHECKING:
    from .screen import Screen
    from .session import Session


def register(noun: Noun) -> None:
    approve_ = noun.verb("approve", "record that somebody approves it for deployment", approve)
    approve_.add_argument("package", metavar="PACKAGE", help="id or name")
    approve_.add_argument("--by", metavar="NAME", default="", help="who (default: you)")
    approve_.add_argument("--note", default="", help="for instance the number of a ticket")
    gate_ = noun.verb(
        "gate",
        "fail unless it passed its check and what else is asked for; says what is missing",
        gate,
    )
    gate_.add_argument("package", metavar="PACKAGE", help="id or name")
    gate_.add_argument(
        "--level",
        metavar="LN",
        default="",
        help="the last level of reproduction that must have passed: L0 image, L1 packages, "
        "L2 runs, L3 same outputs",
    )
    gate_.add_argument(
        "--require-approval", action="store_true", help="somebody must have approved it"
    )
    gate_.add_argument(
        "--approved-by",
        metavar="NAME",
        action="append",
        default=[],
        help="only this person's approval counts; may be repeated",
    )
    card_ = noun.verb("card", "its model card: Markdown with the Hugging Face Hub's fields", card)
    card_.add_argument("package", metavar="PACKAGE", help="id or name")
    card_.add_argument("--output", metavar="FILE", help="write it there (default: to the terminal)")


async def approve(session: Session, args: argparse.Namespace) -> Answer:
    services = session.services
    by = args.by or services.settings.owner
    approved = await services.releasing.approve(args.package, by, args.note)
    return Answer(
        approved,
        lambda screen: screen.line(f"{by} approved the model package {approved.name}."),
    )


async def gate(session: Session, args: argparse.Namespace) -> Answer:
    from ..core.gate import Gate

    asked = Gate(args.level, args.require_approval, tuple(args.approved_by))
    result = await session.services.releasing.gate(args.package, asked)

    def show(screen: Screen) -> None:
        for sentence in result.missing:
            screen.line(f"✗ {sentence}", "red")
        if result.passed:
            screen.line("✓ Nothing is missing.", "green")

    return Answer(result, show, failed=not result.passed)


async def card(session: Session, args: argparse.Namespace) -> Answer:
    from .files import absolute

    text = await session.services.releasing.card(args.package)
    if not args.output:
        return Answer({"markdown": text}, lambda screen: screen.text(text))
    file = absolute(args.output)
    file.write_text(text, encoding="utf-8")
    return Answer(
        {"markdown": text, "file": str(file)},
        lambda screen: screen.line(f"The model card is in {file}."),
    )
