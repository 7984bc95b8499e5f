"""Asks the package index where installed packages come from, with their hashes."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import replace

from ..core.container_network import process_environment
from ..core.inventory import Inventory
from ..core.pylock import packages
from ..core.settings import Settings

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
