"""A Jupyter server with the extension; every answer is held against ``openapi.yaml``."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml
from jsonschema import Draft202012Validator
from tornado.httpclient import HTTPClientError, HTTPResponse
from traitlets.config import Config

from jupyter_mlops.server.openapi import FILE
from tests.parts.services import make_config

DESCRIPTION = yaml.safe_load(FILE.read_text())


@dataclass
class Answer:
    """One answer; ``json`` is None where the body is none."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text) if self.text else None

    @property
    def code(self) -> str:
        return str(self.json["code"])


Call = Callable[..., Awaitable[Answer]]


def described(verb: str, path: str) -> dict[str, Any]:
    """What ``openapi.yaml`` says of a request; a fixed path comes before a pattern."""
    address = path.partition("?")[0]
    for known in sorted(DESCRIPTION["paths"], key=lambda k: k.count("{")):
        pattern = re.sub(r"{\w+}", "[^/]+", known)
        verbs = DESCRIPTION["paths"][known]
        if re.fullmatch(pattern, f"/mlops/{address}") and verb in verbs:
            return verbs[verb]
    raise AssertionError(f"{verb} {path} is not described")


def check_described(verb: str, path: str, answer: Answer) -> None:
    responses = described(verb, path)["responses"]
    if answer.status >= 400:
        said = responses["default"]
    else:
        assert str(answer.status) in responses, (verb, path, answer.status)
        said = responses[str(answer.status)]
    if "content" not in said:
        assert not answer.text
        return
    (media_type, content), *_ = said["content"].items()
    assert answer.headers["Content-Type"].partition(";")[0] == media_type
    if media_type == "application/json":
        schema = {**content["schema"], "components": DESCRIPTION["components"]}
        Draft202012Validator(schema).validate(answer.json)


@pytest.fixture
def mlops_config(tmp_path: Path) -> Config:
    """Settings of a server whose records are its own, and empty."""
    return make_config(tmp_path / "mlops", tmp_path / "run", "docker")


@pytest.fixture
def jp_server_config(mlops_config: Config) -> Config:
    from jupyter_mlops import wiring

    wiring._parts.pop(str(mlops_config.Mlops.data_dir), None)
    config = Config(
        {
            "ServerApp": {
                "jpserver_extensions": {"jupyter_mlops": True},
                "allow_unauthenticated_access": False,
            }
        }
    )
    config.merge(mlops_config)
    return config


@pytest.fixture
def api(jp_fetch: Any) -> Call:
    """``await api("post", "environments", {…})``; never raises for a status."""

    async def call(verb: str, path: str, body: Any = None, **options: Any) -> Answer:
        if verb in ("post", "patch", "put"):
            options["body"] = body if isinstance(body, (str, bytes)) else json.dumps(body or {})
        address, _, query = path.partition("?")
        params = dict(pair.split("=") for pair in query.split("&")) if query else {}
        options.setdefault("request_timeout", 60)
        try:
            response: HTTPResponse = await jp_fetch(
                "mlops", *address.split("/"), method=verb.upper(), params=params, **options
            )
        except HTTPClientError as error:
            assert error.response is not None
            response = error.response
        answer = Answer(response.code, response.headers, (response.body or b"").decode())
        check_described(verb, path, answer)
        return answer

    return call


@pytest.fixture
def finished(api: Call) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Wait for the operation that an answer of status 202 names."""

    async def wait(answer: Answer, seconds: float = 120) -> dict[str, Any]:
        assert answer.status == 202, answer.text
        with anyio.fail_after(seconds):
            while True:
                operation = (await api("get", f"operations/{answer.json['id']}")).json
                if operation["ended"]:
                    return operation
                await anyio.sleep(0.1)

    return wait


@pytest.fixture
def jp_serverapp(jp_serverapp: Any, jp_asyncio_loop: Any) -> Iterator[Any]:
    """Started to the end, as a server is whose loop runs on its own."""
    before = signal.getsignal(signal.SIGINT)
    jp_asyncio_loop.run_until_complete(jp_serverapp.extension_manager.start_all_extensions())
    yield jp_serverapp
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def running(jp_serverapp: Any) -> Any:
    """The extension's ``Running`` of the server."""
    return jp_serverapp.web_app.settings["jupyter_mlops"].running
