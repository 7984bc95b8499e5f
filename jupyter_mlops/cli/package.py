"""``jupyter mlops package``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from . import package_release
from .commands import Answer, Noun, add_yes

if TYPE_CHECKING:
    from ..core.model_package import ContractReport, ModelPackage
    from .screen import Screen
    from .session import Session

_COLUMNS = 8
"""Of a table, that one line shows."""


def register(nouns: Any, common: argparse.ArgumentParser) -> None:
    noun = Noun(nouns, common, "package", "model packages: a snapshot that answers requests")
    create = noun.verb("create", "make one from a snapshot's files", make)
    create.add_argument("snapshot", metavar="SNAPSHOT", help="id or name")
    create.add_argument("--name", required=True)
    create.add_argument(
        "--model",
        metavar="PATH",
        action="append",
        required=True,
        help="a model file or folder of the snapshot; may be repeated",
    )
    create.add_argument(
        "--handler",
        metavar="FILE",
        default="",
        help="a Python or R file of the snapshot with model_fn, predict_fn, … or, with "
        "--function, any function; without it, the model is loaded by its format (MLflow, ONNX, "
        "skops, joblib, XGBoost, LightGBM, TorchScript) and its own predict answers",
    )
    create.add_argument("--function", default="", help="the function of FILE that answers requests")
    create.add_argument(
        "--sample", metavar="PATH", required=True, help="a file of the snapshot: one request"
    )
    create.add_argument(
        "--expected", metavar="PATH", default="", help="a file of the snapshot: its answer"
    )
    create.add_argument(
        "--also",
        metavar="PATH",
        action="append",
        default=[],
        help="the sample in another content type (CSV, npy, parquet); may be repeated",
    )
    create.add_argument(
        "--content-type", default="", help="of the sample (default: by the file's name)"
    )
    create.add_argument(
        "--batch",
        type=int,
        default=1,
        metavar="N",
        help="give the model up to N requests in one call, if they wait at the same time; its "
        "handler must take rows by themselves (default: one by one)",
    )
    create.add_argument(
        "--batch-wait",
        type=float,
        default=2.0,
        metavar="MS",
        help="milliseconds that the first of a batch waits for others (default: 2)",
    )
    check = noun.verb("check", "run it here as SageMaker would, and check every rule", examine)
    check.add_argument("package", metavar="PACKAGE", help="id or name")
    noun.verb("list", "list model packages", show_all)
    show = noun.verb("show", "show a model package and its last check", show_one)
    show.add_argument("package", metavar="PACKAGE", help="id or name")
    package_release.register(noun)
    delete = noun.verb("delete", "delete a model package", remove)
    delete.add_argument("package", metavar="PACKAGE", help="id or name")
    add_yes(delete)


async def make(session: Session, args: argparse.Namespace) -> Answer:
    from ..core import handlers
    from ..core.model_package import Batching, Handler
    from .words import size

    kind = handlers.kind(args.handler, args.function)
    handler = Handler(kind, args.handler, args.function)
    batching = Batching(args.batch, args.batch_wait)
    packaging = session.services.packaging
    made = await session.work(
        "package",
        args.name,
        lambda progress: packaging.create(
            args.snapshot,
            args.name,
            args.model,
            handler,
            args.sample,
            progress,
            expected=args.expected,
            content_type=args.content_type,
            also=args.also,
            batching=batching,
        ),
        lambda package: {"package": package.id},
    )
    return Answer(
        session.record(made),
        lambda screen: screen.line(
            f"Model package {made.name} ({made.id}): model of {size(made.model_size)}, serving "
            f"layer of {size(made.layer_size)}. Check it: jupyter mlops package check {made.name}"
        ),
    )


async def examine(session: Session, args: argparse.Namespace) -> Answer:
    packaging = session.services.packaging
    package = await packaging.get(args.package)
    report = await session.work(
        "check",
        package.name,
        lambda progress: packaging.check(package.id, progress),
        lambda made: {"package": package.id, "passed": made.passed},
    )
    data = {"package": package.id, **session.record(report), "passed": report.passed}
    return Answer(data, lambda screen: _show_report(screen, report), failed=not report.passed)


def _show_report(screen: Screen, report: ContractReport) -> None:
    for note in report.notes:
        screen.line(note, "yellow")
    for check in report.checks:
        mark, style = ("✓", "green") if check.passed else ("✗", "red")
        detail = f": {check.detail}" if check.detail else ""
        screen.line(f"{mark} {check.title}{detail}", style)
        if not check.passed and check.hint:
            screen.line(f"  {check.hint}")
    passed = sum(check.passed for check in report.checks)
    screen.line(f"{passed} of {len(report.checks)} checks passed.")


async def show_all(session: Session, args: argparse.Namespace) -> Answer:
    from .words import moment, size

    packages = await session.services.packaging.list()
    rows = [
        (
            p.name, p.id, p.snapshot, size(p.model_size), _whom(p), _checked(p.report),
            moment(p.created),
        )
        for p in packages
    ]  # fmt: skip
    columns = ("name", "id", "snapshot", "model", "for", "check", "created")
    empty = "There is no model package yet. Make one: jupyter mlops package create SNAPSHOT …"
    return Answer(packages, lambda screen: screen.table(columns, rows, empty))


def _whom(package: ModelPackage) -> str:
    return "trusted only" if package.trust else "anyone"


def _shape(schema: dict[str, Any] | None) -> str:
    """Of data, on one line."""
    if not schema:
        return "as its handler reads and writes it"
    if schema["type"] == "table":
        shown = [f"{c['name']} ({c['type']})" for c in schema["columns"][:_COLUMNS]]
        left = len(schema["columns"]) - len(shown)
        return f"table: {', '.join(shown)}{f' and {left} more' if left else ''}"
    if schema["type"] == "array":
        sizes = ", ".join("any" if size is None else str(size) for size in schema["shape"])
        return f"array of {schema['dtype']}, shape ({sizes})"
    if schema["type"] == "object":
        return f"object: {', '.join(schema['fields'])}"
    return str(schema["type"])


def _checked(report: ContractReport | None) -> str:
    if report is None:
        return "not checked"
    return "passed" if report.passed else "failed"


async def show_one(session: Session, args: argparse.Namespace) -> Answer:
    from .words import digest, moment, size

    package = await session.services.packaging.get(args.package)

    def show(screen: Screen) -> None:
        handler = package.handler
        screen.facts(
            {
                "name": package.name,
                "id": package.id,
                "owner": package.owner,
                "created": moment(package.created),
                "snapshot": package.snapshot,
                "image": digest(package.image),
                "model": f"{', '.join(package.model_files)} ({size(package.model_size)})",
                "format": package.format or "its handler's own",
                "trusted only": package.trust or "no",
                "handler": f"{handler.path} {handler.function}".strip()
                or "the model's own predict",
                "sample": package.sample.content_type,
                "input": _shape(package.schema.get("input")),
                "output": _shape(package.schema.get("output")),
                "serving layer": size(package.layer_size),
                "check": _checked(package.report),
                "approved by": ", ".join(a.by for a in package.approvals) or "nobody",
            }
        )
        if package.report:
            screen.line()
            _show_report(screen, package.report)

    return Answer(package, show)


async def remove(session: Session, args: argparse.Namespace) -> Answer:
    package = await session.services.packaging.get(args.package)
    session.confirm(f"Delete the model package {package.name} ({package.id})?")
    await session.services.packaging.delete(package.id)
    return Answer(
        {"deleted": package.id},
        lambda screen: screen.line(f"Deleted the model package {package.name}."),
    )
