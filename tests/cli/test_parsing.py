"""What can be typed, and what is said about the rest."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator

import pytest

from jupyter_mlops.cli.configuration import UsageError
from jupyter_mlops.cli.deploy import parse_options
from jupyter_mlops.cli.main import main, parser

COMMANDS = """
base build|create|delete|list|pull
ci github|gitlab
deploy
deployment approve|delete|invoke|list|logs|reject|rollback|show|start|stop|update
engine info
env activate|build|create|delete|diff|list|lock|prune|show
kernel export|list|models|stop
operation cancel|list|log|show
package approve|card|check|create|delete|gate|list|show
reproduce
run
share list|open|publish
snapshot create|delete|diff|list|load|save|show
"""


def _choices(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _all() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for noun, noun_parser in _choices(parser()).items():
        verbs = _choices(noun_parser)
        if not verbs:
            yield noun, noun_parser
        for verb, verb_parser in verbs.items():
            yield f"{noun} {verb}", verb_parser


def test_these_are_the_commands() -> None:
    lines = []
    for noun, noun_parser in sorted(_choices(parser()).items()):
        verbs = "|".join(sorted(_choices(noun_parser)))
        lines.append(f"{noun} {verbs}".strip())
    assert lines == COMMANDS.strip().splitlines()


@pytest.mark.parametrize("command", [name for name, _ in _all()])
def test_each_has_help_and_the_common_options(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), "--help"]) == 0
    said = capsys.readouterr().out
    for option in ("--json", "--config", "-c KEY=VALUE"):
        assert option in said


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["env"],
        ["env", "shwo"],
        ["conjure"],
        ["run", "x.ipynb"],
        ["deploy", "p"],
        ["base", "create", "windows"],
        ["env", "activate", "x", "first"],
        ["engine", "info", "--wrong"],
        ["engine", "info", "-c", "ownr=ann"],
        ["engine", "info", "-c", "owner"],
        ["engine", "info", "--config", "/nowhere/config.py"],
    ],
)
def test_a_slip_is_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err
    assert "Traceback" not in said.err


def test_a_slip_of_a_setting_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "info", "-c", "proyect=x"]) == 2
    assert "Did you mean project?" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip()


def test_help_is_quick_because_it_imports_little() -> None:
    code = (
        "import sys; from jupyter_mlops.cli.main import main; main(['--help']);"
        "print(*sorted(m for m in ('docker', 'boto3', 'sqlalchemy', 'rich', 'pydantic', 'httpx',"
        "'nbformat', 'asyncio', 'jupyter_mlops.wiring') if m in sys.modules), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr.strip() == ""


def test_options_of_a_target_are_typed_by_its_schema() -> None:
    schema = {
        "properties": {
            "region": {"type": "string"},
            "memory": {"enum": [1024, 2048], "type": "integer"},
            "public": {"type": "boolean"},
            "variables": {"type": "object"},
            "port": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        }
    }
    given = ["region=1", "memory=2048", "public=true", "variables.A=1", "variables.B=x=y", "port=7"]
    assert parse_options(given, schema) == {
        "region": "1",
        "memory": 2048,
        "public": True,
        "variables": {"A": "1", "B": "x=y"},
        "port": 7,
    }
    # What the schema cannot place is the target's to refuse, by name.
    assert parse_options(["other=1"], schema) == {"other": "1"}
    with pytest.raises(UsageError, match="KEY=VALUE"):
        parse_options(["region"], schema)
