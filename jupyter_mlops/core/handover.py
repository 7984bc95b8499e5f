"""What a Jupyter server needs to take over a kernel that outlived the one before."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Launch:
    """How the kernel was started; written by who started it, anew at every restart."""

    kernel_name: str
    key: str
    """Signs the messages of this kernel."""
    signature_scheme: str
    cwd: str
    environment: dict[str, str]
    """What a restart needs of the server's environment: the allow-list, no credentials."""
    arguments: tuple[str, ...]
    """Added to the kernel spec's command."""
    server: str
    """The root folder of the Jupyter server."""
    pid: int
    """Of that server; 0 after it has let go of the kernel. A hint: the store decides."""
    curve_publickey: str = ""
    """With ``curve_secretkey``: encrypts the messages, where they go over TCP."""
    curve_secretkey: str = ""


@dataclass(frozen=True)
class SessionRow:
    """A session of Jupyter Server."""

    id: str
    path: str
    name: str
    type: str


@dataclass(frozen=True)
class Use:
    """Who uses the kernel; written by the Jupyter server."""

    sessions: tuple[SessionRow, ...] = ()
    last_activity: str = ""
    """ISO 8601; empty when it is not known."""
