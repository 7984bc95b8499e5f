"""A folder of files that appears whole or not at all, and is taken away without touching others'.

All of it blocks. ``SHA256SUMS`` lists what was written; its own digest is kept with the deployment.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import time
from pathlib import Path

from ...core.errors import ConflictError, NotFoundError

CHECKSUMS = "SHA256SUMS"
_CHUNK = 1024**2
_PATIENCE = 10.0
"""Seconds; a thread of a cancelled task may still be writing."""


def check_free(place: Path) -> None:
    """Raise unless a folder or file can be made there. An empty folder counts as none."""
    if not place.parent.is_dir():
        raise NotFoundError(
            f"The folder {place.parent} does not exist.", "Make it first, or name another one."
        )
    if place.is_dir() and not place.is_symlink():
        if any(place.iterdir()):
            raise ConflictError(
                f"The folder {place} is not empty.",
                "Name a new folder, or empty this one: nothing is ever overwritten.",
            )
    elif place.exists() or place.is_symlink():
        raise ConflictError(
            f"There is a file {place} already.", "Name another one: nothing is ever overwritten."
        )


def draft(place: Path, deployment_id: str) -> Path:
    """Where it is written until it is whole: beside its place, so that renaming moves no bytes."""
    return place.with_name(f".{place.name}.{deployment_id}.part")


def packed(place: Path) -> Path:
    """Beside a folder: the one file that may be made of it."""
    return place.with_name(place.name + ".tar")


def is_draft(path: Path, deployment_id: str) -> bool:
    return path.name.startswith(".") and path.name.endswith(f".{deployment_id}.part")


def add(folder: Path, name: str, content: str | bytes, mode: int = 0o644) -> None:
    """Write one file; ``name`` may have folders, with forward slashes."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    file.chmod(mode)


def names(folder: Path) -> list[str]:
    """Of all files below it, sorted."""
    found = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    return sorted(found)


def digest(file: Path) -> str:
    """``sha256:<hex>``."""
    hashed = hashlib.sha256()
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK):
            hashed.update(chunk)
    return "sha256:" + hashed.hexdigest()


def seal(folder: Path) -> str:
    """Write the checksums of all files, as ``sha256sum -c`` reads them; returns their digest."""
    lines = [f"{digest(folder / name).removeprefix('sha256:')}  {name}\n" for name in names(folder)]
    add(folder, CHECKSUMS, "".join(lines))
    folder.chmod(0o755)
    return digest(folder / CHECKSUMS)


def pack(folder: Path, top: str, file: Path) -> str:
    """A tar of everything in ``folder``, below ``top``, without owners and times; its digest."""
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in names(folder):
            source = folder / name
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size, info.mode = source.stat().st_size, source.stat().st_mode & 0o777
            with source.open("rb") as content:
                tar.addfile(info, content)
    file.chmod(0o644)
    return digest(file)


def publish(part: Path, place: Path) -> None:
    """Give it its name. Raises ConflictError where somebody else was quicker."""
    try:
        part.rename(place)
    except OSError as error:
        if place.exists():
            check_free(place)
        raise error


def discard(path: Path) -> None:
    """Remove a draft, file or folder; a missing one is no error."""
    until = time.monotonic() + _PATIENCE
    while path.exists():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=time.monotonic() < until)
        else:
            path.unlink(missing_ok=True)


def remove(place: Path, written: str) -> list[str]:
    """Remove what ``written`` (the digest of the checksums, or of the one file) vouches for.

    Files that somebody has changed or added stay, and are returned.
    """
    if place.is_file():
        if digest(place) != written:
            return [place.name]
        place.unlink()
        return []
    checksums = place / CHECKSUMS
    if not checksums.is_file() or digest(checksums) != written:
        return names(place) if place.is_dir() else []
    for line in checksums.read_text().splitlines():
        hexadecimal, _, name = line.partition("  ")
        file = place / name
        if file.is_file() and digest(file) == f"sha256:{hexadecimal}":
            file.unlink()
    checksums.unlink()
    left = names(place)
    for folder in sorted((p for p in place.rglob("*") if p.is_dir()), reverse=True):
        _remove_empty(folder)
    _remove_empty(place)
    return left


def _remove_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
