"""Asks the mirror of CRAN which packages of R it has, and in which versions."""

from __future__ import annotations

import asyncio
import gzip
import urllib.request
from collections.abc import Iterable
from urllib.error import HTTPError
from urllib.parse import urlsplit

from ..core.container_network import CRAN, without_credentials
from ..core.errors import IndexUnavailableError
from ..core.settings import Settings
from .package_index import opener

_SECONDS = 30.0


async def newest(settings: Settings) -> dict[str, str]:
    """Name to the version that is not in the archive. Raises IndexUnavailableError."""
    content = await asyncio.to_thread(_get, settings, "PACKAGES.gz")
    text = (
        gzip.decompress(content)
        if content is not None
        else await asyncio.to_thread(_get, settings, "PACKAGES")
    )
    if text is None:
        raise IndexUnavailableError(
            f"The CRAN mirror {_host(settings)} has no list of packages.",
            "Check Mlops.cran_mirror in Jupyter's configuration.",
        )
    found: dict[str, str] = {}
    name = ""
    for line in text.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition(": ")
        if key == "Package":
            name = value.strip()
        elif key == "Version":
            found[name] = value.strip()
    return found


async def archived(settings: Settings, versions: Iterable[tuple[str, str]]) -> set[str]:
    """Those names whose version is in the archive. Raises IndexUnavailableError."""
    limit = asyncio.Semaphore(4)

    async def one(name: str, version: str) -> str:
        path = f"Archive/{name}/{name}_{version}.tar.gz"
        async with limit:
            there = await asyncio.to_thread(_get, settings, path, "HEAD")
        return name if there is not None else ""

    answers = await asyncio.gather(*(one(name, version) for name, version in versions))
    return set(answers) - {""}


def _get(settings: Settings, path: str, method: str = "GET") -> bytes | None:
    """Below ``src/contrib``; None where there is no such file."""
    mirror = (settings.network.cran_mirror or CRAN).rstrip("/")
    parts = urlsplit(mirror)
    request = urllib.request.Request(
        f"{without_credentials(mirror)}/src/contrib/{path}", method=method
    )
    try:
        with opener(settings.network, [mirror]).open(request, timeout=_SECONDS) as answer:
            content: bytes = answer.read()
            return content
    except HTTPError as error:
        if error.code in (404, 410):
            return None
        reason = f"answered with status {error.code}"
    except OSError as error:
        reason = f"does not answer: {getattr(error, 'reason', error)}"
    raise IndexUnavailableError(
        f"The CRAN mirror {parts.hostname} {reason}.",
        "Check the network of this machine, and Mlops.cran_mirror, Mlops.ca_bundle and "
        "Mlops.proxies in Jupyter's configuration.",
    )


def _host(settings: Settings) -> str:
    return urlsplit(settings.network.cran_mirror or CRAN).hostname or ""
