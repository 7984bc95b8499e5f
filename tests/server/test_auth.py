"""Who may do what: every verb asks for a login and for a right, and forms cannot be forged."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

import pytest
from jupyter_server.auth import Authorizer
from jupyter_server.auth.decorator import HTTP_METHOD_TO_AUTH_ACTION
from tornado.httpclient import HTTPClientError
from traitlets.config import Config

from jupyter_mlops.server.endpoints import ENDPOINTS, Endpoint
from jupyter_mlops.server.handlers import handlers


def example(endpoint: Endpoint) -> str:
    path = endpoint.path.replace("{number}", "3")
    return re.sub(r"{\w+}", "some-name", path)


def resource(endpoint: Endpoint) -> str:
    path = f"/mlops/{example(endpoint)}"
    return next(handler.auth_resource for p, handler in handlers() if re.fullmatch(p, path))


async def status(jp_fetch: Any, endpoint: Endpoint, **options: Any) -> int:
    """With a body that no verb takes, so that nothing is ever started."""
    if endpoint.verb in ("post", "patch", "put"):
        options["body"] = '{"no such field": 1}'
    try:
        response = await jp_fetch(
            "mlops", *example(endpoint).split("/"), method=endpoint.verb.upper(), **options
        )
    except HTTPClientError as error:
        return error.code
    return int(response.code)


async def test_nothing_answers_without_a_login(jp_fetch):
    for endpoint in ENDPOINTS:
        code = await status(jp_fetch, endpoint, headers={"Authorization": "token wrong"})
        assert code == 403, endpoint


class Recording(Authorizer):
    """Writes down what it is asked, and forbids it."""

    asked: list[tuple[str, str]] = []

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        self.asked.append((action, resource))
        # Only what was asked is of interest: nothing of ours is ever done.
        return not resource.startswith("mlops-")


class NoDeployments(Authorizer):
    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource != "mlops-deployments"


@pytest.fixture
def authorizer(request: pytest.FixtureRequest, jp_server_config: Config) -> type[Authorizer]:
    jp_server_config.ServerApp.authorizer_class = request.param
    return request.param


@pytest.mark.parametrize("authorizer", [Recording], indirect=True)
async def test_every_verb_asks_for_its_own_right(authorizer, jp_fetch):
    for endpoint in ENDPOINTS:
        Recording.asked.clear()
        assert await status(jp_fetch, endpoint) == 403, endpoint
        action = HTTP_METHOD_TO_AUTH_ACTION[endpoint.verb.upper()]
        assert Recording.asked == [(action, resource(endpoint))], endpoint


@pytest.mark.parametrize("authorizer", [NoDeployments], indirect=True)
async def test_an_administrator_can_forbid_deployments_alone(authorizer, jp_fetch, api):
    for verb, path in (("get", "deployments"), ("post", "deployments"), ("get", "targets")):
        answer = await api(verb, path)
        assert answer.status == 403 and answer.code == "forbidden"
        assert "mlops-deployments" in answer.json["message"]
    assert (await api("get", "environments")).status == 200


async def test_a_cookie_alone_changes_nothing(http_server_client, jp_serverapp, jp_base_url):
    """Log in by the form, as a browser does, then post with and without the XSRF token."""
    cookies: SimpleCookie = SimpleCookie()

    async def send(path: str, **options: Any) -> Any:
        header = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
        headers = {"Cookie": header, **options.pop("headers", {})}
        answer = await http_server_client.fetch(
            jp_base_url + path, headers=headers, raise_error=False, **options
        )
        for line in answer.headers.get_list("Set-Cookie"):
            cookies.load(line)
        return answer

    await send("login")
    form = {"password": jp_serverapp.identity_provider.token, "_xsrf": cookies["_xsrf"].value}
    logged_in = await send("login", method="POST", body=urlencode(form), follow_redirects=False)
    assert logged_in.code == 302
    assert (await send("mlops/settings")).code == 200
    post = {"method": "POST", "body": "{}"}
    assert (await send("mlops/environments", **post)).code == 403
    token = {"X-XSRFToken": cookies["_xsrf"].value}
    # Allowed now, and told what is missing.
    assert (await send("mlops/environments", headers=token, **post)).code == 422
