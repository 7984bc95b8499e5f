"""Files and folders that a user names on the command line."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import InvalidError


def existing(text: str, what: str = "file") -> Path:
    """Raises InvalidError for what is not there."""
    path = Path(text)
    if not path.is_file():
        raise InvalidError(f"There is no {what} {text}.")
    return path


def content(text: str) -> bytes:
    """Raises InvalidError for a file that cannot be read."""
    try:
        return Path(text).read_bytes()
    except OSError as error:
        raise InvalidError(f"The file {text} cannot be read: {error.strerror}.") from error


def absolute(text: str) -> Path:
    return Path(text).absolute()


def size_of(path: Path) -> int:
    """Bytes."""
    return path.stat().st_size
