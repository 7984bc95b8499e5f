"""What counts as the same output."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import pytest

from jupyter_mlops.core.outputs import (
    code_cells,
    difference,
    digest,
    error,
    outputs,
    record,
    sanitise,
    was_run,
)


def cell(*outputs: dict[str, Any], source: str = "f()", count: int | None = 1) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "source": source,
        "execution_count": count,
        "outputs": list(outputs),
        "metadata": {},
    }


def stream(text: str | list[str], name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def shown(**data: Any) -> dict[str, Any]:
    bundle = {kind.replace("__", "/").replace("_", "+"): value for kind, value in data.items()}
    return {"output_type": "display_data", "data": bundle, "metadata": {}}


def png(pixel: int, text: bytes = b"", level: int = 6) -> str:
    """A grey picture of one pixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = [
        chunk(b"IHDR", header),
        chunk(b"tEXt", b"Date\0" + text) if text else b"",
        chunk(b"IDAT", zlib.compress(bytes([0, pixel]), level)),
        chunk(b"IEND", b""),
    ]
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("<Model at 0x7f3a5c0d1e80>", "<Model at 0x7fbb00112233>"),
        ("CPU times: user 3 s, sys: 1 s\nWall time: 4 s", "CPU times: user 1 ms\nWall time: 9 ms"),
        ("1.2 ms ± 3 µs per loop (mean ± std. dev. of 7 runs, 100 loops each)",
         "1.9 ms ± 8 µs per loop (mean ± std. dev. of 7 runs, 1 loop each)"),
        ("training took 3.21 s", "training took 4.9 s"),
        ("done in 12 ms, R² 0.5", "done in 3 ms, R² 0.5"),
        ("saved to /tmp/tmpab12/model.bin", "saved to /tmp/tmpzz99/model.bin"),
        ("/tmp/ipykernel_12/345.py:3: Warning: x", "/tmp/ipykernel_98/765.py:3: Warning: x"),
        (" 10%|█         | 1/10 [00:01<00:09]\r100%|██████████| 10/10 [00:09<00:00, 1.1it/s]\nend",
         "100%|██████████| 10/10 [00:03<00:00, 3.3it/s]\nend"),
        ("epoch 1\repoch 2", "epoch 2"),
        ("2026-11-22 10:31:07,123 INFO start", "2027-01-02 03:04:05,999 INFO start"),
        ("Cell In[3], line 1", "Cell In[7], line 1"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id 00000000-e89b-12d3-a456-426614174999"),
        ("trailing   \nblanks\n\n", "trailing\nblanks"),
        ("windows\r\nlines", "windows\nlines"),
    ],
)  # fmt: skip
def test_what_changes_from_run_to_run_is_no_difference(before: str, after: str) -> None:
    assert sanitise(before) == sanitise(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("R² 0.496", "R² 0.497"),
        ("half-life: 3.2 s", "half-life: 3.9 s"),
        ("first 2026-11-22 10:31:07", "first 2026-11-23 10:31:07"),
        ("commit 0xff", "commit 0xfe"),
        ("rows: 442\ncolumns: 11", "rows: 442"),
        ("Collecting samples", "Collecting nothing"),
    ],
)
def test_a_result_is_a_difference(before: str, after: str) -> None:
    assert sanitise(before) != sanitise(after)


def test_pip_says_another_thing_the_second_time() -> None:
    first = stream(
        "Collecting humanize\n  Downloading humanize-4.9-py3-none-any.whl (126 kB)\n"
        "\x1b[2K     ━━━━━━━━━━━━━━━━ 126.2/126.2 kB 3.1 MB/s eta 0:00:00\n"
        "Installing collected packages: humanize\nSuccessfully installed humanize-4.9\n"
        "\n[notice] A new release of pip is available\n"
        "Note: you may need to restart the kernel to use updated packages.\n"
    )
    second = stream(
        "Requirement already satisfied: humanize in /opt/env/lib/python3.11 (4.9)\n"
        "Note: you may need to restart the kernel to use updated packages.\n"
    )
    for source in ("%pip install humanize", "!pip install humanize", "import x\n%uv pip install a"):
        before, after = cell(first, source=source), cell(second, source=source)
        assert difference(outputs(before), outputs(after)) == ""
    # What pip cannot do is a difference.
    failed = cell(
        stream("ERROR: No matching distribution found for humanize"), source="%pip install"
    )
    assert "ERROR: No matching" in difference(
        outputs(cell(second, source="%pip install")), outputs(failed)
    )


