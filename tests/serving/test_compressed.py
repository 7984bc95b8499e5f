"""Request bodies with a Content-Encoding, and the small ones that would unfold into a flood."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from pathlib import Path

import pytest

from .conftest import Server, Servers

SUMS = """
    def model_fn(folder): return None
    def predict_fn(data, model): return [sum(row) for row in data]
"""
ROWS = json.dumps([[1, 2], [3, 4]]).encode()
MEBIBYTE = 1024 * 1024


def raw_deflate(body: bytes) -> bytes:
    writer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return writer.compress(body) + writer.flush()


@pytest.fixture(scope="module")
def server(shared: Servers) -> Server:
    return shared(SUMS, MLOPS_MAX_BODY_MB="1")


@pytest.fixture(scope="module")
def batches(shared: Servers) -> Server:
    return shared(SUMS, MLOPS_MAX_BODY_MB="1", MLOPS_BATCH_SIZE="4")


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(ROWS)),
        ("GZip", gzip.compress(ROWS)),
        ("x-gzip", gzip.compress(ROWS)),
        ("deflate", zlib.compress(ROWS)),
        ("deflate", raw_deflate(ROWS)),
        ("identity", ROWS),
    ],
)
@pytest.mark.parametrize("which", ["server", "batches"])
def test_codings(which: str, coding: str, body: bytes, request: pytest.FixtureRequest) -> None:
    served: Server = request.getfixturevalue(which)
    answer = served.post(body, Content_Encoding=coding)
    assert answer.status == 200 and answer.json == [3, 7], answer.body


@pytest.mark.parametrize(
    ("coding", "body", "status", "message"),
    [
        ("br", ROWS, 415, "The Content-Encoding br is not known here; gzip and deflate are."),
        ("gzip, gzip", ROWS, 415, "is not known here"),
        ("gzip", ROWS, 400, "The body is not gzip: "),
        ("deflate", b"\xff" + ROWS, 400, "The body is not deflate: "),
        ("gzip", b"", 400, "The gzip body is cut off."),
        ("deflate", b"", 400, "The deflate body is cut off."),
        ("gzip", gzip.compress(ROWS)[:-4], 400, "The gzip body is cut off."),
        ("gzip", gzip.compress(ROWS) * 2, 400, "Something follows the gzip stream"),
        ("gzip", gzip.compress(b"[[1"), 400, "not JSON"),
        ("gzip", gzip.compress(b" " * (MEBIBYTE + 1)), 413, "more than 1048576 bytes when it is"),
    ],
)
@pytest.mark.parametrize("which", ["server", "batches"])
def test_what_is_refused(
    which: str, coding: str, body: bytes, status: int, message: str, request: pytest.FixtureRequest
) -> None:
    answer = request.getfixturevalue(which).post(body, Content_Encoding=coding)
    assert answer.status == status and message in answer.error, answer.body


def test_a_body_of_the_largest_size(server: Server) -> None:
    body = ROWS + b" " * (MEBIBYTE - len(ROWS))
    assert server.post(gzip.compress(body), Content_Encoding="gzip").json == [3, 7]


def test_a_bomb_takes_no_memory(server: Server) -> None:
    """256 MiB of nothing in 256 KiB: refused after the first mebibyte of it."""
    bomb = gzip.compress(bytes(256 * MEBIBYTE), compresslevel=6)
    assert len(bomb) < MEBIBYTE // 2
    (worker,) = server.workers()
    before = peak(worker)
    assert server.post(bomb, Content_Encoding="gzip").status == 413
    assert peak(worker) - before < 8 * MEBIBYTE
    assert server.workers() == [worker]


def peak(pid: int) -> int:
    """Bytes of memory that a process has held at most."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024
