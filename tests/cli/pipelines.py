"""Generated pipelines: judged by the CI systems' own schemas, and their steps run in a shell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.parts.engines import OWNER

SCHEMAS = {"github": "vendor.github-workflows", "gitlab": "vendor.gitlab-ci"}


def judged(system: str, file: Path) -> None:
    """Fails the test unless the system's JSON schema accepts the file."""
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[system], str(file)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class Runner:
    """A machine of a CI system: nothing is there but our command, an engine and the registry."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        folder.mkdir()
        self._runtime = tempfile.mkdtemp(prefix="jm-", dir="/tmp")  # Sockets have 107 bytes.
        config = folder / "config"
        config.mkdir()
        settings = {
            "data_dir": str(folder / "data"), "runtime_dir": self._runtime,
            "owner": OWNER, "engine": "docker",
        }  # fmt: skip
        (config / "jupyter_server_config.json").write_text(json.dumps({"Mlops": settings}))
        here = str(Path(__file__).parents[2])
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("REGISTRY_")},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": here,
            "JUPYTER_CONFIG_DIR": str(config),
            **variables,
        }

    def run(self, script: str, ok: bool = True) -> None:
        """As the systems do: ``bash -e``, stopped by the first command that fails."""
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=280,
        )
        assert (done.returncode == 0) == ok, f"{script}\n{done.stdout}\n{done.stderr}"

    def report(self, name: str) -> Any:
        return json.loads((self.folder / "reports" / name).read_text())

    def close(self) -> None:
        shutil.rmtree(self._runtime, ignore_errors=True)


def github_scripts(document: dict[str, Any], job: str) -> list[str]:
    """Of every step but the installation: what is tested is there already."""
    steps = document["jobs"][job]["steps"]
    return [step["run"] for step in steps if "run" in step and step["name"] != "Install"]


def check_both(cli: Any, folder: Path, snapshot: str) -> dict[str, Any]:
    """Write both files; returns GitHub's, read. Both have the same commands."""
    asked = [
        snapshot, "--name", "doubler", "--model", "model.json", "--handler", "inference.py",
        "--sample", "sample.json", "--expected", "expected.json",
        "--target", "bundle", "--option", "folder=reports/bundle",
    ]  # fmt: skip
    found: dict[str, Any] = {}
    for system in SCHEMAS:
        file = folder / f"{system}.yml"
        cli.done("ci", system, *asked, "--output", str(file))
        judged(system, file)
        found[system] = yaml.safe_load(file.read_text())
        assert "There is a file" in cli("ci", system, *asked, "--output", str(file)).err
        assert file.read_text() in cli("ci", system, *asked).out
    github, gitlab = found["github"], found["gitlab"]
    for job in ("check", "deploy"):
        assert gitlab[job]["script"] == github_scripts(github, job)
    assert github["jobs"]["deploy"]["environment"] == "production"
    assert gitlab["deploy"]["rules"][0]["when"] == "manual"
    wrong = cli("ci", "github", *asked, "--option", "colour=red")
    assert wrong.code == 2 and "no option 'colour'" in wrong.err
    lacking = cli("ci", "github", *asked[:-4], "--target", "kserve")
    assert lacking.code == 2 and "folder, repository" in lacking.err
    return github
