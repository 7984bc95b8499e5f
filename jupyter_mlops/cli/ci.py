"""``jupyter mlops ci``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .commands import Answer, Noun

if TYPE_CHECKING:
    from .screen import Screen
    from .session import Session

_RUNNERS = {"github": "ubuntu-latest", "gitlab": "docker-shell"}


def register(nouns: Any, common: argparse.ArgumentParser) -> None:
    noun = Noun(nouns, common, "ci", "files for a CI system: package, check and deploy on a tag")
    for system, title in (("github", "GitHub Actions"), ("gitlab", "GitLab CI")):
        parser = noun.verb(system, f"write a pipeline for {title}", write)
        parser.set_defaults(system=system)
        _arguments(parser, system)


def _arguments(parser: argparse.ArgumentParser, system: str) -> None:
    parser.add_argument("snapshot", metavar="SNAPSHOT", help="id or name; it must be published")
    parser.add_argument("--output", metavar="FILE", default="", help="a new file (default: print)")
    parser.add_argument(
        "--project", default="", help="where it is published (default: where it is)"
    )
    package = parser.add_argument_group("the model package, as in `jupyter mlops package create`")
    package.add_argument("--name", required=True, help="of package and deployment")
    package.add_argument("--model", metavar="PATH", action="append", required=True)
    package.add_argument("--handler", metavar="FILE", default="")
    package.add_argument("--function", default="")
    package.add_argument("--sample", metavar="PATH", required=True)
    package.add_argument("--expected", metavar="PATH", default="")
    package.add_argument("--content-type", default="")
    where = parser.add_argument_group("the deployment, as in `jupyter mlops deploy`")
    where.add_argument("--target", required=True, metavar="NAME", help="sagemaker, bundle, …")
    where.add_argument("--option", dest="options", metavar="KEY=VALUE", action="append", default=[])
    gates = parser.add_argument_group("gates")
    gates.add_argument(
        "--require",
        choices=("L0", "L1", "L2", "L3", "none"),
        default="L2",
        help="how far the snapshot must reproduce: same image, same packages, every notebook runs, "
        "same outputs (default: L2)",
    )
    gates.add_argument(
        "--approval",
        metavar="ENVIRONMENT",
        default="production",
        help="the environment whose approval deploying waits for (default: production)",
    )
    gates.add_argument("--no-approval", action="store_true", help="deploy without asking")
    parser.add_argument("--tag", default="v*", help="the tags that start it (default: v*)")
    parser.add_argument(
        "--runner",
        default=_RUNNERS[system],
        help=f"label of the runner, which has Docker (default: {_RUNNERS[system]})",
    )
    parser.add_argument(
        "--install", metavar="COMMAND", default="", help="how the runner installs jupyter-mlops"
    )


async def write(session: Session, args: argparse.Namespace) -> Answer:
    from .._version import __version__
    from ..core.errors import ConflictError
    from ..services import pipeline_files
    from ..services.pipelines import Pipeline
    from .files import absolute

    snapshot = await session.services.snapshots.get(args.snapshot)
    await _check_options(session, args)
    pipeline = Pipeline(
        snapshot=snapshot.id,
        project=_project(session, args, [p.project for p in snapshot.publications]),
        package=args.name,
        model=tuple(args.model),
        handler=args.handler,
        function=args.function,
        sample=args.sample,
        expected=args.expected,
        content_type=args.content_type,
        target=args.target,
        options=tuple(args.options),
        deployment=args.name,
        require="" if args.require == "none" else args.require,
        approval="" if args.no_approval else args.approval,
        tag=args.tag,
        runner=args.runner,
        install=args.install or f"python -m pip install jupyter_mlops=={__version__}",
    )
    text = pipeline_files.write(args.system, pipeline)
    file = absolute(args.output) if args.output else None
    if file is not None:
        if file.exists():
            raise ConflictError(f"There is a file {file} already.", "Remove it, or name another.")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    def show(screen: Screen) -> None:
        if file is None:
            screen.text(text)
        else:
            usual = pipeline_files.PLACES[args.system]
            screen.line(f"Wrote {file}. Where it is looked for: {usual}. Commit it, then tag.")

    return Answer({"file": str(file or ""), "content": text}, show)


async def _check_options(session: Session, args: argparse.Namespace) -> None:
    """Names only: values such as folders are those of the runner."""
    from .configuration import UsageError

    schema = await session.services.deploying.schema(args.target)
    known = schema.get("properties", {})
    given = [text.partition("=")[0].partition(".")[0] for text in args.options]
    for name in given:
        if name not in known:
            raise UsageError(
                f"{args.target} has no option {name!r}.", f"Options: {', '.join(known)}."
            )
    missing = [name for name in schema.get("required", []) if name not in given]
    if missing:
        raise UsageError(f"{args.target} also needs: {', '.join(missing)}. Add --option for each.")


def _project(session: Session, args: argparse.Namespace, published: list[str]) -> str:
    from ..core.errors import ConflictError

    wanted = args.project or session.services.settings.project
    if wanted in published:
        return str(wanted)
    if published and not args.project:
        return published[0]
    raise ConflictError(
        f"The snapshot {args.snapshot} is not published"
        + (f" in {args.project}." if args.project else "."),
        "A runner opens it from there: jupyter mlops share publish "
        f"{args.snapshot} --project registry/team/name.",
    )
