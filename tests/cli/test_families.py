"""Environments that follow another one, and what deleting gives back, in a terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import nbformat
import pytest

from tests.parts.services import make_config, with_base

from .conftest import CommandLine

pytestmark = pytest.mark.docker


@pytest.fixture
def files(cli: CommandLine, debian_base: str, tmp_path: Path) -> Path:
    data, runtime = (Path(option.partition("=")[2]) for option in cli.common[:2])
    asyncio.run(with_base(make_config(data, runtime, "docker"), debian_base))
    cli.common.append("--Mlops.engine=docker")
    folder = tmp_path / "files"
    folder.mkdir()
    cell = nbformat.v4.new_code_cell("import humanize; print(humanize.__version__)")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "smoke.ipynb")
    (folder / "team.yaml").write_text("name: team\nbase: debian\npython: [humanize==4.6.0]\n")
    (folder / "newer.yaml").write_text("name: team\nbase: debian\npython: [humanize==4.9.0]\n")
    (folder / "mine.yaml").write_text(
        "name: mine\nbase: team@active\npython: [six]\nsmoke: smoke.ipynb\n"
    )
    return folder


def test_followers_and_what_deleting_gives_back(cli: CommandLine, files: Path) -> None:
    cli.done("env", "create", "--from", str(files / "team.yaml"))
    cli.done("env", "create", "--from", str(files / "mine.yaml"))
    (files / "smoke.ipynb").unlink()  # It was kept.
    built = cli("env", "build", "team", "--from", str(files / "newer.yaml"))
    assert built.code == 0, built.err
    assert "Since revision 1:\n~ humanize 4.6.0 → 4.9.0\n1 changed." in built.out
    assert "mine followed: revision 2 is active.\n  ~ humanize 4.6.0 → 4.9.0" in built.out

    mine = [o for o in cli.done("operation", "list") if o["subject"] == "mine"]
    (operation,) = [o for o in mine if o["result"]["revision"] == 2]
    shown = cli("operation", "show", operation["id"]).out
    assert "Packages since revision 1:\n~ humanize 4.6.0 → 4.9.0\n1 changed." in shown
    assert "-- cell 1\n4.9.0\n" in cli("operation", "log", operation["id"]).out
    assert "children  mine" in cli("env", "show", "team").out
    assert "passed" in cli("env", "show", "mine").out

    back = cli.done("env", "activate", "team", "1")
    assert [(f["environment"], f["active"]) for f in back["followers"]] == [("mine", 1)]

    refused = cli("env", "delete", "team@2")
    assert refused.code == 1 and "mine@2 was built on it" in refused.err
    before = cli.done("env", "delete", "mine@2", "--dry-run")
    assert before["revisions"] == ["mine@2"] and not before["deleted"] and before["freed"] > 0
    said = cli("env", "prune", "mine", "--dry-run").out
    assert "Would delete mine@2.\n" in said and "would be free again." in said
    pruned = cli.done("env", "prune")
    assert pruned["deleted"] and pruned["revisions"] == ["mine@2"]
    assert pruned["freed"] == before["freed"]
    assert [k["revision"] for k in pruned["kept"]] == ["team@2"]
    assert "There is nothing to delete." in cli("env", "prune", "mine").out
    for name in ("mine", "team"):
        foretold = cli.done("env", "delete", name, "--dry-run")
        done = cli("env", "delete", name)
        assert f"Deleted the environment {name} with its " in done.out
        assert foretold["freed"] > 0 and "are free again" in done.out
    assert cli.done("env", "list") == []
