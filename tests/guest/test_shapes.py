"""What is said of data: in kernels, and of the samples of packages."""

from __future__ import annotations

import array

import pytest

from jupyter_mlops.guest.shapes import described


class Rows:
    """What makes an array, without NumPy."""

    dtype = "float64"
    shape = (3, 2)

    def tolist(self) -> list[list[float]]:
        return [[1.0, 2.0]] * 3


def column(name: str, kind: str, missing: bool = False) -> dict[str, object]:
    return {"name": name, "type": kind, "missing": missing}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Rows(), {"type": "array", "dtype": "float64", "shape": [None, 2]}),
        (
            [{"a": 1, "b": "x", "c": True}, {"a": 2.5, "b": None, "c": False, "d": 1}],
            {
                "type": "table",
                "columns": [
                    column("a", "float64"),
                    column("b", "object", missing=True),
                    column("c", "bool"),
                    column("d", "int64", missing=True),
                ],
            },
        ),
        (
            [{"mixed": 1, "nothing": None}, {"mixed": "x", "nothing": None}],
            {
                "type": "table",
                "columns": [column("mixed", "object"), column("nothing", "object", missing=True)],
            },
        ),
        ([[1, 2]], {"type": "list", "items": {"type": "list", "items": {"type": "int"}}}),
        ([], {"type": "list", "items": {}}),
        (
            {"question": "why", "deep": {"n": 1.0}},
            {
                "type": "object",
                "fields": {
                    "question": {"type": "str"},
                    "deep": {"type": "object", "fields": {"n": {"type": "float"}}},
                },
            },
        ),
        (array.array("d"), {"type": "array.array"}),
        (None, {"type": "NoneType"}),
    ],
)
def test_described(value: object, expected: dict[str, object]) -> None:
    assert described(value) == expected
