"""One sentence and one command for a machine on which no engine answers."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import EngineUnavailableError, MlopsError
from ..core.settings import Settings

_FAMILIES = {
    "debian": {"docker": "apt-get install docker.io", "podman": "apt-get install podman"},
    "fedora": {"docker": "dnf install moby-engine", "podman": "dnf install podman"},
    "rhel": {"podman": "dnf install podman"},
    "suse": {"docker": "zypper install docker", "podman": "zypper install podman"},
    "arch": {"docker": "pacman -S docker", "podman": "pacman -S podman"},
    "alpine": {"docker": "apk add docker", "podman": "apk add podman"},
}
"""By ``ID`` and ``ID_LIKE`` of /etc/os-release."""


def no_engine(settings: Settings, problems: Sequence[MlopsError]) -> EngineUnavailableError:
    """Says what was found wrong, and the exact command for this system. Blocking."""
    # A problem that somebody can solve with its own hint is told before general advice.
    for problem in problems:
        if problem.hint and ("may not use it" in problem.message or settings.engine_url):
            return EngineUnavailableError(problem.message, problem.hint)
    wanted = settings.engine
    if settings.engine_url and problems:
        return EngineUnavailableError(
            problems[0].message, "Correct the setting engine_url, or start the engine there."
        )
    names = {"docker": "Docker", "podman": "Podman"}
    subject = names.get(wanted, "No container engine")
    message = (
        f"{subject} does not answer on this machine."
        if wanted in names
        else ("No container engine answers on this machine.")
    )
    known = [problem.message for problem in problems if "Podman" in problem.message]
    if wanted == "podman" and known:
        message = known[-1]
    return EngineUnavailableError(message, hint(wanted))


def hint(wanted: str = "auto") -> str:
    """The command that starts or installs an engine here, as a sentence."""
    if sys.platform == "darwin":
        return "Install and start Docker Desktop, or run `brew install podman`."
    sudo = "" if os.getuid() == 0 else "sudo "
    if wanted != "podman" and shutil.which("dockerd"):
        return f"Start it: `{sudo}{_start_docker()}`."
    if wanted == "podman" and shutil.which("podman"):
        return "Run `podman info`: it tells what is missing."
    commands = _FAMILIES.get(family(), {})
    command = commands.get(wanted) or commands.get("docker") or commands.get("podman")
    if wanted == "podman":
        command = commands.get("podman")
    if command is None:
        return "Install Docker (https://docs.docker.com/engine/install) or Podman."
    return f"Install one: `{sudo}{command}`."


def _start_docker() -> str:
    if Path("/run/systemd/system").exists():
        return "systemctl start docker"
    return "service docker start"


def family(os_release: Path = Path("/etc/os-release")) -> str:
    """``debian``, ``fedora``, …: the first of ID and ID_LIKE that we have commands for."""
    fields = {}
    try:
        for line in os_release.read_text(encoding="utf-8").splitlines():
            key, equals, value = line.partition("=")
            if equals:
                fields[key.strip()] = value.strip().strip("\"'")
    except OSError:
        return ""
    for name in (fields.get("ID", ""), *fields.get("ID_LIKE", "").split()):
        if name.startswith("opensuse") or name.startswith("sles"):
            name = "suse"
        if name in _FAMILIES:
            return name
    return ""
