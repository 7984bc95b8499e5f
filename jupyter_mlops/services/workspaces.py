"""The files of a project: which of them a snapshot takes, packed and unpacked.

The archive depends on the files' names, contents and executable bits alone, so equal files give
an equal digest whoever packs them and when.
"""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..core.errors import ConflictError, InvalidError, NotFoundError
from ..core.layout import DATABASE
from ..core.snapshot import FileEntry
from ..core.workspace_rules import IGNORE_FILE, denied

# The last two: a file where the archive needs a folder, or the other way round.
_DAMAGED = (
    tarfile.TarError,
    EOFError,
    gzip.BadGzipFile,
    zlib.error,
    FileExistsError,
    NotADirectoryError,
)

_MAX_FILES = 50_000
"""A project with more is somebody's home folder, not a project."""


@dataclass(frozen=True)
class Workspace:
    """What a walk over a project's folder found. Paths are relative, sorted, with ``/``."""

    root: Path
    entries: tuple[FileEntry, ...]
    """All files, and the folders that are left out whole (their path ends in ``/``)."""
    folders: tuple[str, ...]
    """Empty folders that are taken: programs expect to find them."""

    @property
    def taken(self) -> tuple[FileEntry, ...]:
        return tuple(e for e in self.entries if e.included)

    @property
    def size(self) -> int:
        """Bytes of what is taken."""
        return sum(e.size for e in self.taken)

    @property
    def notebooks(self) -> tuple[str, ...]:
        return tuple(e.path for e in self.taken if e.path.endswith(".ipynb"))

    @property
    def skipped(self) -> tuple[str, ...]:
        """``path: why``, the first hundred."""
        return tuple(f"{e.path}: {e.reason}" for e in self.entries if not e.included)[:100]

    def check(self, cap: int) -> None:
        """Raises InvalidError when the files are more than ``cap`` bytes."""
        if self.size <= cap:
            return
        largest = sorted(self.taken, key=lambda e: e.size, reverse=True)[:5]
        names = ", ".join(f"{e.path} ({megabytes(e.size)})" for e in largest)
        raise InvalidError(
            f"The project's files are {megabytes(self.size)}; a snapshot takes at most "
            f"{megabytes(cap)}. The largest: {names}.",
            f"Write what the notebooks do not need into {self.root / IGNORE_FILE}, one pattern a "
            "line as in .gitignore, or have `workspace_cap` raised.",
        )


def walk(root: Path, exclude: Sequence[str] = ()) -> Workspace:
    """Look at every file below ``root`` (blocks).

    ``exclude`` are further paths to leave out, files or folders. Raises NotFoundError where there
    is no such folder, InvalidError where it has too many files or a pattern cannot be read.
    """
    from pathspec import GitIgnoreSpec

    if not root.is_dir():
        raise NotFoundError(f"The project's folder {root} does not exist.")
    ignore_file = root / IGNORE_FILE
    try:
        lines = ignore_file.read_text().splitlines() if ignore_file.is_file() else []
        ignored = GitIgnoreSpec.from_lines(lines)
    except ValueError as error:  # Also what is not UTF-8.
        raise InvalidError(f"{ignore_file} cannot be read: {error}.") from None
    excluded = {path.strip("/") for path in exclude}
    entries: list[FileEntry] = []
    empty: list[str] = []

    def reason(path: str, folder: bool) -> str:
        why = denied(path, folder)
        if why:
            return why
        if path in excluded:
            return "you excluded it"
        return IGNORE_FILE if ignored.match_file(path + "/" if folder else path) else ""

    def visit(folder: Path, prefix: str) -> None:
        try:
            found = sorted(os.scandir(folder), key=lambda e: e.name)
        except OSError as error:
            entries.append(FileEntry(prefix, 0, False, f"cannot be read: {error.strerror}"))
            return
        before = len(entries)
        for item in found:
            path = prefix + item.name
            if item.is_dir(follow_symlinks=False):
                why = reason(path, True)
                if why:
                    entries.append(FileEntry(path + "/", 0, False, why))
                elif (Path(item.path) / "pyvenv.cfg").is_file():
                    entries.append(FileEntry(path + "/", 0, False, "packages are in the image"))
                elif (Path(item.path) / DATABASE).is_file():
                    # Reading the file while we use it would also make us lose our locks on it.
                    entries.append(FileEntry(path + "/", 0, False, "holds our own records"))
                else:
                    visit(Path(item.path), path + "/")
                continue
            details = item.stat(follow_symlinks=False)
            why = reason(path, False) or _unfit(root, item, details)
            size = details.st_size if stat.S_ISREG(details.st_mode) else 0
            entries.append(FileEntry(path, size, not why, why))
            if len(entries) > _MAX_FILES:
                raise InvalidError(
                    f"The project's folder {root} has more than {_MAX_FILES} files.",
                    f"Keep the notebook in a folder of its own, or leave out what is not needed "
                    f"in {ignore_file}.",
                )
        if len(entries) == before and prefix:
            empty.append(prefix.rstrip("/"))

    visit(root, "")
    return Workspace(root, tuple(sorted(entries, key=lambda e: e.path)), tuple(sorted(empty)))


