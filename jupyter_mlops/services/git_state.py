"""Where a project's files stand in git."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ..core.container_network import without_credentials
from ..core.snapshot import GitState


def git_state(folder: Path) -> GitState | None:
    """Remote, commit and whether files below ``folder`` were changed since (blocks).

    None where git is not installed, the folder is in no repository, or it has no commit yet.
    """
    if shutil.which("git") is None:
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    status = _git(folder, "status", "--porcelain", "--", ".")
    remote = _git(folder, "remote", "get-url", "origin") or ""
    return GitState(
        without_credentials(remote) if "://" in remote else remote, commit, status != ""
    )


def _git(folder: Path, *arguments: str) -> str | None:
    """What git said; None when it failed or took too long."""
    command = [
        "git",
        # A repository may name programs to be run; asking about it must run none.
        *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
        *arguments,
    ]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        answer = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=15, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.decode(errors="replace").strip() if answer.returncode == 0 else None
