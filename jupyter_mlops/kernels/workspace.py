"""Which folders of this machine a kernel sees, each at its own path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import InvalidError
from ..core.layout import ENV_PREFIX, RUN_DIR
from ..core.ports import Mount

_OWN = tuple(
    Path(path)
    for path in (
        ENV_PREFIX,
        RUN_DIR,
        *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr"),
    )
)
"""The container's own: a folder of this machine may hide none of them."""


@dataclass(frozen=True)
class Workspace:
    folder: Path
    """Mounted: the server's root, or the notebook's folder."""
    project: Path
    """The notebook's folder, where the kernel starts."""
    mounts: tuple[Mount, ...]

    def resolve(self, path: str, home: Path, home_inside: str) -> str | None:
        """A path that the kernel speaks of, on this machine; None when it is not here. ``home`` is
        the kernel's home folder here, ``home_inside`` its place in the container."""
        if path == "~" or path.startswith(("~/", f"{home_inside}/")):
            inner = path.removeprefix(home_inside).removeprefix("~").lstrip("/")
            found, roots = home / inner, [home]
        else:
            found = self.project / path
            roots = [Path(mount.source) for mount in self.mounts]
        found = Path(os.path.normpath(found))
        if found.exists() and any(found.is_relative_to(root) for root in roots):
            return found.as_posix()
        return None


def workspace(project: Path, root: Path | None) -> Workspace:
    """``root`` is the Jupyter server's; None without a server.

    Raises InvalidError for a folder that cannot be mounted at its own path.
    """
    project = project.absolute()
    if not project.is_dir():
        raise InvalidError(f"The kernel cannot start in {project}: there is no such folder.")
    folder = project
    if root is not None and project.is_relative_to(root.absolute()) and _allowed(root.absolute()):
        folder = root.absolute()
    mounts = [Mount(str(folder), str(folder))]
    # A link inside the workspace may lead out of it; the kernel must be able to follow this one.
    real = project.resolve()
    if real != project and not real.is_relative_to(folder):
        mounts.append(Mount(str(real), str(real)))
    for mount in mounts:
        if not _allowed(Path(mount.target)):
            raise InvalidError(
                f"The folder {mount.target} cannot be given to a kernel: it would hide the "
                "container's own system.",
                "Keep notebooks in a folder of their own, such as your home folder.",
            )
    return Workspace(folder, project, tuple(mounts))


def _allowed(folder: Path) -> bool:
    return not any(own == folder or own.is_relative_to(folder) for own in _OWN)
