"""``jupyter mlops env``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import env_deletion
from .commands import Answer, Noun

if TYPE_CHECKING:
    from ..core.additions import LeftOut
    from ..core.environment import EnvironmentSpec
    from ..core.imported import Imported
    from ..core.revision import Built
    from .screen import Screen
    from .session import Session

FILES = (
    "an environment file in YAML, requirements.txt, pyproject.toml, pylock.toml, conda's "
    "environment.yml or renv.lock"
)
WHICH = "NAME, NAME@REVISION or NAME@active"


def register(nouns: Any, common: argparse.ArgumentParser) -> None:
    noun = Noun(nouns, common, "env", "environments and their revisions")
    create = noun.verb("create", "create an environment from a file, or from this Python", make)
    create.add_argument("name", nargs="?", default="", help="default: the one that the file gives")
    origin = create.add_mutually_exclusive_group(required=True)
    origin.add_argument("--from", dest="file", metavar="FILE", help=FILES)
    origin.add_argument(
        "--from-local", dest="local", action="store_true", help="what this Python has installed"
    )
    create.add_argument("--base", default="", help="where it starts from (default: the newest)")
    _add_choices(create)
    build = noun.verb("build", "build a new revision, and make it the active one", rebuild)
    build.add_argument("name")
    source = build.add_mutually_exclusive_group()
    source.add_argument("--from", dest="file", metavar="FILE", help=f"{FILES} (default: as it was)")
    source.add_argument(
        "--from-kernel",
        dest="kernel",
        metavar="ID",
        help="the active revision and the packages that were installed in this kernel",
    )
    _add_choices(build)
    build.add_argument("--upgrade", action="store_true", help="look for newer versions of packages")
    noun.verb("list", "list environments", show_all)
    show = noun.verb("show", "show an environment and its revisions", show_one)
    show.add_argument("name")
    diff = noun.verb("diff", "compare what is installed on two sides", compare)
    for side, help in (("a", "before"), ("b", "after")):
        diff.add_argument(side, help=f"{help}: {WHICH}, a snapshot, or kernel:ID")
    lock = noun.verb("lock", "print the lock of a revision (pylock.toml)", print_lock)
    lock.add_argument("name", help=WHICH)
    activate = noun.verb("activate", "make a revision the one that new kernels use", switch)
    activate.add_argument("name")
    activate.add_argument("revision", type=int)
    env_deletion.register(noun)


def _add_choices(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--date",
        metavar="YYYY-MM-DD",
        help="packages as the index had them on that day; `now` ends it",
    )
    for kind in ("extra", "group"):
        verb.add_argument(
            f"--{kind}",
            dest=f"{kind}s",
            action="append",
            default=[],
            metavar="NAME",
            help=f"with this {'dependency group' if kind == 'group' else kind} of pyproject.toml",
        )


def _read(session: Session, file: str) -> EnvironmentSpec:
    from ..core.errors import InvalidError
    from .files import absolute, content

    try:
        text = content(file).decode()
    except UnicodeDecodeError as error:
        raise InvalidError(f"The file {file} is not text.") from error
    return session.services.environments.parse_spec(text, absolute(file).parent)


async def make(session: Session, args: argparse.Namespace) -> Answer:
    spec, left_out = await _asked(session, args)
    spec = _dated(spec, args.date)
    return await _build(session, spec, replace=False, left_out=left_out, folder=_folder(args))


async def _asked(
    session: Session, args: argparse.Namespace
) -> tuple[EnvironmentSpec, Sequence[LeftOut]]:
    """The specification of a new environment, and what of the file is not in it."""
    from dataclasses import replace

    from ..core.environment import EnvironmentSpec
    from ..core.errors import InvalidError

    found = await _imported(session, args)
    if found is None:
        spec = _read(session, args.file)
        return replace(spec, name=args.name or spec.name, base=args.base or spec.base), ()
    name = args.name or found.name
    if not name:
        raise InvalidError(
            f"{found.source} gives the environment no name.",
            "Name it: jupyter mlops env create NAME …",
        )
    base = args.base
    if not base:
        bases = await session.services.environments.bases()
        if not bases:
            raise InvalidError(
                "There is no base image to start from yet.", "Run: jupyter mlops base create debian"
            )
        base = bases[0].name
    spec = EnvironmentSpec(
        name=name,
        base=base,
        description=found.description,
        python=found.python,
        r=found.r,
        variables=found.variables,
    )
    return spec, found.left_out


async def _imported(session: Session, args: argparse.Namespace) -> Imported | None:
    """What the file of another tool gives; None for a specification of ours."""
    from ..core.errors import InvalidError
    from ..services.imports.reading import is_specification
    from .files import absolute, content

    environments = session.services.environments
    if not args.file:
        return await environments.captured()
    content(args.file)  # Says what is wrong with a file that is not there.
    if is_specification(absolute(args.file)):
        if args.extras or args.groups:
            raise InvalidError(f"{args.file} has no extras and no groups; pyproject.toml has.")
        return None
    return await environments.imported(absolute(args.file), args.extras, args.groups)


async def rebuild(session: Session, args: argparse.Namespace) -> Answer:
    from dataclasses import replace

    from ..core.errors import InvalidError

    spec = (await session.services.environments.get(args.name)).spec
    left_out: Sequence[LeftOut] = ()
    if args.kernel:
        spec, found = await session.services.kernels.to_revision(args.name, args.kernel)
        left_out = found.left_out
    elif args.file and (imported := await _imported(session, args)):
        # A file of one language says nothing of the other's packages.
        spec = replace(spec, python=imported.python or spec.python, r=imported.r or spec.r)
        left_out = imported.left_out
    elif args.file:
        spec = _read(session, args.file)
        if spec.name != args.name:
            raise InvalidError(
                f"{args.file} describes the environment {spec.name!r}, not {args.name!r}.",
                f"Run `jupyter mlops env build {spec.name} --from {args.file}`.",
            )
    return await _build(
        session,
        _dated(spec, args.date),
        replace=True,
        upgrade=args.upgrade,
        left_out=left_out,
        folder=_folder(args),
    )


def _folder(args: argparse.Namespace) -> Path | None:
    from .files import absolute

    return absolute(args.file).parent if args.file else None


def _dated(spec: EnvironmentSpec, date: str | None) -> EnvironmentSpec:
    from dataclasses import replace

    return spec if date is None else replace(spec, date="" if date == "now" else date)


async def _build(
    session: Session,
    spec: EnvironmentSpec,
    replace: bool,
    upgrade: bool = False,
    left_out: Sequence[LeftOut] = (),
    folder: Path | None = None,
) -> Answer:
    """``folder`` is that of the specification's file, where there is one."""
    from .followers import follow, show_followers
    from .words import plural, show_diff, size

    for left in left_out:
        session.screen.note(f"Not taken over: {left.name}. {left.reason}")

    services = session.services
    spec = await services.environments.with_smoke(spec, folder)
    built: Built = await session.work(
        "build",
        spec.name,
        lambda progress: services.rebuilds.build(spec, progress, replace=replace, upgrade=upgrade),
        lambda built: built.result(),
    )
    revision = built.revision
    record = session.record(revision)
    followers = await follow(session, spec.name) if built.moved else []

    def show(screen: Screen) -> None:
        screen.line(
            f"Environment {revision.environment}, revision {revision.number} is active: "
            f"Python {revision.python}, {f'R {revision.r}, ' if revision.r else ''}"
            f"{plural(revision.packages, 'package')}"
            f"{f', {revision.r_packages} of R' if revision.r_packages else ''}, "
            f"{size(revision.size)}."
        )
        if built.previous and built.moved:
            screen.line(f"Since revision {built.previous}:")
            show_diff(screen, built.changes, "No package changed.")
        show_followers(screen, followers)

    data = {**record, **built.result(), "left_out": left_out, "followers": followers}
    return Answer(data, show)