def pack(workspace: Workspace, archive: Path) -> None:
    """Write the files that are taken as a tar.gz (blocks).

    Raises InvalidError where a file changed meanwhile or cannot be read.
    """
    with (
        archive.open("wb") as raw,
        # Level 3: half the time of 6 for a few percent; no name and time in the header.
        gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in workspace.folders:
            info = tarfile.TarInfo(path)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for entry in workspace.taken:
            _add(tar, workspace.root, entry)


def unpack(archive: Path, directory: Path, limit: int) -> list[str]:
    """Unpack into ``directory``, which must be empty or not exist (blocks); returns the files.

    Nothing is ever written outside of it, whoever made the archive, and not more than ``limit``
    bytes. Raises ConflictError where the directory has files, InvalidError where the archive
    is damaged or tries to escape; nothing stays behind then.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConflictError(
            f"{directory} is not empty.", "Name a new folder, so that nothing is overwritten."
        )
    existed = directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    try:
        return _extract(archive, directory.resolve(), limit)
    except BaseException as error:
        remove_contents(directory)
        if not existed:
            directory.rmdir()
        if isinstance(error, _DAMAGED):
            raise InvalidError(f"The snapshot's files are damaged: {error}.") from None
        raise


def read_files(archive: Path, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Path and content of those of ``paths`` that a packed workspace has (blocks)."""
    wanted = set(paths)
    if not wanted:
        return
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.name in wanted else None
            if content is not None:
                yield member.name, content.read()


def remove_contents(directory: Path) -> None:
    """Empty a folder (blocks)."""
    for child in directory.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()


def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def _unfit(root: Path, item: os.DirEntry[str], details: os.stat_result) -> str:
    """Why this cannot be packed, whatever its name."""
    if stat.S_ISLNK(details.st_mode):
        inside = _inside(Path(item.path), root.resolve())
        return "" if inside else "a link that leads out of the project"
    if not stat.S_ISREG(details.st_mode):
        return "not a file"
    return "" if os.access(item.path, os.R_OK) else "cannot be read"


def _add(tar: tarfile.TarFile, root: Path, entry: FileEntry) -> None:
    file = root / entry.path
    info = tarfile.TarInfo(entry.path)
    try:
        if file.is_symlink():
            # Relative, so that it still leads into the project somewhere else.
            target = os.path.relpath(file.resolve(), file.parent.resolve())
            info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, target
            tar.addfile(info)
            return
        with file.open("rb") as content:
            details = os.fstat(content.fileno())
            info.size = details.st_size
            info.mode = 0o755 if details.st_mode & stat.S_IXUSR else 0o644
            tar.addfile(info, content)
    except OSError as error:
        raise InvalidError(
            f"{entry.path} changed or vanished while it was saved ({error}).",
            "Wait until the cell that writes it has finished, and freeze again.",
        ) from None


def _extract(archive: Path, directory: Path, limit: int) -> list[str]:
    left = limit
    files, links = [], []
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            path = _safe(member.name)
            target = directory / path
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.issym():
                links.append((target, member.linkname))
            elif member.isreg():
                left -= member.size
                if left < 0:
                    raise InvalidError("The snapshot's files are larger than it says.")
                _write(tar, member, target)
            else:
                raise InvalidError(f"The snapshot holds {path}, which is no file.")
            if not member.isdir():
                files.append(str(path))
    # Links come last: while files are written, no folder can be a link to elsewhere.
    for target, destination in links:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(destination)
    for target, _ in links:
        if not _inside(target, directory):
            raise InvalidError(
                f"The snapshot's link {target.relative_to(directory)} leads out of its folder."
            )
    return sorted(files)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    assert content is not None  # Regular files have content.
    try:
        # "x": a name that comes twice is an attack or damage.
        with content, target.open("xb") as file:
            shutil.copyfileobj(content, file, 1024 * 1024)
    except FileExistsError:
        raise InvalidError(f"The snapshot holds {member.name} twice.") from None
    if member.mode & stat.S_IXUSR:
        target.chmod(target.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or not path.parts:
        raise InvalidError(f"The snapshot's files would be written outside of its folder: {name}.")
    return path


def _inside(link: Path, directory: Path) -> bool:
    try:
        return link.resolve().is_relative_to(directory)
    except (OSError, RuntimeError):  # A circle of links.
        return False
