"""Base images from distribution packages: no registry is needed, only a Debian mirror."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.to_thread

from ..core.container_network import apt_account, without_credentials
from ..core.errors import BuildFailedError, DiskFullError, InvalidError, UnsupportedError
from ..core.ports import Progress
from ..core.settings import Settings
from .debian_sources import keyring, mirrors, sources

PACKAGES = ("python3", "python3-venv", "ca-certificates")
"""What every environment needs of its base."""

_DPKG = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
    # An image is whole or not there at all: syncing every file would only cost time.
    "force-unsafe-io",
)
"""Stays in the image, so that packages of environments are small and quick too."""

_NAME = re.compile(r"^[a-z0-9][a-z0-9.+-]*$")
_GRACE = 15.0
"""Seconds for mmdebstrap to unmount and remove what it made when it is cancelled."""


class Debian:
    """Implements ``ports.RootFilesystem`` with mmdebstrap."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def make(
        self, suite: str, packages: Sequence[str], archive: Path, progress: Progress
    ) -> None:
        """Write the tar; takes about half a minute. Raises UnsupportedError without mmdebstrap,
        BuildFailedError, DiskFullError, InvalidError for names that cannot be."""
        for noun, name in [("release", suite), *(("package", name) for name in packages)]:
            if not _NAME.match(name):
                raise InvalidError(f"{name!r} cannot be the name of a Debian {noun}.")
        network = self._settings.network
        progress.update(f"Asking the mirror for Debian {suite}")
        found = await anyio.to_thread.run_sync(
            lambda: sources(
                suite,
                mirrors(without_credentials(network.apt_mirror)),
                network.proxies,
                network.ca_bundle,
                network.apt_mirror,
            )
        )
        part = archive.with_name(f"{archive.name}.part")
        account = archive.with_name(f"{archive.name}.auth")
        command = await anyio.to_thread.run_sync(
            lambda: self._command(suite, packages, part, found.lines, account)
        )
        environment = {**os.environ, **network.proxies, "LC_ALL": "C.UTF-8"}
        if found.date:
            environment["SOURCE_DATE_EPOCH"] = str(found.date)
        progress.update(f"Installing Debian {suite} from {found.lines[0].split()[1]}")
        try:
            await _run(command, environment, progress)
            await anyio.to_thread.run_sync(part.replace, archive)
        finally:
            for file in (part, account):
                with contextlib.suppress(FileNotFoundError):
                    await anyio.to_thread.run_sync(file.unlink)

    def _command(
        self,
        suite: str,
        packages: Sequence[str],
        archive: Path,
        lines: Sequence[str],
        account: Path,
    ) -> list[str]:
        """``account`` is written where the mirror asks for a password."""
        program = shutil.which("mmdebstrap", path=f"{os.environ.get('PATH', '')}:/usr/bin")
        if program is None:
            raise UnsupportedError(
                "mmdebstrap is not installed; it makes base images from Debian packages.",
                "Install it with `sudo apt-get install mmdebstrap`, or take a base image from a "
                "registry with `jupyter mlops base pull`.",
            )
        names = dict.fromkeys([*PACKAGES, *packages])
        command = [program, "--variant=minbase", "--format=tar", f"--include={','.join(names)}"]
        command += [f"--dpkgopt={option}" for option in _DPKG]
        # Translated descriptions are a third of what `apt-get update` fetches.
        command.append('--aptopt=Acquire::Languages "none"')
        if keyring() is not None:
            command.append(f"--keyring={keyring()}")
        bundle = self._settings.network.ca_bundle
        if bundle and any(line.startswith("deb https:") for line in lines):
            # Only for making it: the file is not in the image.
            command.append(f'--aptopt=Acquire::https::CAInfo "{bundle}"')
            command.append('--customize-hook=sed -i /CAInfo/d "$1/etc/apt/apt.conf.d/99mmdebstrap"')
        line = apt_account(self._settings.network)
        if line:
            account.touch(mode=0o600)
            account.write_text(line)
            command.append(f'--aptopt=Dir::Etc::netrc "{account}"')
            command.append('--customize-hook=sed -i /netrc/d "$1/etc/apt/apt.conf.d/99mmdebstrap"')
        return [*command, suite, str(archive), *lines]


async def _run(command: Sequence[str], environment: dict[str, str], progress: Progress) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=2**20,
    )
    assert process.stdout is not None
    tail: deque[str] = deque(maxlen=400)
    try:
        while chunk := await process.stdout.readline():
            line = chunk.decode("utf-8", "replace")
            tail.append(line)
            progress.log(line)
            if line.startswith("I: "):
                progress.update(line[3:].strip())
        code = await process.wait()
    except BaseException:
        await _end(process)
        raise
    if code != 0:
        raise _failure("".join(tail))


async def _end(process: asyncio.subprocess.Process) -> None:
    """TERM lets mmdebstrap unmount and clean up after itself."""
    with anyio.CancelScope(shield=True):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(process.wait(), _GRACE)
                return


def _failure(output: str) -> Exception:
    missing = re.search(r"Unable to locate package (\S+)", output)
    if "No space left on device" in output:
        return DiskFullError(
            "The disk is full: the base image could not be made.",
            "Make room on the disks of /tmp and of the data folder, then try again.",
        )
    if missing:
        return BuildFailedError(
            f"Debian has no package {missing.group(1)} in this release.",
            "Check its name at https://packages.debian.org.",
        )
    if re.search(r"unshare|newuidmap|must be root|subuid", output, re.I):
        return BuildFailedError(
            "mmdebstrap may not make a root file system as this user.",
            "Run the command as root once, or ask for a range in /etc/subuid and the package "
            "uidmap; or take a base image from a registry with `jupyter mlops base pull`.",
        )
    reasons = re.findall(r"^(?:E|Err|W): .*$", output, re.M)
    last = reasons[-1] if reasons else output.strip().rpartition("\n")[2]
    return BuildFailedError(
        f"The base image could not be made: {last.strip()}",
        "The log tells what mmdebstrap did last.",
    )
