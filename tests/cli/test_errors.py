"""What is said when something cannot be: a message, a hint, an exit code, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import CommandLine


def test_no_engine(cli: CommandLine, tmp_path: Path) -> None:
    missing = f"engine_url=unix://{tmp_path}/none.sock"
    ended = cli("engine", "info", "-c", missing)
    assert ended.code == 1
    assert ended.out == ""
    assert "Traceback" not in ended.err
    message, hint = ended.err.strip().split("\n", 1)
    assert "none.sock" in message
    assert hint

    ended = cli("engine", "info", "-c", missing, "--json")
    assert ended.code == 1
    error = ended.data["error"]
    assert error["code"] == "engine_unavailable"
    assert error["message"]
    assert error["hint"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("env show none", "no environment named 'none'"),
        ("env create --from none.yaml", "none.yaml cannot be read"),
        ("run none.ipynb --env x", "no notebook none.ipynb"),
        ("snapshot show none", "no snapshot none"),
        ("snapshot load none.tar", "no file none.tar"),
        ("share list", "No project"),
        ("package show none", "none"),
        ("deployment show none", "no deployment 'none'"),
        ("deployment invoke none", "no deployment 'none'"),
        ("deploy none --target moon", "no target 'moon'"),
        ("operation show none", "no operation none"),
        ("base pull Not/A_Ref!", "not an image reference"),
    ],
)
def test_a_missing_thing_is_named(cli: CommandLine, command: str, said: str) -> None:
    ended = cli(*command.split())
    assert ended.code == 1
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""


def test_json_errors_are_one_line_of_json(cli: CommandLine) -> None:
    ended = cli("snapshot", "show", "none", "--json")
    assert ended.code == 1
    assert len(ended.out.strip().splitlines()) == 1
    assert json.loads(ended.out)["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    "noun", ["base", "env", "kernel", "snapshot", "package", "deployment", "operation"]
)
def test_an_empty_list_says_what_to_do(cli: CommandLine, noun: str) -> None:
    ended = cli(noun, "list")
    assert ended.code == 0
    assert ended.out == ""
    assert ended.err.strip().endswith((".", "debian", "FILE", "NAME", "…", "local"))
    assert cli.done(noun, "list") == []


def test_a_fault_of_ours_is_admitted(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    import jupyter_mlops.wiring

    def broken(*given: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(jupyter_mlops.wiring, "build", broken)
    ended = cli("env", "list")
    assert ended.code == 1
    assert "fault of jupyter-mlops" in ended.err
    assert "Traceback" not in ended.err
    with pytest.raises(ZeroDivisionError):
        cli("env", "list", "--debug")


def test_a_specification_with_a_mistake(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "environment.yaml"
    file.write_text("name: Bad Name\nbase: debian\n")
    ended = cli("env", "create", "--from", str(file))
    assert ended.code == 1
    assert "Bad Name" in ended.err
