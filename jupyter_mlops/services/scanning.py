"""The search for secrets in what would leave this machine: changed layers, files, settings.

It is the second safety net: what never belongs into a snapshot (home folders, histories, /tmp,
secrets given to processes) is kept out by how containers are made.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import posixpath
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from ..core import secret_rules
from ..core.ports import SavedImage
from ..core.secret_rules import Hit
from ..core.snapshot import Finding

SETTINGS = "image settings"
"""The path of findings in the image's variables, labels, command and history."""
NEVER = "never travels"

_CHUNK = 8 * 1024**2
_OVERLAP = 4096
_DPKG = "/var/lib/dpkg/info"
_MOST = 20
"""Findings of one file; a file full of them needs no longer list."""

Stopped = Callable[[], bool]
"""Asked between files; True ends the scan early (the task was cancelled)."""


def scan_image(saved: SavedImage, layers: Sequence[int], stopped: Stopped) -> list[Finding]:
    """The image's settings and these of its layers, counted from the lowest (blocks)."""
    found = [
        Finding(SETTINGS, 0, hit.rule, hit.excerpt) for hit in _settings(json.loads(saved.config))
    ]
    for index in layers:
        with saved.open_layer(index) as layer:
            known = _published_files(layer)
            layer.seek(0)
            found += _scan_layer(layer, known, stopped)
    return found


def scan_files(archive: Path, stopped: Stopped) -> list[Finding]:
    """A workspace archive, tar.gz (blocks)."""
    found: list[Finding] = []
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            if stopped():
                break
            found += _scan_member(tar, member, member.name, guess=True)
    return found


def scan_text(path: str, content: bytes) -> list[Finding]:
    """A generated text, such as the lock."""
    return _findings(path, secret_rules.search(content, guess=False))


# ------------------------------------------------------------------------------- layers


def _scan_layer(layer: BinaryIO, known: Mapping[str, bytes], stopped: Stopped) -> Iterator[Finding]:
    with tarfile.open(fileobj=layer, mode="r:") as tar:
        for member in tar:
            if stopped():
                return
            path = _absolute(member.name)
            if not (member.isfile() and _is_published(tar, member, path, known)):
                yield from _scan_member(tar, member, path, guess=False)


def _scan_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, path: str, guess: bool
) -> list[Finding]:
    if not member.isfile():
        return []
    reason = secret_rules.denied(path)
    if reason:
        return [Finding(path, 0, f"{reason}: {NEVER}", "")]
    content = tar.extractfile(member)
    if content is None:
        return []
    with content:
        if path.endswith(".ipynb") and member.size < 64 * 1024**2:
            return _findings(path, _notebook(content.read(), guess))
        return _findings(path, _chunks(content, guess))


def _chunks(content: Any, guess: bool) -> Iterator[Hit]:
    """Hits in a file of any size, read in parts that overlap."""
    lines, rest = 0, b""
    while chunk := content.read(_CHUNK):
        part = rest + chunk
        for hit in secret_rules.search(part, guess):
            yield Hit(lines + hit.line, hit.rule, hit.excerpt)
        rest = part[-_OVERLAP:]
        lines += part.count(b"\n", 0, len(part) - len(rest))


def _findings(path: str, hits: Iterator[Hit]) -> list[Finding]:
    """Each once: parts overlap, and outputs repeat sources."""
    found: dict[tuple[str, str], Finding] = {}
    for hit in hits:
        found.setdefault((hit.rule, hit.excerpt), Finding(path, hit.line, hit.rule, hit.excerpt))
        if len(found) == _MOST:
            break
    return list(found.values())


def _settings(config: Mapping[str, Any]) -> Iterator[Hit]:
    """Variables, labels, command and history, one per line; ``rootfs`` is only digests."""
    inner = config.get("config") or {}
    lines = [*(inner.get("Env") or ())]
    lines += [f"{key}={value}" for key, value in (inner.get("Labels") or {}).items()]
    lines += [*(inner.get("Cmd") or ()), *(inner.get("Entrypoint") or ())]
    for step in config.get("history") or ():
        lines += [str(step.get("created_by") or ""), str(step.get("comment") or "")]
    return secret_rules.search("\n".join(lines).encode(), guess=True)


# ---------------------------------------------------------------------------- packages


