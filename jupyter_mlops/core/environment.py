"""Environments and the specification a user writes."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from datetime import date

from .errors import InvalidError

NAME = re.compile(r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$")


def parent_of(base: str) -> str:
    """The environment that ``base`` names (``churn@3``, ``churn@active``); empty for an image."""
    name, at, _ = base.partition("@")
    return name if at else ""


def check_name(name: str, noun: str = "environment") -> str:
    """Names become image tags, kernel names and URLs, so they are narrow."""
    if not NAME.match(name):
        raise InvalidError(
            f"{name!r} cannot be the name of {'an' if noun[0] in 'aeiou' else 'a'} {noun}.",
            "Use 1 to 40 lower-case letters, digits and hyphens, beginning and ending "
            "with a letter or digit.",
        )
    return name


_NOT_BUILT = ("name", "description", "secrets", "smoke", "smoke_notebook", "network", "resources")


@dataclass(frozen=True)
class Resources:
    """Limits of one kernel container. Zero means no limit of ours."""

    cpus: float = 0.0
    memory: int = 0
    """Bytes; swap is never added to it."""
    pids: int = 4096
    shm: int = 256 * 1024**2
    """Bytes of /dev/shm (the engines' 64 MB breaks multiprocess data loaders)."""
    gpus: int = 0
    """Graphics processors that the container sees; here zero means none."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """What a user asks for; equal specs build equal revisions on equal bases and locks."""

    name: str
    base: str
    """``<base>`` by name, or ``<environment>@<revision>`` / ``<environment>@active``."""
    description: str = ""
    python: tuple[str, ...] = ()
    """PEP 508 requirements."""
    apt: tuple[str, ...] = ()
    """Distribution packages."""
    r: tuple[str, ...] = ()
    """Packages of R, as ``name``, ``name==version`` or ``name>=version``. With one or more the
    environment has R itself and its Jupyter kernel."""
    variables: dict[str, str] = field(default_factory=dict)
    """Public environment variables; secrets never belong here."""
    secrets: tuple[str, ...] = ()
    """Names of variables that kernels get from the server's settings (``Mlops.secrets``). Their
    values are in no specification, image or record."""
    setup: str = ""
    """A bash script, the last build step."""
    preload: tuple[str, ...] = ()
    """Python modules, as ``import`` takes them, that kernels of this environment begin with: they
    are imported once for each container, before there is a kernel. One that starts threads, or
    cannot be imported, is left to the notebook."""
    smoke: str = ""
    """A notebook that must run to its end before a revision becomes active: its path from the
    specification's folder, or from the root of Jupyter's files."""
    smoke_notebook: str = ""
    """Blob digest of its content, set when the specification is taken in."""
    date: str = ""
    """``YYYY-MM-DD``: the packages that the index had at the end of that day, UTC. Empty: now."""
    network: str = "outbound"
    """``outbound`` or ``none``: what kernels of this environment may reach."""
    resources: Resources = field(default_factory=Resources)

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.base:
            raise InvalidError("The environment names no base image.", "Add a line `base: NAME`.")
        if self.date and not _is_date(self.date):
            raise InvalidError(f"date: {self.date!r} is no date.", "Write it as 2026-01-31.")
        if self.network not in ("outbound", "none"):
            raise InvalidError(
                f"network: {self.network!r} is not known.", "Write `outbound` or `none`."
            )

    @property
    def digest(self) -> str:
        """Hash of all that changes the image: not the name, description, test or limits."""
        built = asdict(self)
        for key in _NOT_BUILT:
            del built[key]
        for key in ("date", "r", "preload"):
            if not built[key]:
                # Those that were built before there was one keep their digests.
                del built[key]
        return "sha256:" + hashlib.sha256(json.dumps(built, sort_keys=True).encode()).hexdigest()


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@dataclass(frozen=True)
class Base:
    """An image that environments start from."""

    name: str
    image: str
    """Image id."""
    ref: str
    """The engine's tag for it."""
    origin: str
    """``debian <suite>``, the reference it was pulled from, or which Dockerfile."""
    created: str
    """ISO 8601, UTC."""
    size: int = 0


@dataclass(frozen=True)
class Environment:
    """A named definition with revisions, one of which is active."""

    name: str
    owner: str
    spec: EnvironmentSpec
    """The newest specification asked for; a revision keeps the one it was built from."""
    created: str
    active: int = 0
    """Number of the active revision; 0 until the first build succeeds."""
    latest: int = 0
    """Highest revision number ever given out; numbers are never used twice."""
