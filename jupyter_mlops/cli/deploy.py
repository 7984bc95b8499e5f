"""``jupyter mlops deploy``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..core.deployment import DeploymentState
from .commands import Answer, command

if TYPE_CHECKING:
    from .screen import Screen
    from .session import Session


def register(nouns: Any, common: argparse.ArgumentParser) -> None:
    parser = command(nouns, common, "deploy", "run a model package on a target", execute)
    parser.add_argument("package", metavar="PACKAGE", nargs="?", default="", help="id or name")
    parser.add_argument("--target", required=True, metavar="NAME", help="local, bundle, …")
    parser.add_argument("--name", default="", help="of the deployment (default: the package's)")
    parser.add_argument(
        "--option",
        dest="options",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="an option of the target, such as region=eu-west-1 or variables.LEVEL=3; "
        "may be repeated",
    )
    parser.add_argument(
        "--update",
        action="store_true",
        help="where a deployment of that name runs with another package or other options, update "
        "it (in CI: the same command for the first time and for every later one)",
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--plan", action="store_true", help="only show what would be created")
    only.add_argument(
        "--explain-iam",
        action="store_true",
        help="only print the rights that a deployment with these options needs, as IAM policies; "
        "no PACKAGE is needed",
    )


async def execute(session: Session, args: argparse.Namespace) -> Answer:
    from .configuration import UsageError

    deploying = session.services.deploying
    options = parse_options(args.options, await deploying.schema(args.target))
    if args.explain_iam:
        return await _explain(session, args, options)
    if not args.package:
        raise UsageError("Name the PACKAGE to deploy.")
    if args.plan:
        plan = await deploying.plan(args.package, args.target, args.name, options)

        def show_plan(screen: Screen) -> None:
            for number, step in enumerate(plan.steps, 1):
                screen.line(f"{number}. {step}")
            screen.line(f"Cost: {plan.cost}" if plan.cost else "")

        return Answer(plan, show_plan)
    made = await session.work(
        "deploy",
        args.name or args.package,
        lambda progress: deploying.deploy(
            args.package, args.target, args.name, options, progress, update=args.update
        ),
        lambda deployment: {"deployment": deployment.id},
    )

    unchanged = session.operation is not None and session.operation.phase == "unchanged"

    def show(screen: Screen) -> None:
        if unchanged:
            screen.line("It is there already, just so: nothing was changed.")
        screen.line(f"Deployment {made.name} ({made.id}) is {made.state.value}: {made.endpoint}")
        if made.state is DeploymentState.WRITTEN:
            screen.line(f"{made.status}. README.md says what each file is, and what to do with it.")
            return
        screen.line(f"Ask it for a prediction: jupyter mlops deployment invoke {made.name}")

    return Answer(session.record(made), show)


async def _explain(
    session: Session, args: argparse.Namespace, options: Mapping[str, Any]
) -> Answer:
    found = await session.services.deploying.policies(args.target, args.name, options)

    def show(screen: Screen) -> None:
        for policy in found:
            screen.line(policy.title, style="bold")
            screen.text(json.dumps(policy.document, indent=2))
            screen.line()

    return Answer({policy.name: policy.document for policy in found}, show)


def parse_options(given: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """``key=value`` texts as the target's JSON Schema types them; ``key.inner=value`` goes into
    a dictionary. Raises UsageError."""
    from .configuration import UsageError

    options: dict[str, Any] = {}
    properties: Mapping[str, Any] = schema.get("properties", {})
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--option {text}: write it as KEY=VALUE.")
        key, dot, inner = key.partition(".")
        if dot:
            options.setdefault(key, {})[inner] = value
        else:
            options[key] = _typed(value, properties.get(key, {}))
    return options


def _typed(value: str, schema: Mapping[str, Any]) -> Any:
    """A text stays a text unless the schema wants something else, which JSON can write."""
    kinds = [schema, *schema.get("anyOf", ())]
    if any(kind.get("type") == "string" for kind in kinds) or not any(
        "type" in kind or "enum" in kind for kind in kinds
    ):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
