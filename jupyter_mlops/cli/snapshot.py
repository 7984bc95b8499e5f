"""``jupyter mlops snapshot``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .commands import Answer, Noun, add_yes

if TYPE_CHECKING:
    from ..core.snapshot import Snapshot
    from .screen import Screen
    from .session import Session


def register(nouns: Any, common: argparse.ArgumentParser) -> None:
    noun = Noun(nouns, common, "snapshot", "frozen kernels with their project's files")
    create = noun.verb("create", "freeze a running kernel", make)
    create.add_argument("kernel", metavar="KERNEL", help="as `jupyter mlops kernel list` shows it")
    create.add_argument("--name", required=True)
    create.add_argument("--note", default="")
    create.add_argument(
        "--exclude",
        metavar="PATH",
        action="append",
        default=[],
        help="leave this file or folder out; may be repeated",
    )
    noun.verb("list", "list snapshots", show_all)
    show = noun.verb("show", "show what a snapshot holds", show_one)
    show.add_argument("snapshot", metavar="SNAPSHOT", help="id or name")
    diff = noun.verb("diff", "compare what is installed on two sides", compare)
    for side, help in (("a", "before"), ("b", "after")):
        diff.add_argument(side, help=f"{help}: a snapshot, ENV@REVISION, or kernel:ID")
    save = noun.verb("save", "write a snapshot into one file, to carry it by hand", write)
    save.add_argument("snapshot", metavar="SNAPSHOT", help="id or name")
    save.add_argument("file", metavar="FILE")
    save.add_argument(
        "--allow",
        metavar="PATH",
        action="append",
        default=[],
        help="this file may travel although it looks as if it held a secret",
    )
    load = noun.verb("load", "read a snapshot from a file", read)
    load.add_argument("file", metavar="FILE")
    delete = noun.verb("delete", "delete a snapshot here; published ones stay published", remove)
    delete.add_argument("snapshot", metavar="SNAPSHOT", help="id or name")
    add_yes(delete)


async def make(session: Session, args: argparse.Namespace) -> Answer:
    snapshots = session.services.snapshots
    made = await session.work(
        "snapshot",
        args.name,
        lambda progress: snapshots.create(
            args.kernel, args.name, args.note, progress, exclude=args.exclude
        ),
        lambda snapshot: {"snapshot": snapshot.id},
    )
    return Answer(session.record(made), lambda screen: _frozen(screen, made))


def _frozen(screen: Screen, snapshot: Snapshot) -> None:
    from .words import plural, size

    screen.line(
        f"Snapshot {snapshot.name} ({snapshot.id}): {snapshot.drift.summary()}, "
        f"{plural(snapshot.workspace.files, 'file')}, {size(snapshot.workspace.size)}."
    )


async def show_all(session: Session, args: argparse.Namespace) -> Answer:
    from .words import moment, plural

    snapshots = await session.services.snapshots.list()
    rows = [
        (
            s.name,
            s.id,
            f"{s.environment}@{s.revision}" if s.revision else s.environment,
            s.drift.summary(),
            plural(len(s.publications), "time") if s.publications else "no",
            moment(s.created),
        )
        for s in snapshots
    ]
    columns = ("name", "id", "environment", "drift", "published", "created")
    empty = (
        "There is no snapshot yet. Make one: jupyter mlops run NOTEBOOK --env ENV --snapshot NAME"
    )
    return Answer(snapshots, lambda screen: screen.table(columns, rows, empty))


async def show_one(session: Session, args: argparse.Namespace) -> Answer:
    from .words import digest, listed, moment, show_diff, size

    snapshot = await session.services.snapshots.get(args.snapshot)
    files = snapshot.workspace

    def show(screen: Screen) -> None:
        screen.facts(
            {
                "name": snapshot.name,
                "id": snapshot.id,
                "note": snapshot.note,
                "owner": snapshot.owner,
                "created": moment(snapshot.created),
                "environment": f"{snapshot.environment}, revision {snapshot.revision}"
                if snapshot.revision
                else snapshot.environment,
                "image": digest(snapshot.image),
                "files": f"{files.files}, {size(files.size)}",
                "notebooks": files.notebooks,
                "left out": listed(files.skipped),
                "git": f"{files.git.commit[:12]}{' and changes' if files.git.dirty else ''}"
                if files.git
                else "",
                "bundle": [member.title for member in snapshot.members],
                "from": snapshot.origin,
                "published": [p.project for p in snapshot.publications],
            }
        )
        screen.line()
        show_diff(screen, snapshot.drift, "Nothing was installed after the revision was built.")

    return Answer(snapshot, show)


async def compare(session: Session, args: argparse.Namespace) -> Answer:
    from .words import show_diff

    found = await session.services.snapshots.diff(args.a, args.b)
    return Answer(found, lambda screen: show_diff(screen, found))


async def write(session: Session, args: argparse.Namespace) -> Answer:
    from .files import size_of
    from .words import size

    sharing, file = session.services.sharing, Path(args.file)
    snapshot = await session.services.snapshots.get(args.snapshot)
    await session.work(
        "save",
        snapshot.name,
        lambda progress: sharing.save(snapshot.id, file, progress, allow=args.allow),
        lambda _: {"snapshot": snapshot.id, "file": str(file)},
    )
    count = size_of(file)
    data = session.record({"snapshot": snapshot.id, "file": file, "size": count})
    return Answer(
        data,
        lambda screen: screen.line(f"Snapshot {snapshot.name} is in {file} ({size(count)})."),
    )


async def read(session: Session, args: argparse.Namespace) -> Answer:
    from .files import existing

    sharing, file = session.services.sharing, existing(args.file)
    loaded = await session.work(
        "load",
        file.name,
        lambda progress: sharing.load(file, progress),
        lambda snapshot: {"snapshot": snapshot.id},
    )
    return Answer(session.record(loaded), lambda screen: _frozen(screen, loaded))


async def remove(session: Session, args: argparse.Namespace) -> Answer:
    snapshot = await session.services.snapshots.get(args.snapshot)
    session.confirm(f"Delete the snapshot {snapshot.name} ({snapshot.id})?")
    await session.services.snapshots.delete(snapshot.id)
    return Answer(
        {"deleted": snapshot.id},
        lambda screen: screen.line(f"Deleted the snapshot {snapshot.name}."),
    )
