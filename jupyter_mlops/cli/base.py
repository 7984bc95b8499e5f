"""``jupyter mlops base``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .commands import Answer, Noun, add_yes

if TYPE_CHECKING:
    from ..core.environment import Base
    from .session import Session


def register(nouns: Any, common: argparse.ArgumentParser) -> None:
    noun = Noun(nouns, common, "base", "base images: what environments start from")
    create = noun.verb("create", "make one from distribution packages, without any registry", make)
    create.add_argument("distribution", choices=["debian"], help="which distribution")
    create.add_argument("--name", default="debian", help="its name (default: debian)")
    create.add_argument("--suite", default="bookworm", help="Debian's release (default: bookworm)")
    create.add_argument(
        "--package",
        dest="packages",
        metavar="NAME",
        action="append",
        default=[],
        help="a further distribution package; may be repeated",
    )
    pull = noun.verb("pull", "take one from a registry", take)
    pull.add_argument("ref", metavar="REF", help="such as registry.example.com/python:3.12")
    pull.add_argument("--name", default="", help="its name here (default: the image's)")
    build = noun.verb("build", "make one from a Dockerfile", build_one)
    build.add_argument("folder", metavar="DIR", help="the folder with the Dockerfile, or the file")
    build.add_argument("--name", default="", help="its name here (default: the folder's)")
    noun.verb("list", "list base images", show_all)
    delete = noun.verb("delete", "delete a base image", remove)
    delete.add_argument("name")
    add_yes(delete)


async def make(session: Session, args: argparse.Namespace) -> Answer:
    environments = session.services.environments
    made = await session.work(
        "base",
        args.name,
        lambda progress: environments.create_base(
            args.name, suite=args.suite, packages=args.packages, progress=progress
        ),
        lambda base: {"base": base.name},
    )
    return _made(session, made)


async def take(session: Session, args: argparse.Namespace) -> Answer:
    from ..core.image_ref import parse

    name = args.name or parse(args.ref).repository.rsplit("/", 1)[-1].replace("_", "-")
    environments = session.services.environments
    made = await session.work(
        "base",
        name,
        lambda progress: environments.pull_base(args.ref, name, progress),
        lambda base: {"base": base.name},
    )
    return _made(session, made)


async def build_one(session: Session, args: argparse.Namespace) -> Answer:
    from ..services.imports.parts import possible_name
    from .files import absolute

    file = absolute(args.folder)
    folder = file if file.is_dir() else file.parent
    name = args.name or possible_name(folder.name) or "dockerfile"
    made = await session.work(
        "base",
        name,
        lambda progress: session.services.environments.build_base(name, file, progress),
        lambda base: {"base": base.name},
    )
    return _made(session, made)


def _made(session: Session, base: Base) -> Answer:
    from .words import size

    return Answer(
        session.record(base),
        lambda screen: screen.line(
            f"Base image {base.name} is ready: {base.origin}, {size(base.size)}."
        ),
    )


async def show_all(session: Session, args: argparse.Namespace) -> Answer:
    from .words import moment, size

    bases = await session.services.environments.bases()
    rows = [(b.name, b.origin, size(b.size), moment(b.created)) for b in bases]
    empty = "There is no base image yet. Make one: jupyter mlops base create debian"
    return Answer(
        bases, lambda screen: screen.table(("name", "origin", "size", "created"), rows, empty)
    )


async def remove(session: Session, args: argparse.Namespace) -> Answer:
    session.confirm(f"Delete the base image {args.name}?")
    await session.services.environments.delete_base(args.name)
    return Answer(
        {"deleted": args.name}, lambda screen: screen.line(f"Deleted the base image {args.name}.")
    )
