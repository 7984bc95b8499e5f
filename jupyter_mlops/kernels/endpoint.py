"""Where a kernel is reached: its private folder, seen under two paths."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.errors import InvalidError
from ..core.kernel_folder import kernel_folder
from ..core.ports import Mount
from .control import Event, Supervisor
from .transports import INSIDE, Curve, Ipc, Tcp, Transport

SOCKET_PATH_LIMIT = 107
"""Bytes; the operating system's limit for a Unix socket."""


class Endpoint:
    """The private folder of one kernel; the same for all its life, so that clients keep their
    connections over restarts, even when its container had to be made anew."""

    connection_file_inside = f"{INSIDE}/connection.json"

    def __init__(self, runtime: Path, kernel_id: str) -> None:
        self.folder = kernel_folder(runtime.absolute(), kernel_id)
        self._shared = self.folder / "k"

    @property
    def transport(self) -> Transport:
        """Of the container that there is, or is about to be."""
        return Tcp(self.folder) if Tcp.used(self.folder) else Ipc(self.folder)

    @property
    def passwd(self) -> Path:
        """The file bound to ``/etc/passwd``; outside of what the container can write to."""
        return self.folder / "passwd"

    def mount(self) -> Mount:
        return Mount(str(self._shared), INSIDE)

    def make(self, *, tcp: bool) -> None:
        """Create the folder for a new container, for this user alone. Raises InvalidError for a
        path too long."""
        if not tcp:
            self._check_length()
        self._shared.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        # What an old container left would look alive.
        for file in self._shared.iterdir():
            file.unlink(missing_ok=True)
        if tcp:
            Tcp(self.folder).prepare()

    def _check_length(self) -> None:
        longest = len(os.fsencode(f"{Ipc(self.folder).prefix}-5"))
        if longest > SOCKET_PATH_LIMIT:
            raise InvalidError(
                f"The folder for kernel sockets has a path that is too long: {self.folder.parent}",
                f"Set Mlops.runtime_dir to one that is {longest - SOCKET_PATH_LIMIT} bytes "
                "shorter, such as /tmp/mlops.",
            )

    def become(self, other: Endpoint) -> None:
        """Give this folder to another kernel; a container that has it mounted follows. Raises
        OSError when it is gone."""
        self.folder.rename(other.folder)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def expect(self, argv: list[str], environment: dict[str, str]) -> None:
        """Tell a supervisor that is about to start which kernel it will be asked for. It reads the
        file, and takes it away, before it answers."""
        file = self._shared / "expected.json"
        with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as stream:
            json.dump({"argv": argv, "environment": environment}, stream)

    async def connect(self, on_event: Callable[[Event], None]) -> Supervisor:
        """To the supervisor. Raises OSError when nobody answers yet, TimeoutError, which is one,
        when somebody is there and silent."""
        transport = self.transport
        if isinstance(transport, Ipc):
            return Supervisor(transport.connect(), on_event)  # It never waits.
        return Supervisor(await asyncio.to_thread(transport.connect), on_event)

    def connection(
        self, key: bytes, signature_scheme: str, curve: Curve | None = None
    ) -> dict[str, Any]:
        """For clients on this side; the shape jupyter_client wants, with ``key`` as bytes."""
        return {
            **self.transport.address(),
            **(curve.fields() if curve else {}),
            "key": key,
            "signature_scheme": signature_scheme,
        }

    def connection_inside(
        self, key: bytes, signature_scheme: str, kernel_name: str, curve: Curve | None = None
    ) -> dict[str, Any]:
        """For the kernel; JSON."""
        return {
            **self.transport.address_inside(),
            **(curve.fields() if curve else {}),
            "key": key.decode(),
            "signature_scheme": signature_scheme,
            "kernel_name": kernel_name,
        }
