"""A user without any right of root's, who has a Podman of their own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .engines import CACHE, ROOT, ensure

_PROGRAMS = "/usr/local/bin:/usr/bin:/bin"
"""As a login gives it to a user: without /sbin."""


@dataclass(frozen=True)
class OtherUser:
    """Whose programs run in a mount namespace in which they may read what the tests run with:
    Python and this project may be in root's home folder, which others must not enter."""

    name: str
    uid: int
    home: Path
    runtime: Path
    """``XDG_RUNTIME_DIR``"""
    _machine: int
    """A process in the mount namespace."""

    def command(self, *argv: str, cwd: Path | None = None) -> list[str]:
        """``argv`` as this user, with the environment of a login; a program without a slash is
        one of this Python environment or of the system."""
        environment = {
            "HOME": str(self.home),
            "USER": self.name,
            "LOGNAME": self.name,
            "XDG_RUNTIME_DIR": str(self.runtime),
            "PATH": f"{Path(sys.executable).parent}:{_PROGRAMS}",
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            # Where builds find packages is the machine's business, not root's.
            **{n: v for n, v in os.environ.items() if n in _SITE},
        }
        return [
            *("nsenter", f"--mount=/proc/{self._machine}/ns/mnt"),
            *("setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"),
            *("env", "-i", f"--chdir={cwd or self.home}"),
            *(f"{name}={value}" for name, value in environment.items()),
            *argv,
        ]

    def run(self, *argv: str, cwd: Path | None = None, seconds: float = 240) -> str:
        """What it printed on stdout; fails the test unless it ended well."""
        answer = subprocess.run(
            self.command(*argv, cwd=cwd), capture_output=True, text=True, timeout=seconds
        )
        assert answer.returncode == 0, f"{argv}: {answer.stdout}\n{answer.stderr}"
        return answer.stdout

    def start(self, *argv: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*argv, cwd=cwd), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def write(self, file: Path, text: str) -> None:
        """A file of this user's; its folders are made."""
        self.run("mkdir", "-p", str(file.parent))
        file.write_text(text)
        os.chown(file, self.uid, self.uid)

    def processes(self) -> dict[int, str]:
        """Process id to command line, also of those that run as other users of this one's
        containers."""
        own = {self.uid, *range(*_subordinate(self.name))}
        found: dict[int, str] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if folder.stat().st_uid in own:
                    text = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                    found[int(folder.name)] = text
        return found


_SITE = {
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "http_proxy", "https_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
}


@pytest.fixture(scope="session")
def other_user() -> Iterator[OtherUser]:
    """Made for these tests, with subordinate user ids, and removed with everything that is theirs.
    The tests run as root for that."""
    assert os.getuid() == 0, "Making a user needs root: run these tests as root."
    ensure("ensure_rootless_podman")
    folder = Path(tempfile.mkdtemp(prefix="jm-", dir="/tmp"))  # Sockets have 107 bytes.
    folder.chmod(0o755)
    name = f"mlops-{os.getpid()}"
    home = folder / "home"
    subprocess.run(["useradd", "--create-home", "--home-dir", str(home), name], check=True)
    try:
        uid = pwd.getpwnam(name).pw_uid
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        os.chown(runtime, uid, uid)
        with _readable_machine(folder) as machine:
            user = OtherUser(name, uid, home, runtime, machine.pid)
            try:
                yield user
            finally:
                _end_all(user)
    finally:
        subprocess.run(["userdel", name], check=True)
        shutil.rmtree(folder)


def _subordinate(name: str) -> tuple[int, int]:
    """First and one after the last of the user ids that its containers may use."""
    for line in Path("/etc/subuid").read_text().splitlines():
        owner, first, count = line.split(":")
        if owner == name:
            return int(first), int(first) + int(count)
    raise AssertionError(f"{name} has no subordinate user ids in /etc/subuid")


@contextlib.contextmanager
def _readable_machine(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process whose mount namespace shows Python, this project and the cache of the tests to
    everybody: folders closed to others are covered by empty ones, into which these are bound."""
    spare = folder / "spare"
    spare.mkdir()
    needed = _outermost({Path(sys.base_prefix), Path(sys.prefix), ROOT, CACHE})
    hidden = [path for path in needed if _closed(path)]
    lines = ["set -e"]
    for number, path in enumerate(hidden):
        here = shlex.quote(f"{spare}/{number}")
        lines += [f"mkdir {here}", f"mount --bind {shlex.quote(str(path))} {here}"]
    for closed in sorted({_closed(path) for path in hidden}):
        lines.append(f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(closed)}")
    for number, path in enumerate(hidden):
        there = shlex.quote(str(path))
        lines += [f"mkdir -p {there}", f"mount --move {shlex.quote(f'{spare}/{number}')} {there}"]
    lines += ["echo ready", "exec sleep infinity"]
    process = subprocess.Popen(
        ["unshare", "--mount", "--propagation=private", "sh", "-c", "\n".join(lines)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "the mounts could not be made"
        yield process
    finally:
        process.kill()
        process.communicate()


def _outermost(paths: set[Path]) -> list[Path]:
    return sorted(path for path in paths if not paths & set(path.parents))


def _closed(path: Path) -> str:
    """The outermost folder on the way to ``path`` that others must not enter; empty if none."""
    for folder in (*reversed(path.parents), path):
        if not folder.stat().st_mode & 0o001:
            return str(folder)
    return ""


def _end_all(user: OtherUser) -> None:
    """Their Podman keeps one process for its user namespace."""
    subprocess.run(user.command("podman", "system", "migrate"), capture_output=True)
    end = time.monotonic() + 20
    while left := user.processes():
        assert time.monotonic() < end, f"these do not end: {left}"
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        time.sleep(0.05)


__all__ = ["OtherUser"]
