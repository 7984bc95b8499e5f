"""Every noun's verbs as far as they need no container: accepted, refused, and in plain words."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from traitlets.config import Config

from jupyter_mlops.core.environment import Environment, EnvironmentSpec
from jupyter_mlops.core.operation import Operation, OperationState

SPEC = {"name": "churn", "base": "debian"}


def environment(name: str) -> Environment:
    spec = EnvironmentSpec(name, "debian", description=f"about {name}")
    return Environment(name, "ada", spec, "2026-11-22T10:00:00+00:00", active=1, latest=1)


async def test_settings_and_the_description_of_the_interface(api, mlops_config):
    answer = await api("get", "settings")
    assert answer.json == {"project": "", "owner": mlops_config.Mlops.owner}
    answer = await api("get", "openapi.yaml")
    assert "openapi: 3.1.0" in answer.text


async def test_packages_are_imported(api, jp_root_dir):
    (jp_root_dir / "project").mkdir()
    (jp_root_dir / "project" / "requirements.txt").write_text("-r more.txt\n-e .\n")
    (jp_root_dir / "project" / "more.txt").write_text("six\n")
    found = (await api("post", "imports", {"path": "project/requirements.txt"})).json
    assert found["python"] == ["six"]
    assert [left["name"] for left in found["left_out"]] == ["."]
    own = (await api("post", "imports", {})).json
    assert any(text.startswith("jupyter-server==") for text in own["python"])


async def test_limits_follow_their_notebook(api, jp_fetch, jp_root_dir):
    async def chosen(path):
        return (await api("get", f"limits?notebook={path}")).json["chosen"]["memory"]

    async def rename(path, to):
        await jp_fetch(
            "api", "contents", *path.split("/"), method="PATCH", body=json.dumps({"path": to})
        )

    (jp_root_dir / "old").mkdir()
    for name in ("a.ipynb", "b.ipynb"):
        (jp_root_dir / "old" / name).write_text("{}")
    body = {"notebook": "old/a.ipynb", "limits": {"memory": "1GiB", "network": "none"}}
    answer = await api("put", "limits", body)
    assert answer.json["next"]["resources"]["memory"] == 1024**3
    assert answer.json["next"]["network"] == "none"
    assert answer.json["machine"]["memory"] > 0 and answer.json["enforced"]
    assert answer.json["environment"]["resources"]["memory"] == 0

    async def until(path, wanted):
        # Whoever listens to the server's events hears of it after the answer.
        with anyio.fail_after(20):
            while True:
                if await chosen(path) == wanted:
                    return
                await anyio.sleep(0.02)

    await rename("old/a.ipynb", "old/c.ipynb")
    await until("old/c.ipynb", 1024**3)
    await rename("old", "new")
    await until("new/c.ipynb", 1024**3)
    assert await chosen("old/a.ipynb") is None and await chosen("old/c.ipynb") is None
    await jp_fetch("api", "contents", "new", "c.ipynb", method="DELETE")
    await until("new/c.ipynb", None)

    await api("put", "limits", {**body, "notebook": "new/b.ipynb"})
    await api("put", "limits", {"notebook": "new/b.ipynb", "limits": {}})
    assert await chosen("new/b.ipynb") is None


@pytest.mark.parametrize(
    ("verb", "path", "body", "status", "code"),
    [
        ("get", "environments/none", None, 404, "not_found"),
        ("patch", "environments/none", {"description": "x"}, 404, "not_found"),
        ("delete", "environments/none", None, 404, "not_found"),
        ("get", "environments/none/revisions/1", None, 404, "not_found"),
        ("get", "environments/none/revisions/1/lock", None, 404, "not_found"),
        ("get", "environments/none/revisions/1/inventory", None, 404, "not_found"),
        ("post", "environments/none/revisions/1/activate", None, 404, "not_found"),
        ("post", "environments/churn/revisions", {"spec": SPEC}, 404, "not_found"),
        ("post", "environments/other/revisions", {"spec": SPEC}, 422, "invalid"),
        ("post", "environments/none/revisions", {"from_kernel": "none"}, 404, "not_found"),
        ("post", "environments/churn/revisions", {}, 422, "invalid"),
        ("post", "imports", {"path": "../requirements.txt"}, 422, "invalid"),
        ("post", "imports", {"path": "none.txt"}, 422, "invalid"),
        ("get", "kernels/none/additions", None, 404, "not_found"),
        ("get", "kernels/none", None, 404, "not_found"),
        ("get", "limits", None, 422, "invalid"),
        ("get", "limits?notebook=../a.ipynb", None, 422, "invalid"),
        ("put", "limits", {"notebook": "a", "limits": {"memory": "1MiB"}}, 422, "invalid"),
        ("put", "limits", {"notebook": "a", "limits": {"memory": "all"}}, 422, "invalid"),
        ("put", "limits", {"notebook": "a", "limits": {"network": "open"}}, 422, "invalid"),
        ("put", "limits", {"notebook": "a", "limits": {"ram": 1}}, 422, "invalid"),
        ("get", "kernels/none/drift", None, 404, "not_found"),
        ("get", "kernels/none/preview", None, 409, "kernel_dead"),
        ("get", "snapshots/none", None, 404, "not_found"),
        ("delete", "snapshots/none", None, 404, "not_found"),
        ("get", "snapshots/none/findings", None, 404, "not_found"),
        ("post", "snapshots/none/publish", {"project": "r.example/a/b"}, 404, "not_found"),
        ("post", "snapshots/none/open", {"directory": "x"}, 404, "not_found"),
        ("post", "snapshots/none/reproduce", {"into": "x"}, 404, "not_found"),
        ("get", "reports/none", None, 404, "not_found"),
        ("post", "snapshots", {"kernel": "none", "name": "n"}, 404, "not_found"),
        ("get", "catalogue", None, 422, "invalid"),
        ("post", "catalogue/open", {"id": "s-1"}, 422, "invalid"),
        ("get", "diff?a=none&b=none", None, 404, "not_found"),
        ("get", "diff?a=none", None, 422, "invalid"),
        ("get", "packages/none", None, 404, "not_found"),
        ("delete", "packages/none", None, 404, "not_found"),
        ("post", "packages/none/check", None, 404, "not_found"),
        ("post", "packages/none/approve", {}, 404, "not_found"),
        ("get", "packages/none/gate", None, 404, "not_found"),
        ("get", "packages/none/gate?level=L9", None, 422, "invalid"),
        ("get", "packages/none/card", None, 404, "not_found"),
        ("get", "packages/candidates", None, 422, "invalid"),
        ("get", "packages/candidates?snapshot=none", None, 404, "not_found"),
        ("get", "deployments/none", None, 404, "not_found"),
        ("delete", "deployments/none", None, 404, "not_found"),
        ("get", "deployments/none/logs", None, 404, "not_found"),
        ("post", "deployments/none/invoke", {}, 404, "not_found"),
        ("post", "deployments", {"package": "none", "target": "local"}, 404, "not_found"),
        ("post", "deployments/plan", {"package": "none", "target": "moon"}, 404, "not_found"),
        ("get", "operations/none", None, 404, "not_found"),
        ("delete", "operations/none", None, 404, "not_found"),
        ("get", "operations/none/log", None, 404, "not_found"),
        ("get", "operations?state=tired", None, 422, "invalid"),
        ("get", "operations?limit=many", None, 422, "invalid"),
        ("get", "environments?limit=0", None, 422, "invalid"),
        ("delete", "bases/none", None, 404, "not_found"),
    ],
)
async def test_what_is_refused(api, verb, path, body, status, code):
    answer = await api(verb, path, body)
    assert (answer.status, answer.code) == (status, code), answer.text
    assert answer.json["message"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("bases", {"kind": "debian"}, "name"),
        ("bases", {"kind": "pull", "name": "base"}, "ref"),
        ("bases", {"kind": "dockerfile", "name": "base"}, "path"),
        ("bases", {"kind": "dockerfile", "name": "base", "path": "../up"}, "outside the folder"),
        ("bases", {"kind": "dockerfile", "name": "base", "path": "x", "text": "FROM x"}, "both"),
        ("bases", {"kind": "debian", "name": "base", "suite": "-evil"}, "suite"),
        ("bases", {"kind": "debian", "name": "Base Image"}, "Base Image"),
        ("environments", {}, "spec"),
        ("environments", {"spec": SPEC, "spec_text": "name: churn"}, "spec"),
        ("environments", {"spec": {**SPEC, "pyton": ["pandas"]}}, "spec.pyton"),
        ("environments", {"spec": {**SPEC, "name": "Churn!"}}, "Churn!"),
        ("environments", {"spec_text": "name: churn\nbase: debian\npyton: [x]"}, "pyton"),
        ("snapshots", {"kernel": "k", "name": ""}, "name"),
        ("snapshots", {"kernel": "k", "name": "n", "more": 1}, "more"),
        ("packages", {"snapshot": "s", "name": "n"}, "model"),
        ("deployments", {"package": "p"}, "target"),
        ("catalogue/open", {"project": "r.example/a/b"}, "id"),
    ],
)
async def test_a_body_that_is_not_understood_names_the_field(api, path, body, field):
    answer = await api("post", path, body)
    assert (answer.status, answer.code) == (422, "invalid"), answer.text
    assert field in answer.json["message"]


async def test_a_body_that_is_no_json(api):
    answer = await api("post", "environments", "name: churn")
    assert (answer.status, answer.code) == (400, "bad_request")
    assert "not JSON" in answer.json["message"]


async def test_an_unforeseen_error_shows_no_traceback(api, running, monkeypatch):
    services = await running.services()

    async def broken(**_: Any) -> None:
        raise KeyError("/home/ada/secret")

    monkeypatch.setattr(services.environments, "list", broken)
    answer = await api("get", "environments")
    assert (answer.status, answer.code) == (500, "internal")
    assert "Traceback" not in answer.text and "secret" not in answer.text


async def test_lists_come_in_pages(api, running):
    services = await running.services()
    for number in range(5):
        await services.store.environments.save(environment(f"e{number}"))
    first = (await api("get", "environments?limit=2")).json
    assert [item["name"] for item in first["items"]] == ["e4", "e3"] and first["next"] == "e3"
    second = (await api("get", "environments?limit=3&after=e3")).json
    assert [item["name"] for item in second["items"]] == ["e2", "e1", "e0"]
    assert second["next"] is None
    found = (await api("get", "environments?query=e3")).json
    assert [item["name"] for item in found["items"]] == ["e3"]
    assert (await api("get", "environments/e3")).json["spec"]["description"] == "about e3"


async def test_an_environment_whose_name_is_taken_is_told_at_once(api, running):
    services = await running.services()
    await services.store.environments.save(environment("churn"))
    answer = await api("post", "environments", {"spec": SPEC})
    assert (answer.status, answer.code) == (409, "conflict")
    assert (await api("get", "operations")).json["items"] == []


async def test_a_description_can_be_changed(api, running):
    services = await running.services()
    await services.store.environments.save(environment("churn"))
    answer = await api("patch", "environments/churn", {"description": "new words"})
    assert answer.json["spec"]["description"] == "new words"
    assert (await api("patch", "environments/churn", {"name": "x"})).status == 422


async def test_nothing_is_old_where_no_revision_is(api, running):
    for verb in ("get", "delete"):
        answer = await api(verb, "old-revisions")
        assert (answer.status, answer.json["revisions"], answer.json["freed"]) == (200, [], 0)


async def test_operations_are_listed_watched_and_cancelled(api, running, jp_base_url):
    services = await running.services()
    begun = asyncio.Event()

    async def work(progress: Any) -> dict[str, Any]:
        progress.phase("python", "Installing")
        progress.log("one\ntwo ü\n")
        begun.set()
        await asyncio.sleep(60)
        return {}

    started = await services.operations.start("build", "churn", work)
    await begun.wait()
    (listed,) = (await api("get", "operations?state=running")).json["items"]
    assert listed["id"] == started.id and listed["phase"] == "python"
    log = (await api("get", f"operations/{started.id}/log")).json
    assert log["text"].endswith("one\ntwo ü\n")
    again = (await api("get", f"operations/{started.id}/log?offset={log['next']}")).json
    assert again == {"text": "", "next": log["next"]}
    cancelled = await api("delete", f"operations/{started.id}")
    assert cancelled.json["state"] == "cancelled" and cancelled.json["ended"]
    assert (await api("get", "operations?state=running")).json["items"] == []


async def test_operations_of_a_dead_server_are_interrupted_at_the_first_request(api, mlops_config):
    from jupyter_mlops.store.store import SqlStore

    store = SqlStore(Path(mlops_config.Mlops.data_dir) / "mlops.sqlite")
    left = Operation("o-1", "build", "churn", OperationState.RUNNING, "2020-01-01T00:00:00+00:00")
    # The number of no process: Linux ends at 2**22.
    await store.operations.save(replace(left, pid=2**22 + 1))
    await store.close()
    (operation,) = (await api("get", "operations")).json["items"]
    assert operation["state"] == "interrupted" and "Start it again" in operation["message"]


@pytest.mark.parametrize("path", ["../outside", "a/../../outside", "/../..", "link/inside"])
async def test_files_are_only_put_below_the_folder_that_jupyter_shows(
    running, jp_root_dir, jp_serverapp, tmp_path, path
):
    from jupyter_mlops.core.errors import InvalidError
    from jupyter_mlops.server.handlers.base import MlopsHandler

    (jp_root_dir / "link").symlink_to(tmp_path)
    handler = MlopsHandler.__new__(MlopsHandler)
    handler.application = jp_serverapp.web_app
    with pytest.raises(InvalidError, match="outside"):
        handler.below_root(path)
    inside = handler.below_root("/project/run 1")
    assert inside == jp_root_dir.resolve() / "project/run 1"
    assert handler.shown_path(inside) == "project/run 1"


@pytest.fixture
def kernel_spec(mlops_config: Config) -> str:
    """One in our folder, where nobody needs to know of it; returns its name."""
    folder = Path(mlops_config.Mlops.data_dir) / "kernels" / "mlops-churn"
    folder.mkdir(parents=True)
    spec = {"argv": ["x"], "display_name": "churn", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    return folder.name


async def test_kernel_specs_of_ours_are_shown_with_the_others(kernel_spec, jp_fetch):
    answer = await jp_fetch("api", "kernelspecs")
    assert kernel_spec in json.loads(answer.body)["kernelspecs"]


async def test_closing_the_server_interrupts_what_runs(api, running, mlops_config):
    from jupyter_mlops.store.store import SqlStore

    services = await running.services()

    async def work(progress: Any) -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    started = await services.operations.start("build", "churn", work)
    await running.close()
    store = SqlStore(Path(mlops_config.Mlops.data_dir) / "mlops.sqlite")
    left = await store.operations.get(started.id)
    assert left is not None and left.state is OperationState.INTERRUPTED
    await store.close()


@pytest.fixture
def file_in_the_way(mlops_config: Config) -> Path:
    data = Path(mlops_config.Mlops.data_dir)
    data.write_text("a file where the folder should be")
    return data


async def test_services_that_could_not_be_made_are_tried_again(file_in_the_way, api):
    assert (await api("get", "environments")).status == 500
    await asyncio.to_thread(file_in_the_way.unlink)
    assert (await api("get", "environments")).status == 200
