"""The story through REST, as the browser asks for it: real Docker, kernels, registry.

One test, because each step lives on what the one before made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from traitlets.config import Config

from tests.parts.engines import OWNER
from tests.parts.registry import RunningRegistry
from tests.parts.services import Tiny

SPEC = """
name: story
base: debian
python: [humanize]
description: The story's
"""
PREDICT = "def predict(x):\n    return {'double': 2 * x}\n"
CELLS = (
    "import json, humanize",
    "json.dump({'factor': 2}, open('model.json', 'w'))",
    "print(humanize.intcomma(6 * 7000))",
)


@pytest.fixture
def mlops_config(services_config: Config, tiny_environment: Tiny) -> Config:
    return services_config


@pytest.fixture
def project(jp_root_dir: Path) -> Path:
    """A project whose notebook has not run yet."""
    folder = jp_root_dir / "project"
    folder.mkdir()
    (folder / "predict.py").write_text(PREDICT)
    (folder / "sample.json").write_text('{"data": {"x": 21}}')
    (folder / "expected.json").write_text('{"result": {"double": 42}}')
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in CELLS],
        metadata={"kernelspec": {"name": "mlops-story", "display_name": "story"}},
    )
    nbformat.write(notebook, folder / "train.ipynb")
    return folder


async def execute(jp_serverapp: Any, kernel_id: str, notebook: Path) -> None:
    """Run every cell in the kernel, and save its outputs, as JupyterLab does."""
    from nbclient import NotebookClient

    content = nbformat.read(notebook, as_version=4)
    manager = jp_serverapp.kernel_manager.get_kernel(kernel_id)
    client = NotebookClient(content, km=manager)
    client.kc = manager.client()
    client.kc.start_channels()
    await client.kc.wait_for_ready(timeout=60)
    for index, cell in enumerate(content.cells):
        await client.async_execute_cell(cell, index)
    client.kc.stop_channels()
    nbformat.write(content, notebook)


async def pip_install(jp_serverapp: Any, kernel_id: str, package: str) -> None:
    client = jp_serverapp.kernel_manager.get_kernel(kernel_id).client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    reply = await client.execute(
        f"import subprocess, sys; subprocess.run([sys.executable, '-m', 'pip', 'install', "
        f"'-q', {package!r}], check=True)",
        reply=True,
        timeout=120,
    )
    client.stop_channels()
    assert reply["content"]["status"] == "ok", reply["content"]


@pytest.mark.docker
@pytest.mark.registry
@pytest.mark.timeout(900)
async def test_the_story(
    api: Any,
    finished: Any,
    jp_fetch: Any,
    jp_serverapp: Any,
    jp_root_dir: Path,
    jp_base_url: str,
    project: Path,
    registry: RunningRegistry,
):
    engine = (await api("get", "engine")).json
    assert engine["capabilities"]["name"] == "docker" and engine["problem"] is None
    assert "debian" in [base["name"] for base in (await api("get", "bases")).json["items"]]

    # An environment, watched by its operation.
    accepted = await api("post", "environments", {"spec_text": SPEC})
    operation_url = accepted.headers["Location"]
    assert operation_url == f"{jp_base_url}mlops/operations/{accepted.json['id']}"
    built = await finished(accepted)
    assert built["state"] == "succeeded", built
    assert built["result"] == {"environment": "story", "revision": 1}
    assert {"resolve", "python", "probe", "freeze"} <= {p["name"] for p in built["phases"]}
    assert "humanize" in (await api("get", f"operations/{built['id']}/log")).json["text"]
    assert (await api("get", "environments/story")).json["active"] == 1
    (revision,) = (await api("get", "environments/story/revisions")).json["items"]
    assert (await api("get", "environments/story/revisions/1")).json == revision
    assert "humanize" in (await api("get", "environments/story/revisions/1/lock")).text
    inventory = (await api("get", "environments/story/revisions/1/inventory")).json
    assert "humanize" in [package["name"] for package in inventory["packages"]]
    same = (await api("get", "diff?a=story@1&b=tiny@1")).json
    assert same["added"] == same["removed"] == []

    # A failed build says why, and leaves the environment as it was.
    spec = {**revision["spec"], "python": ["humanize>=9999"]}
    failed = await finished(await api("post", "environments/story/revisions", {"spec": spec}))
    assert failed["state"] == "failed" and failed["error"]["code"] == "unsatisfiable", failed
    activated = await api("post", "environments/story/revisions/1/activate")
    assert activated.json["active"] == 1

    # A kernel, started as JupyterLab starts it.
    body = json.dumps({"name": "mlops-story", "path": "project/train.ipynb"})
    answer = await jp_fetch("api", "kernels", method="POST", body=body, request_timeout=60)
    kernel = json.loads(answer.body)["id"]
    await execute(jp_serverapp, kernel, project / "train.ipynb")
    await pip_install(jp_serverapp, kernel, "colorama")
    status = (await api("get", f"kernels/{kernel}")).json
    assert status["alive"] and status["environment"] == "story" and status["memory"] > 0
    assert [k["id"] for k in (await api("get", "kernels")).json["items"]] == [kernel]
    drift = (await api("get", f"kernels/{kernel}/drift")).json
    assert [change["name"] for change in drift["added"]] == ["colorama"]
    addable = (await api("get", f"kernels/{kernel}/additions")).json
    assert addable["left_out"] == []
    (colorama,) = addable["requirements"]
    assert colorama.startswith("colorama==")
    preview = (await api("get", f"kernels/{kernel}/preview")).json
    assert "model.json" in [file["path"] for file in preview["files"]]
    assert (await api("get", "engine")).json["containers"] >= 1
    refused = await api("delete", "environments/story")
    assert refused.status == 409, refused.text

    # What was installed goes into a new revision.
    added = await finished(
        await api("post", "environments/story/revisions", {"from_kernel": kernel})
    )
    result = added["result"]
    assert (result["revision"], result["previous"], result["summary"]) == (2, 1, "1 added"), added
    grown = (await api("get", "environments/story/revisions/2")).json
    assert grown["spec"]["python"] == ["humanize", colorama]
    refused = await api("post", "environments/tiny/revisions", {"from_kernel": kernel})
    assert refused.status == 409 and "'story'" in refused.text

    # Frozen, looked at, published, opened, reproduced.
    frozen = await finished(
        await api("post", "snapshots", {"kernel": kernel, "name": "first", "note": "n"})
    )
    assert frozen["state"] == "succeeded", frozen
    id = frozen["result"]["snapshot"]
    await jp_fetch("api", "kernels", kernel, method="DELETE", request_timeout=60)
    assert (await api("get", "snapshots?query=first")).json["items"][0]["id"] == id
    assert (await api("get", f"snapshots/{id}/findings")).json["items"] == []
    where = registry.project("team/story")
    published = await finished(await api("post", f"snapshots/{id}/publish", {"project": where}))
    assert published["state"] == "succeeded", published
    (entry,) = (await api("get", f"catalogue?project={where}")).json["items"]
    assert entry["id"] == id and entry["local"]
    opened = await finished(
        await api("post", "catalogue/open", {"project": where, "id": id, "directory": "opened"})
    )
    assert opened["result"] == {
        "snapshot": id,
        "kernel_name": f"mlops-{id}",
        "directory": "opened",
        "notebooks": ["train.ipynb"],
    }
    assert (jp_root_dir / "opened" / "model.json").exists()
    local = await finished(await api("post", f"snapshots/{id}/open", {"directory": "again"}))
    assert local["result"]["directory"] == "again" and (jp_root_dir / "again/predict.py").exists()
    outside = await api("post", f"snapshots/{id}/open", {"directory": "../elsewhere"})
    assert outside.status == 422
    specs = json.loads((await jp_fetch("api", "kernelspecs")).body)["kernelspecs"]
    assert {"mlops-story", "mlops-story.r1", f"mlops-{id}"} <= set(specs)
    reproduced = await finished(await api("post", f"snapshots/{id}/reproduce", {"into": "rerun"}))
    assert reproduced["state"] == "succeeded" and reproduced["result"]["passed"], reproduced
    assert reproduced["result"]["report"] == "rerun/reproduce-report.json"
    assert (jp_root_dir / reproduced["result"]["report"]).exists()
    report = (await api("get", f"reports/{id}")).json
    assert all(level["passed"] for level in report["levels"])

    # A model package, checked, deployed and asked.
    candidates = (await api("get", f"packages/candidates?snapshot={id}")).json
    assert "predict.py" in candidates["handlers"] or "predict.py" in candidates["functions"]
    made = await finished(
        await api(
            "post",
            "packages",
            {
                "snapshot": id,
                "name": "doubler",
                "model": ["model.json"],
                "handler": {"kind": "function", "path": "predict.py", "function": "predict"},
                "sample": "sample.json",
                "expected": "expected.json",
            },
        )
    )
    assert made["state"] == "succeeded", made
    package = made["result"]["package"]
    checked = await finished(await api("post", f"packages/{package}/check"), 240)
    report = (await api("get", f"packages/{package}")).json["report"]
    assert checked["result"]["passed"], [c for c in report["checks"] if not c["passed"]]
    assert [p["id"] for p in (await api("get", "packages")).json["items"]] == [package]
    gate = f"packages/{package}/gate?level=L3&approval=true"
    assert len((await api("get", gate)).json["missing"]) == 1
    approved = (await api("post", f"packages/{package}/approve", {"note": "go"})).json["approvals"]
    assert (approved[0]["by"], approved[0]["note"]) == (OWNER, "go")
    assert (await api("get", gate)).json["passed"]
    card = (await api("get", f"packages/{package}/card")).json["markdown"]
    assert card.startswith("---\n") and "Same results in" in card
    targets = {t["name"]: t for t in (await api("get", "targets")).json["items"]}
    assert targets["local"]["problems"] == [] and "properties" in targets["local"]["options"]
    wanted = {"package": package, "target": "local", "name": "doubler-1", "options": {}}
    assert (await api("post", "deployments/plan", wanted)).json["steps"]
    deployed = await finished(await api("post", "deployments", wanted))
    assert deployed["state"] == "succeeded", deployed
    deployment = deployed["result"]["deployment"]
    assert (await api("get", f"deployments/{deployment}")).json["state"] == "running"
    invoked = (await api("post", f"deployments/{deployment}/invoke", {})).json
    assert invoked["status"] == 200 and json.loads(invoked["body"]) == {"result": {"double": 42}}
    own = {"body": '{"data": {"x": 4}}', "content_type": "application/json"}
    invoked = (await api("post", f"deployments/{deployment}/invoke", own)).json
    assert json.loads(invoked["body"]) == {"result": {"double": 8}}
    often = (await api("post", f"deployments/{deployment}/invoke", {"times": 3})).json
    assert often["latencies"]["requests"] == 3
    assert sum(bar["count"] for bar in often["latencies"]["histogram"]) == 3
    assert (await api("get", f"deployments/{deployment}/logs")).json["text"]
    assert (await api("delete", f"packages/{package}")).status == 409

    # This machine updates nothing, and says so.
    refused = await finished(
        await api("patch", f"deployments/{deployment}", {"options": {"memory": 512}})
    )
    assert "cannot be updated" in refused["error"]["message"]
    refused = await finished(await api("post", f"deployments/{deployment}/rollback", {}))
    assert "no former version" in refused["error"]["message"]
    verdict = {"approved": True, "note": "fine"}
    assert (await api("post", f"deployments/{deployment}/review", verdict)).status == 409

    # Everything is taken away.
    await finished(await api("post", f"deployments/{deployment}/stop", {}))
    assert (await api("get", f"deployments/{deployment}")).json["state"] == "stopped"
    await finished(await api("post", f"deployments/{deployment}/start", {}))
    assert (await api("get", f"deployments/{deployment}")).json["state"] == "running"
    gone = await finished(await api("delete", f"deployments/{deployment}"))
    assert gone["state"] == "succeeded", gone
    assert (await api("get", f"deployments/{deployment}")).status == 404
    assert (await api("delete", f"packages/{package}")).status == 204
    assert (await api("delete", f"snapshots/{id}")).status == 204
    freed = await api("delete", "environments/story")
    assert freed.status == 200, freed.text
    assert (await api("get", "environments/story")).status == 404
    operations = (await api("get", "operations?limit=50")).json["items"]
    assert {o["kind"] for o in operations} >= {"build", "snapshot", "publish", "open", "deploy"}
