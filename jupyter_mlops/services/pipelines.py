"""The steps by which a CI system takes a published snapshot to a target, each with its gate.

The steps are shell commands of our own command line, the same on every CI system. A runner needs
Python, a container engine of its own machine, and the registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote

from ..core.errors import InvalidError
from ..core.gate import LEVELS

REPORTS = "reports"
"""Folder of what the steps write: reports, the plan, and a file target's folder."""


@dataclass(frozen=True)
class Pipeline:
    """What is deployed, and where, when somebody sets a tag."""

    snapshot: str
    project: str
    """``registry/team/name`` that the runner opens the snapshot from."""
    package: str
    """Name of the model package."""
    model: tuple[str, ...]
    handler: str
    function: str
    sample: str
    expected: str
    content_type: str
    target: str
    options: tuple[str, ...]
    """``key=value``."""
    deployment: str
    require: str
    """The level of reproduction that must be reached; empty asks for none."""
    approval: str
    """Name of the environment that the deploying job is for; empty deploys unasked."""
    tag: str
    """Pattern of the tags that start it, such as ``v*``."""
    runner: str
    install: str
    """Command that installs us on the runner."""

    def __post_init__(self) -> None:
        if self.require and self.require not in LEVELS:
            raise InvalidError(
                f"There is no level {self.require!r} of reproduction.",
                f"Levels: {', '.join(LEVELS)}.",
            )


@dataclass(frozen=True)
class Step:
    name: str
    script: str
    """For ``bash -e``."""
    login: bool = False
    """Whether it needs the registry's user and password."""
    account: bool = False
    """Whether it needs the target's credentials."""


def check_steps(pipeline: Pipeline) -> tuple[Step, ...]:
    """Everything that must pass before anybody is asked to approve."""
    steps = list(_package_steps(pipeline))
    if pipeline.require:
        script = (
            f'jupyter mlops reproduce "$SNAPSHOT" --into reproduced --require {pipeline.require} '
            f"--json > {REPORTS}/reproduce.json"
        )
        steps.insert(2, Step(f"Run it again, to level {pipeline.require}", script))
    package = quote(pipeline.package)
    level = f" --level {pipeline.require}" if pipeline.require else ""
    gate = f"jupyter mlops package gate {package}{level} --json > {REPORTS}/gate.json"
    card = f"jupyter mlops package card {package} --output {REPORTS}/model-card.md"
    plan = f"{_deploy(pipeline)} --plan --json > {REPORTS}/plan.json"
    return (
        *steps,
        Step("Ask the gate", gate),
        Step("Write the model card", card),
        Step("Plan the deployment", plan, account=True),
    )


def deploy_steps(pipeline: Pipeline) -> tuple[Step, ...]:
    """On a runner that may be another machine: the package is made and checked there again, and
    ``deploy`` refuses one that has not passed. The second tag updates what the first deployed."""
    script = f"{_deploy(pipeline)} --update --json > {REPORTS}/deployment.json"
    return (*_package_steps(pipeline), Step("Deploy", script, account=True))


def _package_steps(pipeline: Pipeline) -> tuple[Step, ...]:
    create = ["jupyter mlops package create", '"$SNAPSHOT"', "--name", quote(pipeline.package)]
    for path in pipeline.model:
        create += ["--model", quote(path)]
    for option, value in (
        ("--handler", pipeline.handler),
        ("--function", pipeline.function),
        ("--sample", pipeline.sample),
        ("--expected", pipeline.expected),
        ("--content-type", pipeline.content_type),
    ):
        if value:
            create += [option, quote(value)]
    host = quote(pipeline.project.partition("/")[0])
    login = (
        'if [ -n "${REGISTRY_USER:-}" ]; then\n'
        '  printf %s "$REGISTRY_PASSWORD" |\n'
        f'    docker login {host} --username "$REGISTRY_USER" --password-stdin\n'
        "fi"
    )
    check = f"jupyter mlops package check {quote(pipeline.package)}"
    return (
        Step("Log in to the registry", login, login=True),
        Step(
            "Open the snapshot",
            f'mkdir -p {REPORTS}\njupyter mlops share open "$SNAPSHOT" --project "$PROJECT"',
        ),
        Step("Make the model package", " ".join(create)),
        Step("Check the serving contract", f"{check} --json > {REPORTS}/contract.json"),
    )


def _deploy(pipeline: Pipeline) -> str:
    words = ["jupyter mlops deploy", quote(pipeline.package), "--target", quote(pipeline.target)]
    words += ["--name", quote(pipeline.deployment)]
    for option in pipeline.options:
        words += ["--option", quote(option)]
    return " ".join(words)
