"""Who we are to a registry: settings first, then what ``docker login`` and ``podman login`` left.

Nothing is ever written. Docker's file format: https://docs.docker.com/reference/cli/docker/login/
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..core.errors import RegistryDeniedError
from ..core.ports import Credentials
from ..core.settings import Settings

IDENTITY_TOKEN = "<token>"
"""Docker's convention: with this user name the password is an OAuth2 refresh token."""

_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
_HUB_KEY = "https://index.docker.io/v1/"
_HELPER_SECONDS = 30


def find(settings: Settings, host: str) -> Credentials | None:
    """Credentials for a registry; blocks, since a credential helper is a program.

    Raises RegistryDeniedError where a configured helper does not work: going on without
    credentials would end in a message that points elsewhere.
    """
    configured = settings.registry_credentials.get(host)
    if configured is not None:
        return Credentials(*configured)
    for file in files():
        found = _in_file(file, host)
        if found is not None:
            return found
    return None


def files() -> Iterator[Path]:
    """Where Docker and Podman keep logins, in the order in which they are asked."""
    home = Path.home()
    named = os.environ.get("DOCKER_CONFIG")
    yield (Path(named) if named else home / ".docker") / "config.json"
    if os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(os.environ["REGISTRY_AUTH_FILE"])
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    yield Path(runtime) / "containers" / "auth.json"
    yield Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "containers" / "auth.json"


def _in_file(file: Path, host: str) -> Credentials | None:
    try:
        config = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    helpers = config.get("credHelpers") or {}
    for key in _keys(host):
        if key in helpers:
            return _ask(str(helpers[key]), key, file)
    store = config.get("credsStore")
    if store:
        for key in _keys(host):
            found = _ask(str(store), key, file)
            if found is not None:
                return found
    return _in_auths(config.get("auths") or {}, host)


def _keys(host: str) -> tuple[str, ...]:
    """The names under which a host may be listed."""
    if host in _HUB:
        return (_HUB_KEY, *_HUB)
    return (host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/")


def _in_auths(auths: Mapping[str, Any], host: str) -> Credentials | None:
    for key in _keys(host):
        entry = auths.get(key)
        if not isinstance(entry, dict):
            continue
        if entry.get("identitytoken"):
            return Credentials(IDENTITY_TOKEN, str(entry["identitytoken"]))
        if entry.get("username") and entry.get("password"):
            return Credentials(str(entry["username"]), str(entry["password"]))
        try:
            decoded = base64.b64decode(entry.get("auth") or "").decode()
        except ValueError:
            continue
        user, colon, password = decoded.partition(":")
        if colon:
            return Credentials(user, password.rstrip("\0"))
    return None


def _ask(helper: str, key: str, file: Path) -> Credentials | None:
    """Run ``docker-credential-<helper> get``; None where it knows nothing of this registry."""
    program = shutil.which(f"docker-credential-{helper}")
    if program is None:
        raise RegistryDeniedError(
            f"{file} says that the login for {key} is kept by docker-credential-{helper}, "
            "which is not installed.",
            f"Install docker-credential-{helper}, or set c.Mlops.registry_credentials.",
        )
    try:
        done = subprocess.run(
            [program, "get"], input=key, capture_output=True, text=True, timeout=_HELPER_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is not None and done.returncode == 0:
        try:
            answer = json.loads(done.stdout)
            return Credentials(answer["Username"], answer["Secret"])
        except (ValueError, KeyError, TypeError):
            pass
    elif done is not None and "not found" in (done.stdout + done.stderr).lower():
        return None
    raise RegistryDeniedError(
        f"docker-credential-{helper}, which keeps the login for {key}, did not answer.",
        f"Try `echo {key} | docker-credential-{helper} get`, or log in again.",
    )
