"""The story by the command line alone, on real parts."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import docker
import nbformat
import pytest

from tests.parts.aws import Aws, Hosting
from tests.parts.engines import BASE_REF, OWNER
from tests.parts.registry import RunningRegistry

from .conftest import CommandLine
from .pipelines import Runner, check_both, github_scripts

pytestmark = [pytest.mark.docker, pytest.mark.aws, pytest.mark.registry]

HANDLER = """
import json, os

def model_fn(model_dir):
    return json.load(open(os.path.join(model_dir, "model.json")))

def predict_fn(rows, model):
    return [model["weight"] * sum(row) for row in rows]
"""
CELLS = (
    "%pip install -q cowsay==6.1",
    "import json, cowsay\nprint(cowsay.get_output_string('cow', 'trained'))",
    "json.dump({'weight': 2}, open('model.json', 'w'))\n"
    "json.dump([[1, 2], [3, 4]], open('sample.json', 'w'))\n"
    "json.dump([6, 14], open('expected.json', 'w'))",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    nbformat.write(notebook, folder / "train.ipynb")
    (folder / "inference.py").write_text(HANDLER)
    (folder / "environment.yaml").write_text("name: story\nbase: base\npython: [humanize==4.9.0]\n")
    return folder


@pytest.fixture
def base_in_registry(debian_base: str, registry: RunningRegistry) -> Iterator[str]:
    """A base image that a site keeps in its registry."""
    ref = f"{registry.host}/site/base:1"
    client = docker.from_env()
    client.images.get(BASE_REF).tag(ref)
    client.images.push(ref)
    client.images.remove(ref)
    yield ref
    # A pull leaves the registry's name for it, which is the user's to keep.
    with contextlib.suppress(docker.errors.ImageNotFound):
        client.images.remove(ref)
    client.close()


def run_pipeline(cli: CommandLine, folder: Path, snapshot: str) -> None:
    """What is generated for a CI system does what it says, on two machines that know nothing."""
    document = check_both(cli, folder, snapshot)
    for job in ("check", "deploy"):
        runner = Runner(folder / job, document["env"])
        try:
            for script in github_scripts(document, job):
                runner.run(script)
            assert runner.report("contract.json")["passed"] is True
            if job == "check":
                assert runner.report("reproduce.json")["passed"] is True
                assert runner.report("plan.json")["steps"]
                assert runner.report("gate.json")["passed"] is True
                card = (runner.folder / "reports" / "model-card.md").read_text()
                assert "doubler" in card and snapshot in card
                assert not (runner.folder / "reports" / "bundle").exists()
            else:
                assert runner.report("deployment.json")["state"] == "written"
                assert (runner.folder / "reports" / "bundle" / "deploy.py").exists()
            runner.run("jupyter mlops package create", ok=False)
        finally:
            runner.close()


def test_the_story(
    cli: CommandLine,
    project: Path,
    base_in_registry: str,
    registry: RunningRegistry,
    aws: Aws,
    hosting: Hosting,
) -> None:
    sagemaker = json.dumps(aws.settings(registry.host))
    cli.common += [
        "-c=engine=docker",
        f"-c=project={registry.project('story')}",
        f"-c=targets={{'sagemaker': {sagemaker}}}",
    ]
    info = cli.done("engine", "info")
    assert info["capabilities"]["name"] == "docker"

    base = cli.done("base", "pull", base_in_registry, "--name", "base")
    assert base["operation"].startswith("o-")
    revision = cli.done("env", "create", "--from", str(project / "environment.yaml"))
    assert (revision["environment"], revision["number"]) == ("story", 1)
    assert cli("env", "create", "--from", str(project / "environment.yaml")).code == 1
    assert "humanize" in cli("env", "lock", "story@1").out

    ran = cli.done("run", str(project / "train.ipynb"), "--env", "story", "--snapshot", "first")
    assert [change["name"] for change in ran["drift"]["added"]] == ["cowsay"]
    assert ran["drift"]["removed"] == ran["drift"]["changed"] == []
    snapshot = ran["snapshot"]["id"]
    shown = cli("snapshot", "show", "first")
    assert "+ cowsay 6.1" in shown.out
    diff = cli.done("snapshot", "diff", "story@1", "first")
    assert [change["name"] for change in diff["added"]] == ["cowsay"]

    published = cli.done("share", "publish", "first")
    assert published["publications"][0]["project"] == registry.project("story")
    assert [entry["id"] for entry in cli.done("share", "list")] == [snapshot]

    run_pipeline(cli, project.parent, snapshot)

    report = cli.done("reproduce", "first", "--into", str(project.parent / "again"))
    assert report["passed"] is True
    assert Path(report["report"]).is_file()

    package = cli.done(
        "package", "create", snapshot, "--name", "doubler", "--model", "model.json",
        "--handler", "inference.py", "--sample", "sample.json", "--expected", "expected.json",
    )  # fmt: skip
    refused = cli("deploy", "doubler", "--target", "local")
    assert refused.code == 1
    assert "has not been checked" in refused.err
    checked = cli.done("package", "check", "doubler")
    assert checked["passed"] is True
    assert checked["package"] == package["id"]
    refused = cli("package", "gate", "doubler", "--level", "L3", "--require-approval")
    assert refused.code == 1 and "is not approved: jupyter mlops package approve" in refused.out
    assert cli.done("package", "approve", "doubler", "--by", "ann")["approvals"][0]["by"] == "ann"
    assert cli.done("package", "gate", "doubler", "--level", "L3", "--require-approval")["passed"]
    card = project / "card.md"
    assert cli.done("package", "card", "doubler", "--output", str(card))["file"] == str(card)
    assert "| ann |" in card.read_text()

    for target, name in (("local", "here"), ("sagemaker", "there")):
        assert cli.done("deploy", "doubler", "--target", target, "--plan")["steps"]
        made = cli.done("deploy", "doubler", "--target", target, "--name", name)
        assert made["state"] == "running"
        assert json.loads(cli.done("deployment", "invoke", name)["body"]) == [6, 14]
        request = project / "request.json"
        request.write_text("[[5, 5]]")
        often = cli.done("deployment", "invoke", name, "--times", "5")
        assert json.loads(often["body"]) == [6, 14]
        assert often["latencies"]["requests"] == 5
        assert often["latencies"]["p50"] <= often["latencies"]["p99"]
        assert "5 requests: p50" in cli("deployment", "invoke", name, "--times", "5").err
        answer = cli("deployment", "invoke", name, "--body", str(request))
        assert json.loads(answer.out) == [20]
        request.write_text("nonsense")
        assert cli("deployment", "invoke", name, "--body", str(request)).code == 1
    listed = {d["name"]: d["state"] for d in cli.done("deployment", "list")}
    assert listed == {"here": "running", "there": "running"}
    assert cli.done("deployment", "stop", "here")["state"] == "stopped"
    assert "is stopped" in cli("deployment", "invoke", "here").err
    assert cli.done("deployment", "start", "here")["state"] == "running"
    refused = cli("deployment", "stop", "there")
    assert refused.code == 1 and "SageMaker cannot stop" in refused.err
    updated = cli.done("deployment", "update", "there", "--option", "variables.NOTE=new")
    assert updated["options"]["variables"] == {"NOTE": "new"}
    assert "nothing was changed" in cli("deployment", "update", "there").out
    assert cli.done("deployment", "rollback", "there")["options"]["variables"] == {}
    refused = cli("deployment", "approve", "there")
    assert refused.code == 1 and "nothing to approve or reject" in refused.err
    for name in listed:
        cli.done("deployment", "delete", name)
    assert cli.done("deployment", "list") == []

    kinds = [operation["kind"] for operation in cli.done("operation", "list")]
    for kind in ("base", "build", "run", "publish", "reproduce", "package", "check", "deploy"):
        assert kind in kinds
    log = cli("operation", "log", revision["operation"])
    assert "humanize" in log.out

    hosting.close()
    cli.done("package", "delete", "doubler")
    cli.done("snapshot", "delete", "first")
    assert cli.done("env", "delete", "story")["freed"] > 0
    cli.done("base", "delete", "base")
    client = docker.from_env()
    left = client.containers.list(all=True, filters={"label": f"io.jupyter-mlops.owner={OWNER}"})
    client.close()
    assert left == []


def test_progress_off_a_terminal_is_plain_lines_on_stderr(
    cli: CommandLine, base_in_registry: str
) -> None:
    ended = cli("-c=engine=docker", "base", "pull", base_in_registry, "--name", "base")
    assert ended.code == 0
    assert ended.out.startswith("Base image base is ready")
    assert "done in" in ended.err
    assert "\x1b" not in ended.out + ended.err
    cli.done("-c=engine=docker", "base", "delete", "base")


def test_a_failed_build_shows_the_end_of_its_log(
    cli: CommandLine, base_in_registry: str, tmp_path: Path
) -> None:
    cli.common.append("-c=engine=docker")
    cli.done("base", "pull", base_in_registry, "--name", "base")
    file = tmp_path / "environment.yaml"
    file.write_text("name: broken\nbase: base\npython: [humanize==0.0.0.1]\n")
    ended = cli("env", "create", "--from", str(file))
    assert ended.code == 1
    assert "humanize" in ended.err
    assert "Traceback" not in ended.err
    (operation, *_) = cli.done("operation", "list")
    assert operation["state"] == "failed"
    assert f"operation log {operation['id']}" in ended.err
    cli("env", "delete", "broken")
    cli.done("base", "delete", "base")
