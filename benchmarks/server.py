"""What the extension adds to the start of Jupyter Server: the same server with and without it."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from .rows import Row
from .turns import free_port

ROUNDS = 15
BAR = 0.050


def run() -> list[Row]:
    """One row: seconds from the command to the first answer, in turns."""
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        # Turns within turns: whoever comes second finds more in the machine's caches.
        order = (True, False) if number % 2 else (False, True)
        for enabled in order:
            seconds = _start(enabled)
            if number:  # The first round warms up.
                found[0 if enabled else 1].append(seconds)
    more = [a - b for a, b in zip(*found, strict=True)]
    share = statistics.median(found[0]) - statistics.median(found[1])
    ours, theirs = (f"{statistics.median(seconds):.3f} s" for seconds in found)
    quartiles = statistics.quantiles(more, n=4)
    text = f"{share * 1000:+.0f} ms ({quartiles[0] * 1000:+.0f} to {quartiles[2] * 1000:+.0f})"
    return [
        Row("start of Jupyter Server", ours, "without the extension", theirs, text,
            f"≤ +{BAR * 1000:.0f} ms", share <= BAR)
    ]  # fmt: skip


def _start(enabled: bool) -> float:
    port = free_port()
    extensions = {"jupyter_mlops": enabled, "jupyterlab": True}
    with tempfile.TemporaryDirectory(prefix="jm-") as folder:
        command = [
            sys.executable, "-m", "jupyter_server", f"--ServerApp.port={port}", "--no-browser",
            "--ServerApp.ip=127.0.0.1", "--allow-root", "--IdentityProvider.token=benchmark",
            f"--ServerApp.root_dir={folder}", f"--ServerApp.jpserver_extensions={extensions}",
            f"--Mlops.data_dir={folder}/data", f"--Mlops.runtime_dir={folder}/run",
        ]  # fmt: skip
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _answer(process, f"http://127.0.0.1:{port}/api/status?token=benchmark")
            seconds = time.perf_counter() - began
            if enabled:
                _answer(process, f"http://127.0.0.1:{port}/mlops/operations?token=benchmark")
        finally:
            process.terminate()
            process.wait(30)
    return seconds


def _answer(process: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(6000):
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(url, timeout=10).close()
            return
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{url} answered {error.code}") from None
        except OSError:
            time.sleep(0.005)
    raise SystemExit("Jupyter Server did not start.")
