"""The kernel specs that launcher and kernel picker show, in a folder of ours."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..core.environment import Environment, EnvironmentSpec
from ..core.kernel import kernel_name
from ..core.layout import ENV_PREFIX
from ..core.revision import Revision
from ..core.snapshot import Snapshot

PROVISIONER = "jupyter-mlops-provisioner"
PREFIX = "mlops-"


@dataclass(frozen=True)
class _Language:
    """How a kernel of it is started, and what it can do."""

    name: str
    """As kernels say it themselves."""
    argv: tuple[str, ...]
    interrupt_mode: str
    debugger: bool


_PYTHON = _Language(
    "python",
    (
        f"{ENV_PREFIX}/bin/python",
        # Without it the debugger warns that it may miss breakpoints.
        "-Xfrozen_modules=off",
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
    ),
    interrupt_mode="message",
    debugger=True,
)
_R = _Language(
    "R",
    ("R", "--no-echo", "-e", "IRkernel::main()", "--args", "{connection_file}"),
    # IRkernel knows no interrupt message.
    interrupt_mode="signal",
    debugger=False,
)


class KernelSpecFolder:
    """Implements ``ports.KernelSpecs``. Jupyter lists the folder anew at each request, so a spec
    is there as soon as it is written, and each file is either the old one or the new one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def install_environment(self, environment: Environment, revisions: Sequence[Revision]) -> None:
        """Write the active revision's spec and a pinned one for each of ``revisions``, those that
        have R one of each more; those of other revisions go.

        Secrets, network and limits are those of the environment as it is now: changing them
        makes no revision, and what is forbidden is forbidden in all of them.
        """
        wanted: set[str] = set()
        for revision in revisions:
            for language in (_PYTHON, _R) if revision.r else (_PYTHON,):
                spec = _of_revision(revision, "always ", environment.spec, language)
                name = kernel_name(environment.name, revision.number, language.name)
                self._write(name, spec)
                wanted.add(name)
                if revision.number == environment.active:
                    spec = _of_revision(revision, "", environment.spec, language)
                    name = kernel_name(environment.name, language=language.name)
                    self._write(name, spec)
                    wanted.add(name)
        for folder in self._folders(environment.name):
            if folder.name not in wanted:
                self._delete(folder)

    def install_snapshot(self, snapshot: Snapshot) -> str:
        name = PREFIX + snapshot.id
        self._write(name, _of_snapshot(snapshot))
        return name

    def remove(self, name: str) -> None:
        for folder in self._folders(name):
            self._delete(folder)

    def _folders(self, name: str) -> list[Path]:
        """All that there may be of an environment or snapshot."""
        own = PREFIX + name
        return [self.path / own, self.path / f"{own}.ir", *self.path.glob(f"{own}.r*")]

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


def _of_revision(
    revision: Revision, which: str, now: EnvironmentSpec, language: _Language
) -> dict[str, Any]:
    title, full = ("R", revision.r) if language is _R else ("Python", revision.python)
    version = ".".join(full.split(".")[:2])
    facts = [f"{which}r{revision.number}", *([f"{title} {version}"] if version else [])]
    return _spec(
        language,
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
        _R if snapshot.language == _R.name else _PYTHON,
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


def _spec(
    language: _Language, display_name: str, config: dict[str, Any], pointer: dict[str, Any]
) -> dict[str, Any]:
    """``pointer`` is what the front end writes into a notebook."""
    return {
        "argv": list(language.argv),
        "display_name": display_name,
        "language": language.name,
        "interrupt_mode": language.interrupt_mode,
        "metadata": {
            "debugger": language.debugger,
            "jupyter_mlops": pointer,
            "kernel_provisioner": {"provisioner_name": PROVISIONER, "config": config},
        },
    }
