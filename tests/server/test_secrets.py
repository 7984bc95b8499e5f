"""A kernel asks for secrets that the server does not have, and gets them, or does not start."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from pathlib import Path
from typing import Any

import anyio
import docker
import pytest
from tornado.httpclient import HTTPClientError
from traitlets.config import Config

from jupyter_mlops.core.errors import InvalidError, NotFoundError
from jupyter_mlops.core.kernel import SecretRequest
from jupyter_mlops.core.layout import LABEL_KERNEL
from jupyter_mlops.server.questions import Questions
from tests.parts.searching import texts
from tests.parts.services import Recorder, Tiny

REQUEST = SecretRequest("k-1", "keys", "", ("TOKEN", "PASSWORD"))


async def asked(questions: Questions) -> asyncio.Task[dict[str, str]]:
    task = asyncio.create_task(questions.ask(REQUEST))
    with anyio.fail_after(5):
        while True:
            if questions.list():
                return task
            await anyio.sleep(0.01)


async def test_what_is_asked_is_answered_once():
    heard: list[str] = []
    questions = Questions(heard.append)
    task = await asked(questions)
    assert questions.list() == [REQUEST] and heard == ["k-1"]
    for values, said in (
        ({"TOKEN": "t"}, "PASSWORD is empty"),
        ({"TOKEN": "t", "PASSWORD": ""}, "PASSWORD is empty"),
        ({"TOKEN": "t", "PASSWORD": "hunter2", "MORE": "m"}, "not the secrets"),
        ({"TOKEN": "t", "PASSWORD": "hunter2\0"}, "not the secrets"),
    ):
        with pytest.raises(InvalidError, match=said) as error:
            questions.answer("k-1", values)
        assert "hunter2" not in str(error.value)
    questions.answer("k-1", {"TOKEN": "t", "PASSWORD": "p"})
    assert await task == {"TOKEN": "t", "PASSWORD": "p"}
    assert questions.list() == [] and heard == ["k-1", "k-1"]
    with pytest.raises(NotFoundError, match="does not wait"):
        questions.answer("k-1", {"TOKEN": "t", "PASSWORD": "p"})


async def test_nobody_answers():
    questions = Questions([].append, patience=0.05)
    with pytest.raises(NotFoundError, match="TOKEN, PASSWORD was not given within") as error:
        await questions.ask(REQUEST)
    assert "Mlops.secrets" in error.value.hint and questions.list() == []
    task = await asked(questions)
    questions.refuse("k-1")
    with pytest.raises(NotFoundError, match=r"TOKEN, PASSWORD was not given\."):
        await task


# ------------------------------------------------------------------ with a server and a kernel


@pytest.fixture
def mlops_config(tiny_environment: Tiny, services_config: Config) -> Config:
    """The server has the small environment, and no secret."""
    return services_config


async def build(running: Any) -> str:
    services = await running.services()
    spec = services.environments.parse_spec("name: asks\nbase: tiny@active\nsecrets: [ASKED]\n")
    await services.environments.build(spec, Recorder(), replace=True)
    return "mlops-asks"


async def question(api: Any) -> dict[str, Any]:
    with anyio.fail_after(30):
        while True:
            items = (await api("get", "secrets")).json["items"]
            if items:
                return items[0]
            await anyio.sleep(0.05)


@pytest.mark.docker
async def test_a_kernel_waits_for_what_its_user_gives(
    api, jp_fetch, jp_root_dir, jp_serverapp, running, caplog
):
    environment = await build(running)
    caplog.set_level(logging.DEBUG)
    value = secrets.token_hex(16)
    (jp_root_dir / "a.ipynb").write_text("{}")

    async def start() -> dict[str, Any]:
        model = {"path": "a.ipynb", "name": "a.ipynb", "type": "notebook"}
        body = json.dumps({**model, "kernel": {"name": environment}})
        answer = await jp_fetch("api", "sessions", method="POST", body=body, request_timeout=90)
        return json.loads(answer.body)

    starting = asyncio.create_task(start())
    asked = await question(api)
    assert (asked["names"], asked["environment"]) == (["ASKED"], "asks")
    assert asked["notebook"] == "a.ipynb"
    wrong = await api("put", f"kernels/{asked['kernel_id']}/secrets", {"values": {"ASKED": ""}})
    assert (wrong.status, wrong.code) == (422, "invalid")
    given = await api("put", f"kernels/{asked['kernel_id']}/secrets", {"values": {"ASKED": value}})
    assert given.status == 204
    kernel = (await starting)["kernel"]["id"]
    assert kernel == asked["kernel_id"]
    assert (await api("get", "secrets")).json["items"] == []

    manager = jp_serverapp.kernel_manager.get_kernel(kernel)
    client = manager.client()
    client.start_channels()

    async def said(code: str) -> str:
        text = ""

        def output(message: dict[str, Any]) -> None:
            nonlocal text
            text += message["content"].get("text", "")

        await client.execute_interactive(code, output_hook=output, timeout=60)
        return text.strip()

    length = "import os; print(len(os.environ['ASKED']), os.environ['ASKED'][:4])"
    await client.wait_for_ready(timeout=60)
    assert await said(length) == f"32 {value[:4]}"
    # A restart keeps it: nobody is asked again.
    await jp_serverapp.kernel_manager.restart_kernel(kernel)
    await client.wait_for_ready(timeout=60)
    assert await said(length) == f"32 {value[:4]}"
    mark = secrets.token_hex(16)
    await said(f"open('/opt/env/mark', 'w').write({mark!r})")

    services = await running.services()
    snapshot = await services.snapshots.create(kernel, "asked", "", Recorder())
    engine = docker.from_env()
    record = await services.kernels.record(kernel)
    container = engine.containers.get(record.container)
    image = engine.images.get(snapshot.image)
    places = {
        "inspect": [json.dumps([container.attrs, image.attrs]).encode()],
        "history": [json.dumps(image.history()).encode()],
        "container's log": [container.logs()],
        "save": image.save(),
        "data": texts(services.settings.data),
        "runtime": texts(services.settings.runtime),
        "workspace": texts(Path(jp_root_dir)),
        "logs": [caplog.text.encode()],
    }
    found: dict[str, bool] = {}
    seen_mark = False
    for place, chunks in places.items():
        tail = b""
        found[place] = False
        for chunk in chunks:
            whole = tail + chunk
            found[place] |= value.encode() in whole
            seen_mark |= place == "save" and mark.encode() in whole
            tail = whole[-64:]
    assert seen_mark, "the search finds what is there"
    assert found == dict.fromkeys(places, False)
    client.stop_channels()
    await services.snapshots.delete(snapshot.id)
    await jp_serverapp.kernel_manager.shutdown_kernel(kernel)
    engine.close()


@pytest.mark.docker
async def test_a_kernel_whose_secrets_are_refused_does_not_start(
    api, jp_fetch, jp_root_dir, running
):
    environment = await build(running)
    (jp_root_dir / "b.ipynb").write_text("{}")
    model = {"path": "b.ipynb", "name": "b.ipynb", "type": "notebook"}
    body = json.dumps({**model, "kernel": {"name": environment}})
    starting = asyncio.ensure_future(
        jp_fetch("api", "sessions", method="POST", body=body, request_timeout=90)
    )
    asked = await question(api)
    assert (await api("delete", f"kernels/{asked['kernel_id']}/secrets")).status == 204
    with pytest.raises(HTTPClientError) as error:
        await starting
    assert error.value.response is not None
    assert "ASKED was not given" in error.value.response.body.decode()
    assert (await api("get", "secrets")).json["items"] == []
    client = docker.from_env()
    label = f"{LABEL_KERNEL}={asked['kernel_id']}"
    assert client.containers.list(all=True, filters={"label": label}) == []
    client.close()
