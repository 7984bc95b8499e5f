"""How a kernel and its supervisor are reached: over Unix sockets, or over TCP.

Unix sockets need no port and no network, and the folder's mode keeps other users out. Where they
do not leave the container, as with Docker Desktop's virtual machine, the engine publishes ports on
127.0.0.1 instead: there anybody on this machine may connect. The kernel's messages are encrypted
and its clients proven by CurveZMQ, the supervisor's by a token; neither is ever sent.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import KernelDeadError
from ..core.layout import RUN_DIR
from ..guest.kernel.proof import CLIENT, SUPERVISOR, new_challenge, proof, proves
from .control import Supervisor

INSIDE = f"{RUN_DIR}/k"
"""The folder that is shared with the container."""

LOOPBACK = "127.0.0.1"
_CHANNELS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
_CONTROL_PORT = 23900
"""In the container, the kernel's follow; below the range that outgoing connections are given."""
_HELLO_SECONDS = 5.0
_NEW = os.O_CREAT | os.O_WRONLY | os.O_TRUNC


@dataclass(frozen=True)
class Curve:
    """A key pair of CurveZMQ, Z85. It is the kernel's; clients need the public key and may use
    the pair as theirs. There is no list of clients: who knows the public key gets in."""

    publickey: bytes
    secretkey: bytes

    def fields(self) -> dict[str, str]:
        return {
            "curve_publickey": self.publickey.decode(),
            "curve_secretkey": self.secretkey.decode(),
        }


class Transport(ABC):
    """One kernel's. ``folder`` is its private one on this machine."""

    encrypts = False
    """Whether messages need Curve keys, which not every kernel knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def connect(self) -> socket.socket:
        """To the supervisor; blocking. Raises OSError when nobody answers yet, TimeoutError when
        somebody is there and silent."""

    @abstractmethod
    async def bound(self, supervisor: Supervisor) -> bool:
        """Whether all of the kernel's sockets are there to connect to."""

    @abstractmethod
    def unbind(self) -> None:
        """Before a kernel starts again in its container."""

    @abstractmethod
    def address(self) -> dict[str, Any]:
        """Fields of a connection file, for clients on this side."""

    @abstractmethod
    def address_inside(self) -> dict[str, Any]:
        """The same for the kernel."""


class Ipc(Transport):
    """Unix sockets in the folder, which has two paths."""

    ports = {name: number for number, name in enumerate(_CHANNELS, 1)}

    @property
    def control(self) -> Path:
        return self.folder / "k" / "c"

    @property
    def prefix(self) -> str:
        """Of the sockets' paths, the longest of which ends with ``-5``."""
        return str(self.folder / "k" / "z")

    def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(str(self.control))
        except OSError:
            sock.close()
            raise
        return sock

    async def bound(self, supervisor: Supervisor) -> bool:
        return self._sockets_exist()

    def unbind(self) -> None:
        # A kernel that ended leaves its sockets.
        for path in self._sockets():
            path.unlink(missing_ok=True)

    def _sockets(self) -> list[Path]:
        return [Path(f"{self.prefix}-{port}") for port in self.ports.values()]

    def _sockets_exist(self) -> bool:
        return all(path.exists() for path in self._sockets())

    def address(self) -> dict[str, Any]:
        return {"transport": "ipc", "ip": self.prefix, **self.ports}

    def address_inside(self) -> dict[str, Any]:
        return {"transport": "ipc", "ip": f"{INSIDE}/z", **self.ports}


class Tcp(Transport):
    """Ports of 127.0.0.1, a token in the shared folder, and which ports they are beside it."""

    encrypts = True
    ports = {name: number for number, name in enumerate(_CHANNELS, _CONTROL_PORT + 1)}

    @staticmethod
    def used(folder: Path) -> bool:
        return Tcp(folder)._token.exists()

    @property
    def _token(self) -> Path:
        return self.folder / "k" / "token"

    @property
    def _published(self) -> Path:
        return self.folder / "ports.json"

    def prepare(self) -> None:
        """Before the container is made."""
        if not self._token.exists():
            with os.fdopen(os.open(self._token, _NEW, 0o600), "w") as file:
                file.write(secrets.token_hex(32))

    def wanted(self) -> dict[int, int]:
        """Ports of the container to those of this machine: 0 is any, and those of the kernel's
        container before this one stay, for its clients know them."""
        inside = (_CONTROL_PORT, *self.ports.values())
        try:
            return {port: self._read()[port] for port in inside}
        except (OSError, KeyError):
            return dict.fromkeys(inside, 0)

    def published(self, ports: Mapping[int, int]) -> None:
        """What the engine says after the start. Raises KeyError for a port that is missing."""
        found = {port: ports[port] for port in self.wanted()}
        with os.fdopen(os.open(self._published, _NEW, 0o600), "w") as file:
            json.dump(found, file)

    def _read(self) -> dict[int, int]:
        """Raises OSError while no container is up."""
        return {int(k): int(v) for k, v in json.loads(self._published.read_text()).items()}

    def connect(self) -> socket.socket:
        token = self._token.read_text()
        sock = socket.create_connection((LOOPBACK, self._read()[_CONTROL_PORT]), _HELLO_SECONDS)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            mine = new_challenge()
            theirs = _ask(sock, {"command": "hello", "challenge": mine})
            if not proves(theirs.get("proof", ""), token, SUPERVISOR, mine):
                raise ConnectionRefusedError("Another program answers at the supervisor's port.")
            _ask(
                sock, {"command": "prove", "proof": proof(token, CLIENT, str(theirs["challenge"]))}
            )
            sock.settimeout(None)
        except BaseException:
            sock.close()
            raise
        return sock

    async def bound(self, supervisor: Supervisor) -> bool:
        try:
            answer = await supervisor.request("listening", ports=list(self.ports.values()))
        except KernelDeadError:
            return False
        return bool(answer["all"])

    def unbind(self) -> None:
        """A kernel that ended leaves nothing."""

    def address(self) -> dict[str, Any]:
        found = self._read()
        ports = {name: found[port] for name, port in self.ports.items()}
        return {"transport": "tcp", "ip": LOOPBACK, **ports}

    def address_inside(self) -> dict[str, Any]:
        # The engine comes from outside of the container's loopback.
        return {"transport": "tcp", "ip": "0.0.0.0", **self.ports}


def supervisor_arguments(tcp: bool) -> tuple[str, ...]:
    """Of the program in the container: where it listens."""
    return (f"{INSIDE}/token", str(_CONTROL_PORT)) if tcp else (f"{INSIDE}/c",)


def _ask(sock: socket.socket, request: dict[str, Any]) -> dict[str, Any]:
    """One line, and the line that answers it: before its client is proven, the supervisor says
    nothing else. Raises OSError."""
    sock.sendall(json.dumps(request).encode() + b"\n")
    line = b""
    while not line.endswith(b"\n"):
        # Byte by byte: what comes after the line is for the next reader.
        chunk = sock.recv(1)
        # The engine's proxy lets everybody in, also before the supervisor is there.
        if not chunk or len(line) > 4096:
            raise ConnectionRefusedError("The supervisor does not listen yet.")
        line += chunk
    try:
        answer: dict[str, Any] = json.loads(line)
    except ValueError as error:
        raise ConnectionRefusedError("Another program answers at the supervisor's port.") from error
    return answer if isinstance(answer, dict) else {}
