"""Engines of a test's own, which it may kill or let run out of disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from jupyter_mlops.engines.docker import DockerEngine


class OwnDocker:
    """A second dockerd, without networks, with everything below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        (self.folder / "pid").unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    # In a network of its own: --bridge=none deletes the docker0 that is there.
                    "unshare",
                    "--net",
                    "dockerd",
                    f"--host={self.url}",
                    f"--data-root={self.folder}/data",
                    f"--exec-root={self.folder}/exec",
                    f"--pidfile={self.folder}/pid",
                    "--bridge=none",
                    "--iptables=false",
                    "--ip-forward=false",
                ],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()[-3000:]
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-3000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """As a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)
        # Its helper would go, too, but not before the next daemon has mistaken it for a living one.
        helper = self.folder / "exec/containerd"
        with contextlib.suppress(OSError, ValueError):
            end(int((helper / "containerd.pid").read_text()))
        for name in ("containerd.pid", "containerd.sock"):
            (helper / name).unlink(missing_ok=True)

    def stop(self) -> None:
        """In order: containers and their helpers end too. A crashed one is started for that."""
        if self._process is None:
            return
        if self._process.poll() is not None:
            self.start()
        self._process.terminate()
        self._process.wait(30)

    def _answers(self) -> bool:
        answer = subprocess.run(
            ["docker", "--host", self.url, "version"], capture_output=True, check=False
        )
        return answer.returncode == 0

    def engine(self) -> DockerEngine:
        return DockerEngine(self.url)


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of that size."""
    folder.mkdir(parents=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True
    )
    try:
        yield folder
    finally:
        sweep(folder)


def sweep(folder: Path) -> None:
    """End what a failed test has left running out of this folder, unmount, remove."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            if f"{folder}/" in (process / "cmdline").read_text():
                # A container's processes would outlive the one that watches them.
                children = (process / "task" / process.name / "children").read_text()
                for pid in (process.name, *children.split()):
                    end(int(pid))
    # The engines leave a mount at the top of their store.
    for mounted in sorted(_mounts_below(folder), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", mounted], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split()[1] for line in lines]
    return [point for point in points if f"{point}/".startswith(f"{folder}/")]


def alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    with contextlib.suppress(OSError):
        # A zombie has ended; whose child it is may take its time.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def end(pid: int) -> None:
    """As a crash would."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    while alive(pid):
        time.sleep(0.05)
