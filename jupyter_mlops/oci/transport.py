"""HTTP to one registry: which scheme, proxy and certificates; retries; and plain messages.

Every request goes through ``Transport.send``, so what happens on 401, 429, 5xx and broken
connections is decided here and nowhere else.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import random
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx

from ..core.errors import (
    InvalidError,
    MlopsError,
    RegistryDeniedError,
    RegistryError,
    RegistryUnavailableError,
)
from ..core.ports import Credentials
from ..core.settings import Settings
from .auth import Authorization
from .credentials import find

ATTEMPTS = 4
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_RETRIED = frozenset({429, 500, 502, 503, 504})
_LONGEST_WAIT = 30.0

Body = bytes | Callable[[], AsyncIterator[bytes]] | None
"""A callable makes a fresh stream, because a request may have to be sent again."""


class Transport:
    """Requests to one registry, on the event loop that is running."""

    def __init__(
        self, settings: Settings, host: str, credentials: Credentials | None = None
    ) -> None:
        self.host = host
        self.plain = is_plain(settings, host)
        self._settings = settings
        self._given = credentials
        self._authorization = Authorization(host, self.credentials, self.plain)
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def base(self) -> httpx.URL:
        api = "registry-1.docker.io" if self.host == "docker.io" else self.host
        return httpx.URL(f"{'http' if self.plain else 'https'}://{api}/v2/")

    async def credentials(self) -> Credentials | None:
        if self._given is not None:
            return self._given
        return await anyio.to_thread.run_sync(find, self._settings, self.host)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()

    async def call(
        self,
        method: str,
        url: str | httpx.URL,
        scope: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: Body = None,
        attempts: int = ATTEMPTS,
    ) -> httpx.Response:
        """The answer, read completely, whatever its status (but never 401, 403, 429 or 5xx)."""
        async with self.stream(
            method, url, scope, headers=headers, content=content, attempts=attempts
        ) as answer:
            await answer.aread()
            return answer

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str | httpx.URL,
        scope: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: Body = None,
        attempts: int = ATTEMPTS,
    ) -> AsyncIterator[httpx.Response]:
        """The answer with its body unread. Waits and repeats where that can help; raises
        RegistryUnavailableError, RegistryDeniedError and RegistryError."""
        address = self.base.join(url)
        answer = await self._answer(method, address, scope, headers or {}, content, attempts)
        try:
            yield answer
        except httpx.TransportError as error:
            raise self.unavailable(error) from None
        finally:
            await answer.aclose()

    async def _answer(
        self,
        method: str,
        url: httpx.URL,
        scope: str,
        headers: Mapping[str, str],
        content: Body,
        attempts: int,
    ) -> httpx.Response:
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = await self._once(method, url, scope, headers, content)
            except httpx.TransportError as error:
                if attempt >= attempts or not _worth_repeating(error):
                    raise self.unavailable(error) from None
                await asyncio.sleep(_wait(attempt, ""))
                continue
            status = answer.status_code
            if status == 401 and self._authorization.learn(
                answer.headers.get("www-authenticate", ""), scope
            ):
                await answer.aclose()
                attempt -= 1
                continue
            if status in _RETRIED and attempt < attempts:
                await answer.aclose()
                await asyncio.sleep(_wait(attempt, answer.headers.get("retry-after", "")))
                continue
            if status in (401, 403) or status in _RETRIED:
                await answer.aread()
                await answer.aclose()
                raise self._refusal(answer, scope)
            return answer

    async def _once(
        self, method: str, url: httpx.URL, scope: str, headers: Mapping[str, str], content: Body
    ) -> httpx.Response:
        client = await self._open()
        sent = dict(headers)
        # An upload may be sent on to a storage service, which must not see the login.
        if url.host == self.base.host:
            authorization = await self._authorization.header(scope, client.send)
            if authorization:
                sent["Authorization"] = authorization
        body = content() if callable(content) else content
        request = client.build_request(method, url, headers=sent, content=body)
        return await client.send(request, stream=True, follow_redirects=method in ("GET", "HEAD"))

    async def _open(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            context = await anyio.to_thread.run_sync(_certificates, self._settings)
            self._client = httpx.AsyncClient(
                verify=context,
                timeout=_TIMEOUT,
                trust_env=False,
                mounts=_proxies(self._settings.network.proxies, self.base.host, context),
                headers={"User-Agent": "jupyter-mlops"},
                limits=httpx.Limits(max_connections=16, keepalive_expiry=30),
            )
            self._loop = loop
        return self._client

    def unavailable(self, error: httpx.TransportError) -> MlopsError:
        text = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return RegistryUnavailableError(
                f"The certificate of {self.host} is not one that this machine trusts.",
                "Set c.Mlops.ca_bundle to a file with your organisation's certificates.",
            )
        if "WRONG_VERSION_NUMBER" in text or "record layer failure" in text:
            return RegistryUnavailableError(
                f"{self.host} does not speak HTTPS.",
                f"If that is intended, add {self.host!r} to c.Mlops.insecure_registries.",
            )
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
            return RegistryUnavailableError(
                f"The registry {self.host} does not answer.",
                "Check its address and your network, or ask its operator whether it is running.",
            )
        return RegistryUnavailableError(
            f"The connection to the registry {self.host} broke.",
            "Try again; what has been sent already is not sent twice.",
        )

    def _refusal(self, answer: httpx.Response, scope: str) -> MlopsError:
        status = answer.status_code
        if status in (401, 403):
            what = "write to" if "push" in scope else "delete from" if "delete" in scope else "read"
            repository = scope.split(":")[1] if scope.count(":") >= 2 else ""
            return RegistryDeniedError(
                f"The registry {self.host} does not let you {what} {repository or 'it'}.",
                f"Log in with `docker login {self.host}`, or ask its operator for the right.",
            )
        if status == 429:
            return RegistryUnavailableError(
                f"The registry {self.host} has had too many requests.", "Try again later."
            )
        return RegistryUnavailableError(
            f"The registry {self.host} has a problem of its own ({problem(answer)}).",
            "Try again later, or tell its operator.",
        )


def problem(answer: httpx.Response) -> str:
    """What the registry says is wrong, in one line: its error codes and messages."""
    try:
        errors = json.loads(answer.content)["errors"]
        texts = [
            " ".join(filter(None, (e.get("code", ""), e.get("message", ""), _detail(e))))
            for e in errors
        ]
        return f"status {answer.status_code}: " + "; ".join(texts)
    except (ValueError, KeyError, TypeError, AttributeError, httpx.ResponseNotRead):
        return f"status {answer.status_code}"


def _detail(error: Mapping[str, object]) -> str:
    detail = error.get("detail")
    text = detail if isinstance(detail, str) else json.dumps(detail) if detail else ""
    return text[:300]


def unexpected(answer: httpx.Response, host: str, doing: str) -> RegistryError:
    """For statuses that nobody planned for."""
    return RegistryError(
        f"The registry {host} answered with an error while {doing} ({problem(answer)})."
    )


def is_plain(settings: Settings, host: str) -> bool:
    """True where the registry speaks HTTP: loopback, and those that the admin lists."""
    if host in settings.insecure_registries:
        return True
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _worth_repeating(error: httpx.TransportError) -> bool:
    """Not where the answer would be the same: wrong certificate, or no such protocol."""
    return not isinstance(error, httpx.UnsupportedProtocol) and "SSL" not in str(error)


def _wait(attempt: int, retry_after: str) -> float:
    """Seconds before the next attempt: what the registry asks for, else 0.2 s doubling."""
    try:
        return min(float(retry_after), _LONGEST_WAIT)
    except ValueError:
        doubling: float = min(0.2 * 2.0 ** (attempt - 1), _LONGEST_WAIT)
        return doubling * random.uniform(0.75, 1.25)


def _certificates(settings: Settings) -> ssl.SSLContext:
    bundle = settings.network.ca_bundle
    if bundle and not Path(bundle).is_file():
        raise InvalidError(
            f"The file of certificates {bundle} does not exist.", "Correct c.Mlops.ca_bundle."
        )
    try:
        context = ssl.create_default_context()
        if bundle:
            context.load_verify_locations(bundle)
        return context
    except (ssl.SSLError, OSError):
        raise InvalidError(
            f"The file of certificates {bundle} cannot be read.",
            "It must hold certificates in PEM format.",
        ) from None


def _proxies(
    proxies: Mapping[str, str], registry: str, context: ssl.SSLContext
) -> dict[str, httpx.AsyncBaseTransport | None]:
    """httpx's mounts for our proxy settings; None is a direct connection."""
    mounts: dict[str, httpx.AsyncBaseTransport | None] = {}
    for scheme in ("http", "https"):
        proxy = proxies.get(f"{scheme}_proxy")
        if proxy:
            url = proxy if "://" in proxy else f"http://{proxy}"
            mounts[f"{scheme}://"] = httpx.AsyncHTTPTransport(proxy=url, verify=context)
    if not mounts:
        return {}
    direct = [part.strip() for part in proxies.get("no_proxy", "").split(",")]
    if "*" in direct:
        return {}
    for name in filter(None, (*direct, "localhost", "127.0.0.1", "[::1]")):
        if "/" in name:
            if _within(registry, name):
                mounts[f"all://{registry}"] = None
            continue
        host, _, port = name.lstrip(".").partition(":") if "[" not in name else (name, "", "")
        suffix = f":{port}" if port else ""
        mounts[f"all://{host}{suffix}"] = None
        if not host[:1].isdigit() and host != "localhost" and "[" not in host:
            mounts[f"all://*.{host}{suffix}"] = None
    return mounts


def _within(host: str, network: str) -> bool:
    """Is the host an address in this network (``10.0.0.0/8``)?"""
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
