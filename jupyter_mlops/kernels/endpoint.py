"""Where a kernel's sockets are: one folder, seen under two paths."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from ..core.errors import InvalidError
from ..core.kernel_folder import CONTROL_SOCKET, kernel_folder
from ..core.layout import RUN_DIR
from ..core.ports import Mount

SOCKET_PATH_LIMIT = 107
"""Bytes; the operating system's limit for a Unix socket."""

_INSIDE = f"{RUN_DIR}/k"
_PORTS = {"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4, "hb_port": 5}


class Endpoint:
    """The private folder of one kernel; the same for all its life, so that clients keep their
    connections over restarts, even when its container had to be made anew."""

    def __init__(self, runtime: Path, kernel_id: str) -> None:
        self.folder = kernel_folder(runtime.absolute(), kernel_id)
        self.control = self.folder / CONTROL_SOCKET
        self._sockets = self.control.parent
        self._ip = str(self._sockets / "z")

    @property
    def passwd(self) -> Path:
        """The file bound to ``/etc/passwd``; outside of what the container can write to."""
        return self.folder / "passwd"

    control_inside = f"{_INSIDE}/{Path(CONTROL_SOCKET).name}"
    connection_file_inside = f"{_INSIDE}/connection.json"

    def mount(self) -> Mount:
        return Mount(str(self._sockets), _INSIDE)

    def make(self) -> None:
        """Create the folder, for this user alone. Raises InvalidError for a path too long."""
        longest = len(os.fsencode(f"{self._ip}-5"))
        if longest > SOCKET_PATH_LIMIT:
            raise InvalidError(
                f"The folder for kernel sockets has a path that is too long: {self.folder.parent}",
                f"Set Mlops.runtime_dir to one that is {longest - SOCKET_PATH_LIMIT} bytes "
                "shorter, such as /tmp/mlops.",
            )
        self._sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)

    def become(self, other: Endpoint) -> None:
        """Give this folder to another kernel; a container that has it mounted follows. Raises
        OSError when it is gone."""
        self.folder.rename(other.folder)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def clear_sockets(self) -> None:
        """Before a new container: what an old one left would look alive."""
        for file in self._sockets.iterdir():
            file.unlink(missing_ok=True)

    def expect(self, argv: list[str], environment: dict[str, str]) -> None:
        """Tell a supervisor that is about to start which kernel it will be asked for. It reads the
        file, and takes it away, before it answers."""
        file = self._sockets / "expected.json"
        with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as stream:
            json.dump({"argv": argv, "environment": environment}, stream)

    @property
    def bound(self) -> bool:
        """Whether all of the kernel's sockets are there to connect to."""
        return all(Path(f"{self._ip}-{port}").exists() for port in _PORTS.values())

    def unbind(self) -> None:
        """Before a kernel starts again in its container: an ended one leaves its sockets."""
        for port in _PORTS.values():
            Path(f"{self._ip}-{port}").unlink(missing_ok=True)

    def connection(self, key: bytes, signature_scheme: str) -> dict[str, Any]:
        """For clients on this side; the shape jupyter_client wants, with ``key`` as bytes."""
        return {
            "transport": "ipc",
            "ip": self._ip,
            **_PORTS,
            "key": key,
            "signature_scheme": signature_scheme,
        }

    def connection_inside(
        self, key: bytes, signature_scheme: str, kernel_name: str
    ) -> dict[str, Any]:
        """For the kernel; JSON."""
        return {
            "transport": "ipc",
            "ip": f"{_INSIDE}/z",
            **_PORTS,
            "key": key.decode(),
            "signature_scheme": signature_scheme,
            "kernel_name": kernel_name,
        }
