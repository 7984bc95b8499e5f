"""The kernel specs that launcher and kernel picker show, in a folder of ours."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..core.environment import Environment, EnvironmentSpec
from ..core.layout import ENV_PREFIX
from ..core.revision import Revision
from ..core.snapshot import Snapshot

PROVISIONER = "jupyter-mlops-provisioner"
PREFIX = "mlops-"

_ARGV = [
    f"{ENV_PREFIX}/bin/python",
    # Without it the debugger warns that it may miss breakpoints.
    "-Xfrozen_modules=off",
    "-m",
    "ipykernel_launcher",
    "-f",
    "{connection_file}",
]


class KernelSpecFolder:
    """Implements ``ports.KernelSpecs``. Jupyter lists the folder anew at each request, so a spec
    is there as soon as it is written, and each file is either the old one or the new one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def install_environment(self, environment: Environment, revisions: Sequence[Revision]) -> None:
        """Write the active revision's spec and a pinned one for each of ``revisions``; pinned
        ones of other revisions go.

        Secrets, network and limits are those of the environment as it is now: changing them
        makes no revision, and what is forbidden is forbidden in all of them.
        """
        name = PREFIX + environment.name
        wanted = {f"{name}.r{revision.number}": revision for revision in revisions}
        active = [revision for revision in revisions if revision.number == environment.active]
        for pinned, revision in wanted.items():
            self._write(pinned, _of_revision(revision, "always ", environment.spec))
        for revision in active:
            self._write(name, _of_revision(revision, "", environment.spec))
        if not active:
            self._delete(self.path / name)
        for folder in self.path.glob(f"{name}.r*"):
            if folder.name not in wanted:
                self._delete(folder)

    def install_snapshot(self, snapshot: Snapshot) -> str:
        name = PREFIX + snapshot.id
        self._write(name, _of_snapshot(snapshot))
        return name

    def remove(self, name: str) -> None:
        for folder in (self.path / (PREFIX + name), *self.path.glob(f"{PREFIX}{name}.r*")):
            self._delete(folder)

    def _write(self, name: str, spec: dict[str, Any]) -> None:
        folder = self.path / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = folder / f"kernel.json.{os.getpid()}"
        partial.write_text(json.dumps(spec, indent=1, sort_keys=True))
        partial.replace(folder / "kernel.json")

    @staticmethod
    def _delete(folder: Path) -> None:
        # Without this file the folder is no kernel spec, whatever else is still in it.
        (folder / "kernel.json").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def _of_revision(revision: Revision, which: str, now: EnvironmentSpec) -> dict[str, Any]:
    python = ".".join(revision.python.split(".")[:2])
    facts = [f"{which}r{revision.number}", *([f"Python {python}"] if python else [])]
    return _spec(
        f"{revision.environment} ({', '.join(facts)})",
        config={
            "environment": revision.environment,
            "revision": revision.number,
            "image": revision.image,
            "network": now.network,
            "variables": dict(revision.spec.variables),
            "secrets": list(now.secrets),
            "resources": asdict(now.resources),
        },
        pointer={
            "environment": revision.environment,
            "revision": revision.number,
            "digest": revision.image,
            "lock": revision.lock,
        },
    )


def _of_snapshot(snapshot: Snapshot) -> dict[str, Any]:
    lock = snapshot.member("lock")
    return _spec(
        f"{snapshot.name} (snapshot {snapshot.id[2:8]})",
        config={
            "environment": snapshot.environment,
            "revision": snapshot.revision,
            "snapshot": snapshot.id,
            "image": snapshot.image,
            "variables": dict(snapshot.variables),
        },
        pointer={
            "environment": snapshot.environment,
            "revision": snapshot.revision,
            "snapshot": snapshot.id,
            "digest": snapshot.image,
            "lock": lock.digest if lock else "",
        },
    )


def _spec(display_name: str, config: dict[str, Any], pointer: dict[str, Any]) -> dict[str, Any]:
    """``pointer`` is what the front end writes into a notebook."""
    return {
        "argv": _ARGV,
        "display_name": display_name,
        "language": "python",
        "interrupt_mode": "message",
        "metadata": {
            "debugger": True,
            "jupyter_mlops": pointer,
            "kernel_provisioner": {"provisioner_name": PROVISIONER, "config": config},
        },
    }
