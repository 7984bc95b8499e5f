"""Servers that are up at once and take turns under load."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROUNDS = 5
SECONDS = 3


@dataclass(frozen=True, eq=False)
class Contender:
    """A server's command and the request that it gets."""

    name: str
    command: Sequence[str]
    url: str
    body: bytes
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True)
class Turn:
    """What one turn of load measured."""

    rate: float
    """Requests per second."""
    p50: float
    """Milliseconds."""
    p99: float


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def cache() -> Path:
    """The folder of what is kept for the next run."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "jupyter-mlops-benchmarks"


def environment(name: str, *packages: str) -> Path:
    """The Python of a virtual environment with these packages; kept for the next run."""
    from uv import find_uv_bin

    folder = cache() / f"{name}-{sys.version_info[0]}{sys.version_info[1]}"
    python = folder / "bin/python"
    uv = find_uv_bin()
    if not python.exists():
        subprocess.run([uv, "venv", "-q", "-p", sys.executable, folder], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", python, *packages], check=True)
    return python


@contextmanager
def running(contenders: Sequence[Contender]) -> Iterator[dict[str, int]]:
    """All of them, each answering its request, as process ids by name; ended at the end."""
    processes = []
    try:
        for contender in contenders:
            path = f"{Path(contender.command[0]).parent}:{os.environ['PATH']}"
            log = log_of(contender)
            process = subprocess.Popen(
                contender.command,
                cwd=contender.folder,
                env={**os.environ, "PATH": path, **contender.environment},
                stdout=log.open("w"),
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            processes.append((contender, process, log))
        for contender, process, log in processes:
            _wait(contender, process, log)
        yield {contender.name: process.pid for contender, process, _ in processes}
        for contender, process, log in processes:
            if process.poll() is not None:
                raise SystemExit(f"{contender.name} ended:\n{log.read_text()[-2000:]}")
    finally:
        for _, process, _ in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for _, process, _ in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def log_of(contender: Contender) -> Path:
    return contender.folder / f"{contender.name.replace(' ', '-')}.log"


def _wait(contender: Contender, process: subprocess.Popen[bytes], log: Path) -> None:
    problem: Exception | None = None
    for _ in range(6000):
        if process.poll() is not None:
            break
        try:
            call(contender)
            return
        except OSError as error:
            problem = error
            time.sleep(0.02)
    raise SystemExit(f"{contender.name} does not answer: {problem}\n{log.read_text()[-2000:]}")


def call(contender: Contender) -> bytes:
    """One request."""
    headers = {"Content-Type": contender.content_type}
    request = urllib.request.Request(contender.url, contender.body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        content: bytes = answer.read()
        return content


def alternate(
    contenders: Sequence[Contender], connections: int = 16, rounds: int = ROUNDS
) -> dict[str, list[Turn]]:
    """Load on each in turn. The first round warms up and does not count."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("The load generator wrk is missing: apt-get install wrk")
    found: dict[str, list[Turn]] = {contender.name: [] for contender in contenders}
    for number in range(rounds + 1):
        for contender in contenders:
            turn = _load(wrk, contender, connections)
            if number:
                found[contender.name].append(turn)
    return found


def _load(wrk: str, contender: Contender, connections: int) -> Turn:
    body = contender.folder / "body"
    body.write_bytes(contender.body)
    script = contender.folder / "post.lua"
    script.write_text(
        'wrk.method = "POST"\n'
        f'wrk.headers["Content-Type"] = "{contender.content_type}"\n'
        f'wrk.body = io.open("{body}", "rb"):read("*a")\n'
    )
    command = [wrk, "-t1", f"-c{connections}", f"-d{SECONDS}s", "--timeout", "10s", "--latency"]
    said = subprocess.run(
        [*command, "-s", str(script), contender.url], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        log = log_of(contender).read_text()[-2000:]
        raise SystemExit(f"{contender.name} refused requests:\n{said}\n{log}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate, said
    return Turn(float(rate[1]), _percentile(said, 50), _percentile(said, 99))


def _percentile(said: str, which: int) -> float:
    found = re.search(rf"(?m)^\s+{which}%\s+([\d.]+)(us|ms|s|m) *$", said)
    assert found, said
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}[found[2]]
