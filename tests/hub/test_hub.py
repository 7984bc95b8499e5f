"""Under JupyterHub: below ``/user/<name>/``, with its logins, and containers of the Hub's user."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import docker
import httpx
import pytest

from jupyter_mlops.core.layout import LABEL_KIND, LABEL_OWNER
from jupyter_mlops.store.store import SqlStore
from tests.parts.services import run_apart

from .conftest import ALICE, BOB, PASSWORD, Hub

pytestmark = [pytest.mark.hub, pytest.mark.docker, pytest.mark.timeout(600)]

SPEC = "name: hubbed\nbase: debian\npython: [humanize]\n"


class Browser:
    """A user who logged in by the Hub's form, as a browser does; cookies and no token."""

    def __init__(self, hub: Hub, user: str) -> None:
        self.user = user
        self.client = httpx.Client(base_url=hub.url, follow_redirects=True, timeout=60)
        self.client.get("/hub/login")
        form = {
            "username": user,
            "password": PASSWORD,
            "_xsrf": self.client.cookies.get("_xsrf", path="/hub/"),
        }
        answer = self.client.post("/hub/login", data=form)
        assert answer.status_code == 200, answer.text

    def spawn(self) -> None:
        """Start the own server, and wait until it answers."""
        self.client.get(f"/hub/spawn/{self.user}")
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            # Only a page, not the API, leads through the Hub's login to this server's cookies.
            answer = self.client.get(f"/user/{self.user}/lab")
            if answer.status_code == 200 and answer.url.path.startswith("/user/"):
                return
            time.sleep(0.3)
        raise AssertionError(f"{answer.status_code} {answer.url}")

    def send(self, verb: str, path: str, xsrf: bool = True, **options: Any) -> httpx.Response:
        headers = {}
        if xsrf and verb != "get":
            token = self.client.cookies.get("_xsrf", path=f"/user/{self.user}/")
            headers["X-XSRFToken"] = token or ""
        return self.client.request(
            verb, f"/user/{self.user}/{path}", headers=headers, follow_redirects=False, **options
        )

    def finished(self, answer: httpx.Response) -> dict[str, Any]:
        """Follow the header ``Location`` of a 202 to the end of the operation."""
        assert answer.status_code == 202, answer.text
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            operation = self.client.get(answer.headers["Location"]).json()
            if operation["ended"]:
                return operation
            time.sleep(0.2)
        raise AssertionError(f"it does not end: {operation}")


@pytest.fixture(scope="module")
def alice(hub: Hub, services_config: Any) -> Iterator[Browser]:
    browser = Browser(hub, ALICE)
    browser.spawn()
    run_apart(share_bases(services_config.Mlops.data_dir, hub))
    yield browser
    browser.client.close()
    # Her server is stopped with the Hub; this is for a test that failed in the middle.
    client = docker.from_env()
    owner = f"{LABEL_OWNER}={ALICE}"
    for container in client.containers.list(all=True, filters={"label": owner}):
        container.remove(force=True)
    for image in client.images.list(filters={"label": owner}):
        for tag in image.tags or [image.id]:
            client.images.remove(tag, force=True)


async def share_bases(data: str, hub: Hub) -> None:
    """Let the user know the base image that the engine has already."""
    from pathlib import Path

    there = SqlStore(Path(data) / "mlops.sqlite")
    here = SqlStore(hub.data(ALICE) / "mlops.sqlite")
    for base in await there.bases.list():
        await here.bases.save(base)
    await there.close()
    await here.close()


def test_everything_belongs_to_the_user_of_the_hub(alice: Browser):
    assert alice.send("get", "mlops/settings").json() == {"project": "", "owner": ALICE}
    engine = alice.send("get", "mlops/engine").json()
    assert engine["problem"] is None and engine["capabilities"]["name"] == "docker"


def test_a_form_on_another_page_cannot_start_anything(alice: Browser):
    body = {"spec_text": SPEC}
    forged = alice.send("post", "mlops/environments", xsrf=False, json=body)
    assert forged.status_code == 403
    assert alice.send("get", "mlops/operations").json()["items"] == []


def test_nobody_else_gets_in(alice: Browser, hub: Hub):
    bob = Browser(hub, BOB)
    for path in ("environments", "settings", "operations"):
        theirs = bob.client.get(f"/user/{ALICE}/mlops/{path}", follow_redirects=False)
        assert theirs.status_code == 403, theirs.text
        nobody = httpx.get(f"{hub.url}/user/{ALICE}/mlops/{path}")
        assert nobody.status_code == 403, nobody.text
    bob.client.close()


def test_an_environment_and_a_kernel_of_the_user(alice: Browser):
    accepted = alice.send("post", "mlops/environments", json={"spec_text": SPEC})
    assert accepted.headers["Location"].startswith(f"/user/{ALICE}/mlops/operations/")
    built = alice.finished(accepted)
    assert built["state"] == "succeeded", built
    assert built["owner"] == ALICE

    client = docker.from_env()
    kernel = alice.send("post", "api/kernels", json={"name": "mlops-hubbed"}).json()["id"]
    labels = [f"{LABEL_OWNER}={ALICE}", f"{LABEL_KIND}=kernel"]
    (container,) = client.containers.list(filters={"label": labels})
    status = alice.send("get", f"mlops/kernels/{kernel}").json()
    assert status["alive"] and status["container"] == container.id
    # What the Hub trusts the server with stays out of the container.
    _, variables = container.exec_run(
        ["sh", "-c", "cat /proc/[0-9]*/environ | tr '\\0' '\\n'"], user="0"
    )
    assert b"PATH=" in variables
    assert b"JUPYTERHUB_API_TOKEN" not in variables and b"JPY_API_TOKEN" not in variables
    config = str(client.api.inspect_container(container.id)["Config"]["Env"])
    assert "TOKEN" not in config

    assert alice.send("delete", f"api/kernels/{kernel}").status_code == 204
    assert client.containers.list(all=True, filters={"label": labels}) == []


def test_a_server_that_is_stopped_leaves_no_container(alice: Browser):
    client = docker.from_env()
    labels = [f"{LABEL_OWNER}={ALICE}", f"{LABEL_KIND}=kernel"]
    alice.send("post", "api/kernels", json={"name": "mlops-hubbed"})
    assert len(client.containers.list(filters={"label": labels})) == 1
    token = alice.client.cookies.get("_xsrf", path="/hub/")
    stopped = alice.client.delete(
        f"/hub/api/users/{ALICE}/server",
        headers={"X-XSRFToken": token or "", "Referer": str(alice.client.base_url) + "/hub/home"},
    )
    assert stopped.status_code in (202, 204), stopped.text
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not client.containers.list(all=True, filters={"label": labels}):
            return
        time.sleep(0.3)
    raise AssertionError("the kernel's container is still there")
