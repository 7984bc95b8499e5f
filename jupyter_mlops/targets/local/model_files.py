"""The model's files on this machine, as the container sees them."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from ...core.errors import TargetError


def extract(archive: Path, folder: Path) -> None:
    """Unpack model.tar.gz into a new folder (blocks).

    Everyone may read it: root in the container is not allowed to pass over permissions.
    """
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    root = folder.resolve()
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            target = root / member.name
            if not target.resolve().is_relative_to(root) or not (member.isdir() or member.isreg()):
                raise TargetError(
                    f"The model archive holds {member.name}, which is no plain file.",
                    "Make the package again.",
                )
            if member.isdir():
                target.mkdir(exist_ok=True)
                target.chmod(0o755)
                continue
            content = tar.extractfile(member)
            assert content is not None  # Regular files have content.
            with target.open("wb") as out:
                shutil.copyfileobj(content, out, 1024 * 1024)
            target.chmod(0o644)


def remove(folder: Path) -> None:
    """With everything in it (blocks); a missing one is no error."""
    shutil.rmtree(folder, ignore_errors=True)
