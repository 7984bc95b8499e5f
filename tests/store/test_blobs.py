"""Content-addressed files on a real disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from jupyter_mlops.core.errors import DigestMismatchError, InvalidError, NotFoundError
from jupyter_mlops.store.blobs import FileBlobs

DATA = b"pandas==2.3.0\n"
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()


async def test_bytes_and_files_are_found_by_their_digest(tmp_path: Path):
    blobs = FileBlobs(tmp_path / "blobs")
    assert await blobs.put(DATA) == DIGEST
    file = blobs.scratch()
    file.write_bytes(DATA)
    assert await blobs.put(file) == DIGEST
    assert not file.exists()
    elsewhere = tmp_path / "lock"
    elsewhere.write_bytes(DATA * 2)
    other = await blobs.put(elsewhere)
    assert not elsewhere.exists()
    assert await blobs.get(DIGEST) == DATA
    assert await blobs.get(other) == DATA * 2
    assert blobs.size(other) == 2 * len(DATA)
    assert list((tmp_path / "blobs" / "scratch").iterdir()) == []


async def test_a_missing_or_damaged_blob_is_reported(tmp_path: Path):
    blobs = FileBlobs(tmp_path / "blobs")
    with pytest.raises(NotFoundError):
        await blobs.get(DIGEST)
    with pytest.raises(NotFoundError):
        blobs.size(DIGEST)
    with pytest.raises(InvalidError):
        blobs.path("sha256:../../etc/passwd")
    await blobs.put(DATA)
    blobs.path(DIGEST).chmod(0o600)
    blobs.path(DIGEST).write_bytes(b"something else")
    with pytest.raises(DigestMismatchError):
        await blobs.get(DIGEST)
