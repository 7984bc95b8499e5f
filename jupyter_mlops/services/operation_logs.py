"""Reading an operation's log while it is written."""

from __future__ import annotations

from pathlib import Path

LOG_CHUNK = 256 * 1024
"""Bytes of the log in one answer at most."""


def read_log(file: Path, offset: int) -> tuple[str, int]:
    """Text from a byte offset on, and the offset to go on from (blocks)."""
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            data = stream.read(LOG_CHUNK)
    except FileNotFoundError:
        return "", offset
    # A character may be half written, or cut by the chunk: the next call gets it whole.
    for cut in range(min(4, len(data) + 1)):
        try:
            text = data[: len(data) - cut].decode()
        except UnicodeDecodeError:
            continue
        return text, offset + len(data) - cut
    return data.decode(errors="replace"), offset + len(data)
