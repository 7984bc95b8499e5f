"""Podman's API service: started when Podman is installed and nothing listens on its sockets.

Several processes of one user share one service. Everything of it is in one folder: its socket,
its configuration, its log, and two lock files. Who uses it holds a shared lock on ``users``; the
last one to leave ends it, at the latest when its program ends. If that one was killed, the service
ends by its own idle time-out.
Containers do not depend on it: they live on, and the next service knows them.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..core.errors import EngineUnavailableError
from .install_hints import hint

IDLE_SECONDS = 1800
START_SECONDS = 30
_MOST = 1048576
"""Open files and processes that Podman gives every container, unless told otherwise."""


class PodmanService:
    """``podman system service`` in ``folder``. All methods block.

    ``root`` is a place for images and containers of its own, apart from those of this user's
    other Podman; None is the usual place.
    """

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        if root is not None:
            # One service per place: two would not see each other's containers.
            folder = folder / hashlib.sha256(str(root).encode()).hexdigest()[:8]
        self.folder = folder
        self.root = root
        self.socket = folder / "podman.sock"
        self._users: IO[str] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def ensure(self) -> bool:
        """Start it unless it answers; True when it had to be started.

        Raises EngineUnavailableError: Podman is not installed, or its service does not start.
        """
        if self._users is not None and self._answers():
            return False
        program = shutil.which("podman")
        if program is None:
            raise EngineUnavailableError("Podman is not installed.", hint("podman"))
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._starting():
            if self._users is None:
                self._users = (self.folder / "users").open("w")
                fcntl.flock(self._users, fcntl.LOCK_SH)
                # Programs such as `jupyter execute` know nothing of us, and close nothing.
                atexit.register(self._leave, os.getpid())
            if self._answers():
                return False
            self._start(program)
            return True

    def release(self) -> None:
        """End it if nobody else uses it."""
        users, self._users = self._users, None
        if users is None:
            return
        atexit.unregister(self._leave)
        with users, self._starting():
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            pid = self.pid()
            if pid:
                _end(pid)

    def _leave(self, pid: int) -> None:
        """When this program ends; a fork of it shares its lock, which is not the fork's to give."""
        if pid == os.getpid():
            with contextlib.suppress(OSError):
                self.release()

    def pid(self) -> int:
        """Of the running service; 0 when it does not run."""
        try:
            pid = int((self.folder / "pid").read_text())
        except (OSError, ValueError):
            return 0
        return pid if _is_podman(pid) else 0

    @contextlib.contextmanager
    def _starting(self) -> Iterator[None]:
        """One process at a time starts or ends it."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(self.socket))
            return True
        return False

    def _start(self, program: str) -> None:
        log = self.folder / "service.log"
        with contextlib.suppress(FileNotFoundError):
            self.socket.unlink()
        with log.open("w") as output:
            process = subprocess.Popen(
                [program, "system", "service", "--time", str(IDLE_SECONDS), self.url],
                env=self._environment(program),
                # conmon leaves a file `oom` where the service was started.
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (self.folder / "pid").write_text(str(process.pid))
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                lines = log.read_text(errors="replace").strip().splitlines()
                raise EngineUnavailableError(
                    f"Podman could not start its service: {(lines or ['no reason given'])[-1]}",
                    "Run `podman info`: it tells what is missing.",
                )
            time.sleep(0.05)

    def _environment(self, program: str) -> dict[str, str]:
        """Its configuration, as files named by environment variables."""
        environment = dict(os.environ)
        containers = self.folder / "containers.conf"
        containers.write_text(containers_conf(self.root))
        # Older versions read this file only, newer ones lay it over the machine's own.
        overrides = _version(program) >= (4, 6)
        environment["CONTAINERS_CONF_OVERRIDE" if overrides else "CONTAINERS_CONF"] = str(
            containers
        )
        text = storage_conf(self.root)
        if text:
            storage = self.folder / "storage.conf"
            storage.write_text(text)
            environment["CONTAINERS_STORAGE_CONF"] = str(storage)
        return environment


def containers_conf(root: Path | None) -> str:
    """What Podman has to do differently from its defaults."""
    lines = ["[containers]"]
    # Else this process's proxies, perhaps with a password, get into containers and images.
    lines.append("http_proxy = false")
    # Podman gives containers more than a process without CAP_SYS_RESOURCE may give away; and it
    # lowers its own limit of processes to the number of process ids first.
    limits = {"nofile": _hard(resource.RLIMIT_NOFILE), "nproc": _hard(resource.RLIMIT_NPROC)}
    with contextlib.suppress(OSError, ValueError):
        ids = int(Path("/proc/sys/kernel/pid_max").read_text())
        limits["nproc"] = min(limits["nproc"], ids)
    words = [f'"{name}={number}:{number}"' for name, number in limits.items()]
    lines.append(f"default_ulimits = [{', '.join(words)}]")
    lines.append("[engine]")
    # A helper process stays that long after every process run in a container; 300 by default.
    lines.append("exit_command_delay = 30")
    if not Path("/sys/fs/cgroup/cgroup.controllers").exists() and shutil.which(
        "runc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    ):
        lines.append('runtime = "runc"')  # crun refuses machines with mixed cgroup versions.
    if root is not None:
        number = int(hashlib.sha256(str(root).encode()).hexdigest()[:2], 16)
        lines += [
            # Events and locks of its own, too.
            f'tmp_dir = "{_volatile(root) / "tmp"}"',
            'lock_type = "file"',
            "[network]",
            f'network_config_dir = "{root / "networks"}"',
            # Two stores give out addresses without knowing of each other. This range is
            # reserved for tests of networks, so no site routes it (RFC 2544).
            f'default_subnet = "198.18.{number}.0/24"',
        ]
    return "\n".join(lines) + "\n"


def _hard(number: int) -> int:
    hard = resource.getrlimit(number)[1]
    return _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)


def storage_conf(root: Path | None) -> str:
    """Where a place for storage is wanted, or where Podman would choose a slow driver."""
    home = Path.home() / ".local/share/containers/storage"
    run = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / "containers"
    if root is not None:
        home, run = root / "storage", _volatile(root) / "run"
    elif os.getuid() == 0:
        return ""
    elif home.exists() or (Path.home() / ".config/containers/storage.conf").exists():
        return ""  # Not ours to change: a store keeps the driver it was made with.
    return f'[storage]\ndriver = "overlay"\ngraphroot = "{home}"\nrunroot = "{run}"\n'


def _volatile(root: Path) -> Path:
    """What belongs to a place for storage until the machine restarts.

    It depends on that place alone, because Podman writes it down there and refuses any other;
    and it is short, because Podman refuses more than 50 characters.
    """
    name = f"jmlops-{hashlib.sha256(str(root).encode()).hexdigest()[:8]}"
    if os.getuid() == 0:
        return Path("/run") / name
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / name


def _version(program: str) -> tuple[int, int]:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    words = answer.stdout.split()
    try:
        major, minor = words[-1].split(".")[:2]
        return int(major), int(minor)
    except (IndexError, ValueError):
        return (0, 0)


def _end(pid: int) -> None:
    """TERM, and KILL where that is not enough: then also for the process in a user namespace that
    does a rootless service's work, and passes TERM on, but would outlive the KILL of its parent."""
    family = [pid, *_children(pid)]
    for number, whom in ((signal.SIGTERM, [pid]), (signal.SIGKILL, family)):
        for one in whom:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, number)
        for _ in range(100):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)  # Else our own child stays as a zombie.
            if not any(Path(f"/proc/{one}").exists() for one in family):
                return
            time.sleep(0.05)


def _children(pid: int) -> list[int]:
    """Those that are Podman, too; not the monitors of containers."""
    found: list[int] = []
    # Each thread has its own.
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, file.read_text().split())
    return [one for one in found if _is_podman(one)]


def _is_podman(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "podman"
    except OSError:
        return False
