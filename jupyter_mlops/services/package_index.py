"""Asks the package index: which packages it has, and where installed ones come from."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import sys
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit

from ..core.container_network import PYPI, process_environment, without_credentials
from ..core.errors import IndexUnavailableError
from ..core.inventory import Inventory
from ..core.pylock import packages
from ..core.settings import NetworkSettings, Settings

_SECONDS = 30.0
"""A snapshot does not wait longer for an index."""


async def lock_entries(
    settings: Settings, inventory: Inventory, wanted: Mapping[str, str]
) -> dict[str, str]:
    """Entries of a lock (``[[packages]] …``, with addresses and hashes) by package name.

    ``wanted`` is name to version. What the index does not have, or what it has as source alone, is
    missing in the answer: asking about a source package would run it on this machine. Empty
    when no index answers in time.
    """
    if not wanted:
        return {}
    try:
        return await asyncio.wait_for(_ask(settings, inventory, wanted), _SECONDS)
    except asyncio.TimeoutError:
        return {}


async def _ask(
    settings: Settings, inventory: Inventory, wanted: Mapping[str, str]
) -> dict[str, str]:
    found = await _compile(settings, inventory, wanted)
    if found or len(wanted) == 1:
        return found
    # One that is unknown makes uv refuse all of them.
    limit = asyncio.Semaphore(4)

    async def one(name: str, version: str) -> dict[str, str]:
        async with limit:
            return await _compile(settings, inventory, {name: version})

    answers = await asyncio.gather(*(one(name, version) for name, version in wanted.items()))
    return {name: entry for answer in answers for name, entry in answer.items()}


async def _compile(
    settings: Settings, inventory: Inventory, wanted: Mapping[str, str]
) -> dict[str, str]:
    process = await asyncio.create_subprocess_exec(
        str(settings.uv),
        *("pip", "compile", "-", "--quiet", "--no-deps", "--no-build", "--no-header"),
        *("--format", "pylock.toml", "--generate-hashes", "--no-annotate"),
        *("--python", sys.executable, "--python-version", inventory.python),
        *("--python-platform", _platform(inventory)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(settings),
    )
    requirements = "".join(f"{name}=={version}\n" for name, version in wanted.items())
    try:
        answer, _ = await process.communicate(requirements.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return packages(answer.decode()) if process.returncode == 0 else {}


def _environment(settings: Settings) -> dict[str, str]:
    """This machine's own, and the configured index in place of what users set for themselves."""
    network = settings.network
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("UV_", "PIP_"))}
    # The certificates' place differs: this machine's here, another in containers.
    chosen = process_environment(replace(network, ca_bundle=""))
    if network.ca_bundle:
        chosen["SSL_CERT_FILE"] = network.ca_bundle
    return {
        **kept,
        **chosen,
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_CACHE_DIR": str(settings.data / "cache" / "uv"),
        "UV_HTTP_TIMEOUT": "10",
        "UV_HTTP_RETRIES": "1",
    }


def _platform(inventory: Inventory) -> str:
    """uv's name of the platform: ``x86_64-manylinux_2_36``."""
    glibc = re.search(r"glibc (\d+)\.(\d+)", inventory.libc)
    if glibc:
        return f"{inventory.arch}-manylinux_{glibc.group(1)}_{glibc.group(2)}"
    return f"{inventory.arch}-unknown-linux-{'musl' if 'musl' in inventory.libc else 'gnu'}"


async def known(settings: Settings, names: Iterable[str]) -> set[str]:
    """Those of the normalised ``names`` that an index has. Raises IndexUnavailableError."""
    network = settings.network
    indexes = (network.index_url or PYPI, *network.extra_index_urls)
    asking = opener(network, indexes)
    limit = asyncio.Semaphore(4)

    async def one(name: str) -> bool:
        async with limit:
            return await asyncio.to_thread(lambda: any(_has(asking, i, name) for i in indexes))

    wanted = list(dict.fromkeys(names))
    answers = await asyncio.gather(*(one(name) for name in wanted))
    return {name for name, there in zip(wanted, answers, strict=True) if there}


def opener(network: NetworkSettings, urls: Iterable[str]) -> urllib.request.OpenerDirector:
    """Asks with the certificates and proxies that are configured, and gives each of ``urls`` the
    user and password that it has in it, and no other host: also after a redirection."""
    context = ssl.create_default_context(cafile=network.ca_bundle or None)
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    for url in urls:
        parts = urlsplit(url)
        if parts.username:
            user, password = unquote(parts.username), unquote(parts.password or "")
            place = without_credentials(url)
            passwords.add_password(None, place, user, password, is_authenticated=True)
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPBasicAuthHandler(passwords),
    ]
    proxies = {
        name.lower().removesuffix("_proxy"): url
        for name, url in network.proxies.items()
        if name.lower().endswith("_proxy")
    }
    if proxies:
        handlers.append(urllib.request.ProxyHandler(proxies))
    return urllib.request.build_opener(*handlers)


def _has(asking: urllib.request.OpenerDirector, index: str, name: str) -> bool:
    parts = urlsplit(index)
    if parts.scheme == "file":
        return (Path(unquote(parts.path)) / name).exists()
    url = f"{without_credentials(index).rstrip('/')}/{name}/"
    try:
        with asking.open(url, timeout=_SECONDS):
            return True
    except HTTPError as error:
        if error.code in (404, 410):
            return False
        raise IndexUnavailableError(
            f"The package index {parts.hostname} answered with status {error.code} when it was "
            f"asked for {name!r}.",
            "Check Mlops.index_url in Jupyter's configuration.",
        ) from None
    except OSError as error:
        raise IndexUnavailableError(
            f"The package index {parts.hostname} does not answer: "
            f"{getattr(error, 'reason', error)}.",
            "Check the network of this machine, and Mlops.index_url, Mlops.ca_bundle and "
            "Mlops.proxies in Jupyter's configuration.",
        ) from None
