"""``jupyter mlops share``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .commands import Answer, Noun

if TYPE_CHECKING:
    from .screen import Screen
    from .session import Session


def register(nouns: Any, common: argparse.ArgumentParser) -> None:
    noun = Noun(nouns, common, "share", "snapshots in a team's project")
    publish = noun.verb("publish", "publish a snapshot to a project", send)
    publish.add_argument("snapshot", metavar="SNAPSHOT", help="id or name")
    publish.add_argument(
        "--allow",
        metavar="PATH",
        action="append",
        default=[],
        help="this file may travel although it looks as if it held a secret; may be repeated",
    )
    list_ = noun.verb("list", "list the snapshots of a project: its catalogue", show_all)
    open_ = noun.verb("open", "bring a published snapshot here: image, kernel and files", fetch)
    open_.add_argument("snapshot", metavar="ID", help="as `jupyter mlops share list` shows it")
    open_.add_argument(
        "--into",
        metavar="DIR",
        help="where its files go, a new or empty folder (default: they stay packed)",
    )
    for parser in (publish, list_, open_):
        parser.add_argument(
            "--project",
            default="",
            metavar="REGISTRY/TEAM/NAME",
            help="where the team's snapshots are (default: the configured one)",
        )


async def send(session: Session, args: argparse.Namespace) -> Answer:
    services = session.services
    snapshot = await services.snapshots.get(args.snapshot)
    project = args.project or services.settings.project
    published = await session.work(
        "publish",
        snapshot.name,
        lambda progress: services.sharing.publish(snapshot.id, project, progress, allow=args.allow),
        lambda made: {"snapshot": made.id, "project": project},
    )

    def show(screen: Screen) -> None:
        screen.line(f"Published {published.name} as {project}:{published.id}.")
        screen.line(
            f"A teammate opens it with `jupyter mlops share open {published.id} "
            f"--project {project}`."
        )

    return Answer(session.record(published), show)


async def show_all(session: Session, args: argparse.Namespace) -> Answer:
    from .words import moment

    entries = await session.services.sharing.catalogue(args.project)
    rows = [
        (
            e.id,
            e.name,
            f"{e.environment}@{e.revision}" if e.revision else e.environment,
            e.packages_added,
            e.files,
            e.owner,
            moment(e.created),
            "yes" if e.local else "",
        )
        for e in entries
    ]
    columns = ("id", "name", "environment", "added", "files", "owner", "created", "here")
    empty = "The project has no snapshots yet. Publish one: jupyter mlops share publish SNAPSHOT"
    return Answer(entries, lambda screen: screen.table(columns, rows, empty))


async def fetch(session: Session, args: argparse.Namespace) -> Answer:
    from .files import absolute

    services = session.services
    folder = absolute(args.into) if args.into else None

    def result(snapshot: Any) -> dict[str, Any]:
        return {
            "snapshot": snapshot.id,
            "kernel_name": f"mlops-{snapshot.id}",
            "directory": str(folder or ""),
            "notebooks": list(snapshot.workspace.notebooks),
        }

    opened = await session.work(
        "open",
        args.snapshot,
        lambda progress: services.sharing.open(
            args.project, args.snapshot, progress, directory=folder
        ),
        result,
    )

    def show(screen: Screen) -> None:
        screen.line(f"Snapshot {opened.name} of {opened.owner} is here, kernel mlops-{opened.id}.")
        if folder:
            screen.line(f"Its files are in {folder}.")
        screen.line(f"Run it again with `jupyter mlops reproduce {opened.id}`.")

    return Answer({**session.record(opened), **result(opened)}, show)