async def show_all(session: Session, args: argparse.Namespace) -> Answer:
    from .words import moment

    environments = await session.services.environments.list()
    rows = [
        (e.name, e.active or "none yet", e.latest, e.spec.description, moment(e.created))
        for e in environments
    ]
    columns = ("name", "active", "latest", "description", "created")
    empty = "There is no environment yet. Make one: jupyter mlops env create --from FILE"
    return Answer(environments, lambda screen: screen.table(columns, rows, empty))


async def show_one(session: Session, args: argparse.Namespace) -> Answer:
    from .words import digest, moment, size

    name = args.name.partition("@")[0]
    environment = await session.services.environments.get(name)
    revisions = await session.services.environments.revisions(name)
    children = (await session.services.environments.family()).children(name)
    spec = environment.spec

    def show(screen: Screen) -> None:
        screen.facts(
            {
                "name": environment.name,
                "description": spec.description,
                "owner": environment.owner,
                "base": spec.base,
                "python": spec.python,
                "apt": spec.apt,
                "r": spec.r,
                "variables": [f"{key}={value}" for key, value in spec.variables.items()],
                "secrets": spec.secrets,
                "smoke": spec.smoke,
                "preload": spec.preload,
                "setup": f"{len(spec.setup.splitlines())} lines" if spec.setup else "",
                "date": spec.date,
                "network": spec.network,
                "created": moment(environment.created),
                "children": children,
            }
        )
        screen.line()
        screen.table(
            ("revision", "python", "packages", "of R", "size", "smoke", "image", "created"),
            [
                (
                    f"{r.number} (active)" if r.number == environment.active else r.number,
                    r.python,
                    r.packages,
                    r.r_packages or "",
                    size(r.size),
                    "" if r.smoke is None else "passed" if r.smoke.passed else "failed",
                    digest(r.image),
                    moment(r.created),
                )
                for r in revisions
            ],
            "It has no revision yet.",
        )

    data = {"environment": environment, "revisions": revisions, "children": children}
    return Answer(data, show)


async def compare(session: Session, args: argparse.Namespace) -> Answer:
    from .words import show_diff

    found = await session.services.snapshots.diff(args.a, args.b)
    return Answer(found, lambda screen: show_diff(screen, found))


async def print_lock(session: Session, args: argparse.Namespace) -> Answer:
    environments = session.services.environments
    _, revision = await environments.resolve(args.name)
    lock = await environments.lock(revision)
    data = {"environment": revision.environment, "revision": revision.number, "lock": lock}
    return Answer(data, lambda screen: screen.text(lock))


async def switch(session: Session, args: argparse.Namespace) -> Answer:
    from .followers import follow, show_followers
    from .screen import plain

    changed = await session.services.environments.activate(args.name, args.revision)
    followers = await follow(session, args.name)

    def show(screen: Screen) -> None:
        screen.line(f"Revision {changed.active} of {changed.name} is active; new kernels use it.")
        show_followers(screen, followers)

    return Answer({**plain(changed), "followers": followers}, show)