def _published_files(layer: BinaryIO) -> dict[str, bytes]:
    """Path to digest of the files of installed packages: SHA-256 of those that came from a
    Python index, MD5 (dpkg's) of those of the distribution.

    They hold what everybody can download, test keys included, so they are no secrets of this
    user as long as they are unchanged. What was installed from a folder or a repository
    (PEP 610) may be the user's own, and is searched.
    """
    known: dict[str, bytes] = {}
    records: dict[str, bytes] = {}
    own: set[str] = set()
    with tarfile.open(fileobj=layer, mode="r:") as tar:
        for member in tar:
            folder, _, name = _absolute(member.name).rpartition("/")
            if folder == _DPKG and name.endswith(".md5sums"):
                if (content := tar.extractfile(member)) is not None:
                    known.update(_md5sums(content.read()))
            elif not folder.endswith(".dist-info"):
                continue
            elif name == "direct_url.json":
                own.add(folder)
            elif name == "RECORD" and (content := tar.extractfile(member)) is not None:
                records[folder] = content.read()
    for folder, record in records.items():
        if folder not in own:
            known.update(_recorded(posixpath.dirname(folder), record))
    return known


def _recorded(site: str, record: bytes) -> Iterator[tuple[str, bytes]]:
    """Lines of a RECORD file: path, ``sha256=<urlsafe base64>``, size."""
    text = io.StringIO(record.decode("utf-8", "replace"), newline="")
    for row in csv.reader(text):
        if len(row) < 2 or not row[1].startswith("sha256="):
            continue
        value = row[1].removeprefix("sha256=")
        try:
            digest = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except ValueError:
            continue
        yield posixpath.normpath(posixpath.join(site, row[0])), digest


def _md5sums(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Lines of dpkg's list: 32 hex digits, two spaces, path below /."""
    for line in text.decode("utf-8", "replace").splitlines():
        digest, _, path = line.partition("  ")
        with suppress(ValueError):
            yield _absolute(path), bytes.fromhex(digest)


def _is_published(
    tar: tarfile.TarFile, member: tarfile.TarInfo, path: str, known: Mapping[str, bytes]
) -> bool:
    """Is this a file of a published package, unchanged, or compiled from one?"""
    if path.endswith(".pyc"):
        folder, _, name = path.rpartition("/")
        return f"{folder.removesuffix('/__pycache__')}/{name.partition('.')[0]}.py" in known
    return path in known and _digest(tar, member, len(known[path])) == known[path]


def _absolute(name: str) -> str:
    """Archives write ``opt/x``, ``./opt/x`` or ``/opt/x``."""
    return posixpath.normpath("/" + name)


def _digest(tar: tarfile.TarFile, member: tarfile.TarInfo, length: int) -> bytes:
    """SHA-256, or MD5 where the digest to compare with has 16 bytes."""
    hasher = hashlib.md5(usedforsecurity=False) if length == 16 else hashlib.sha256()
    content = tar.extractfile(member)
    assert content is not None  # Regular files have content.
    with content:
        while chunk := content.read(_CHUNK):
            hasher.update(chunk)
    return hasher.digest()


# ---------------------------------------------------------------------------- notebooks


def _notebook(content: bytes, guess: bool) -> Iterator[Hit]:
    """Sources and outputs, cell by cell; pictures are skipped. A file that is no notebook is
    searched as it is."""
    try:
        notebook = json.loads(content)
        cells = list(notebook["cells"])
        rest = {key: value for key, value in notebook.items() if key != "cells"}
        texts = [("notebook", json.dumps(rest, indent=1))]
        for number, cell in enumerate(cells, 1):
            texts.append((f"cell {number}", _joined(cell.get("source"))))
            texts += [
                (f"cell {number}, output", text)
                for output in cell.get("outputs") or ()
                for text in _output_texts(output)
            ]
            if cell.get("metadata"):
                texts.append((f"cell {number}", json.dumps(cell["metadata"], indent=1)))
    except (ValueError, KeyError, TypeError, AttributeError):
        yield from secret_rules.search(content, guess)
        return
    for place, text in texts:
        for hit in secret_rules.search(text.encode("utf-8", "replace"), guess):
            yield Hit(hit.line, hit.rule, f"{place}: {hit.excerpt}")


def _output_texts(output: Mapping[str, Any]) -> Iterator[str]:
    yield _joined(output.get("text"))
    yield "\n".join(map(str, (output.get("evalue") or "", *(output.get("traceback") or ()))))
    for kind, value in (output.get("data") or {}).items():
        if kind.startswith(("image/", "audio/", "video/")) and kind != "image/svg+xml":
            continue
        plain = isinstance(value, str | list)
        yield _joined(value) if plain else json.dumps(value, ensure_ascii=False)


def _joined(value: Any) -> str:
    """nbformat's multi-line strings: one string, or a list of lines."""
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")