def test_streams_are_compared_whole_whatever_pieces_they_came_in() -> None:
    one = cell(stream("a\nb\n"), stream("warning\n", "stderr"), stream(["c\n", "d\n"]))
    other = cell(stream("warning\n", "stderr"), stream("a\nb\nc\nd\n"))
    assert digest(outputs(one)) == digest(outputs(other))
    assert digest(outputs(one)) != digest(outputs(cell(stream("a\nb\nc\n"))))


def test_how_a_value_was_shown_is_no_difference() -> None:
    data = {"text/plain": "42"}
    result = {"output_type": "execute_result", "execution_count": 3, "data": data, "metadata": {}}
    assert outputs(cell(result)) == outputs(cell(shown(text__plain="42")))


def test_pictures_are_compared_by_what_they_show() -> None:
    before = cell(shown(image__png=png(7, b"yesterday", level=0)))
    assert outputs(before) == outputs(cell(shown(image__png=png(7, b"today", level=9) + "\n")))
    changed = difference(outputs(before), outputs(cell(shown(image__png=png(8)))))
    assert "-1x1, sha256:" in changed and "+1x1, sha256:" in changed


def test_a_damaged_picture_is_compared_byte_by_byte() -> None:
    damaged = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0").decode()
    assert outputs(cell(shown(image__png=damaged)))[0].text.startswith("sha256:")
    assert outputs(cell(shown(image__png="?")))[0].text.startswith("sha256:")


def test_json_outputs_do_not_depend_on_the_order_of_their_keys() -> None:
    one = cell(shown(application__json={"a": 1, "b": 2}))
    assert outputs(one) == outputs(cell(shown(application__json={"b": 2, "a": 1})))


def test_a_widget_is_there_or_not() -> None:
    first = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "W(1)"}
    second = {"application/vnd.jupyter.widget-view+json": {"model_id": "2"}, "text/plain": "W(2)"}
    shapes = [{"output_type": "display_data", "data": d, "metadata": {}} for d in (first, second)]
    assert outputs(cell(shapes[0])) == outputs(cell(shapes[1])) != ()


def test_errors_are_compared_without_their_traceback() -> None:
    def raised(line: int, value: str) -> dict[str, Any]:
        return {
            "output_type": "error",
            "ename": "ValueError",
            "evalue": value,
            "traceback": [f"line {line}"],
        }

    assert outputs(cell(raised(1, "no"))) == outputs(cell(raised(9, "no")))
    assert outputs(cell(raised(1, "no"))) != outputs(cell(raised(1, "yes")))
    assert error(cell(raised(1, "no"))) == "ValueError: no"
    assert error(cell(stream("ValueError: no"))) == ""


def test_a_notebook_is_recorded_cell_by_cell() -> None:
    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": "# text"},
            cell(stream("1\n")),
            cell(source="  \n"),
            cell(source=["x = 1\n", "y = 2"], count=None),
        ]
    }
    assert [index for index, _ in code_cells(notebook)] == [1, 3]
    recorded = record("a.ipynb", notebook)
    assert [(c.index, c.run) for c in recorded.cells] == [(1, True), (3, False)]
    assert recorded.cells[0].outputs == digest(outputs(cell(stream("1"), count=5)))
    assert not was_run(notebook["cells"][3])


def test_a_long_difference_is_cut() -> None:
    before, after = cell(stream("a\n" * 1000)), cell(stream("b\n" * 1000))
    lines = difference(outputs(before), outputs(after), limit=50).split("\n")
    assert len(lines) == 51 and lines[-1].startswith("… and ")
