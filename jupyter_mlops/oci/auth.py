"""Signing in to a registry: Basic, or tokens from the server that its challenge names.

https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Awaitable, Callable

import httpx

from ..core.errors import RegistryDeniedError, RegistryError
from ..core.ports import Credentials
from .credentials import IDENTITY_TOKEN

CLIENT = "jupyter-mlops"
_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^",\s]+))')
_SHORTEST = 60
"""Seconds that a token lives where its server does not say (the specification's default)."""

Send = Callable[[httpx.Request], Awaitable[httpx.Response]]


def challenge(header: str) -> tuple[str, dict[str, str]]:
    """``Bearer realm="…",service="…"`` as scheme in lower case and parameters."""
    scheme, _, rest = header.strip().partition(" ")
    parameters = {
        m[1].lower(): m[2] if m[2] is not None else m[3] for m in _PARAMETER.finditer(rest)
    }
    return scheme.lower(), parameters


class Authorization:
    """The Authorization header for each scope of one registry, kept while it is valid."""

    def __init__(
        self, host: str, credentials: Callable[[], Awaitable[Credentials | None]], plain: bool
    ) -> None:
        """``plain``: the registry itself speaks HTTP, and so may its login server."""
        self._host = host
        self._plain = plain
        self._credentials = credentials
        self._scheme = ""
        self._realm = ""
        self._service = ""
        self._tokens: dict[str, tuple[str, float]] = {}

    async def header(self, scope: str, send: Send) -> str:
        """What to send for this scope; empty while the registry has not asked for anything."""
        if self._scheme == "basic":
            return await self._basic()
        if self._scheme != "bearer":
            return ""
        token, expires = self._tokens.get(scope, ("", 0.0))
        if not token or time.monotonic() > expires:
            token, seconds = await self._fetch(scope, send)
            self._tokens[scope] = (token, time.monotonic() + seconds - 10)
        return f"Bearer {token}"

    def learn(self, header: str, scope: str) -> bool:
        """Take note of a 401's challenge; False when trying again would be the same again."""
        scheme, parameters = challenge(header)
        known = self._scheme == scheme and (scheme == "basic" or scope in self._tokens)
        self._tokens.pop(scope, None)
        if scheme == "basic":
            self._scheme = scheme
        elif scheme == "bearer" and parameters.get("realm"):
            self._scheme = scheme
            self._realm = parameters["realm"]
            self._service = parameters.get("service", "")
        else:
            return False
        return not known

    async def _basic(self) -> str:
        found = await self._credentials()
        if found is None:
            return ""
        pair = f"{found.username}:{found.password}".encode()
        return "Basic " + base64.b64encode(pair).decode()

    async def _fetch(self, scope: str, send: Send) -> tuple[str, float]:
        """A token for one scope, and the seconds it is valid."""
        if not self._plain and not self._realm.startswith("https://"):
            raise RegistryDeniedError(
                f"{self._host} asks for the login to be sent unencrypted, to {self._realm}.",
                "Ask its operator to serve logins over HTTPS.",
            )
        found = await self._credentials()
        if found is not None and found.username == IDENTITY_TOKEN:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": found.password,
                "service": self._service,
                "scope": scope,
                "client_id": CLIENT,
            }
            request = httpx.Request("POST", self._realm, data=form)
        else:
            query: dict[str, str | list[str]] = {"service": self._service, "client_id": CLIENT}
            query["scope"] = scope.split(" ")
            headers = {}
            if found is not None:
                query["account"] = found.username
                headers["Authorization"] = await self._basic()
            request = httpx.Request("GET", self._realm, params=query, headers=headers)
        answer = await send(request)
        if answer.status_code in (401, 403):
            raise RegistryDeniedError(
                f"{self._host} does not accept the login"
                + (
                    f" of {found.username!r}."
                    if found and found.username != IDENTITY_TOKEN
                    else "."
                    if found
                    else ": it wants one, and none is known here."
                ),
                f"Log in with `docker login {self._host}` and try again.",
            )
        try:
            body = answer.raise_for_status().json()
            token = body.get("token") or body["access_token"]
            return str(token), float(body.get("expires_in") or _SHORTEST)
        except (httpx.HTTPStatusError, ValueError, KeyError, AttributeError, TypeError):
            raise RegistryError(
                f"The login server of {self._host} ({request.url.host}) gave no token "
                f"(status {answer.status_code})."
            ) from None
