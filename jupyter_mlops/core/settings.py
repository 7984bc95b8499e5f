"""What an admin can set, as plain data. ``jupyter_mlops.config`` makes it from traitlets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .limits import Limits


@dataclass(frozen=True)
class NetworkSettings:
    """How containers reach package indexes. Credentials in URLs are secrets: they reach
    processes only."""

    index_url: str = ""
    """Simple index (PEP 503); empty is the default of pip and uv."""
    extra_index_urls: tuple[str, ...] = ()
    ca_bundle: str = ""
    """A file of PEM certificates on this machine, used by builds, kernels and our own clients."""
    proxies: dict[str, str] = field(default_factory=dict)
    """``http_proxy``, ``https_proxy``, ``no_proxy``."""
    apt_mirror: str = ""
    """``http://host/debian``; empty is the host's own where it runs Debian."""
    cran_mirror: str = ""
    """CRAN, or a mirror of it, for packages of R; empty is CRAN's own."""


@dataclass(frozen=True)
class Settings:
    data: Path
    """Store, blobs, logs, homes, kernel specs."""
    runtime: Path
    """Sockets; a short path, 0700."""
    uv: Path
    """The uv binary of the ``uv`` wheel; mounted read-only into build containers."""
    owner: str
    """Who containers, images and records belong to: the Hub user, else the login name."""
    engine: str = "auto"
    """``auto``, ``docker`` or ``podman``."""
    engine_url: str = ""
    """The engine's socket, where it is not at its usual place."""
    kernel_transport: str = "auto"
    """``ipc``: Unix sockets, ``tcp``: ports of 127.0.0.1; ``auto`` is TCP where sockets do not
    leave containers."""
    network: NetworkSettings = field(default_factory=NetworkSettings)
    project: str = ""
    """``registry/team/name``: where snapshots are published when nothing else is said."""
    insecure_registries: tuple[str, ...] = ()
    """``host:port`` that speak plain HTTP; loopback always may."""
    registry_credentials: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    """Host to user and password; else Docker's own config and helpers are asked."""
    secrets: dict[str, str] = field(default_factory=dict)
    """Name of a variable to where its value is: ``env:NAME`` or ``file:PATH``. Never a value."""
    max_resources: Limits = field(default_factory=Limits)
    """The most that any kernel may use; None of a field is no ceiling."""
    workspace_cap: int = 200 * 1024**2
    """Bytes of project files that a snapshot takes at most."""
    concurrent_builds: int = 2
    """Builds that one process runs at once; further ones wait for their turn."""
    rebuild_children: bool = True
    """Whether environments on ``name@active`` are built anew when that is another revision."""
    warm_kernels: int = 2
    """Containers that a Jupyter server keeps ready for the next kernel; 0 is none."""
    warm_memory: int = 1024**3
    """Bytes that all of them may use together."""
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Target name to settings of that target."""
