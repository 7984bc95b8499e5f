"""One function of a file as the handler."""

from __future__ import annotations

import pytest

from .conftest import Server, Servers

FUNCTION = """
    import datetime
    def area(width: float, height: float = 2.0, *, unit="m"):
        if width < 0:
            raise ValueError("a width is never negative")
        return {"area": width * height, "unit": unit + "2", "day": datetime.date(2026, 1, 2)}
"""


@pytest.fixture(scope="module")
def function(shared: Servers) -> Server:
    return shared(FUNCTION, kind="function", function="area")


def test_function(function: Server) -> None:
    answer = function.post({"data": {"width": 3}})
    assert answer.json == {"result": {"area": 6.0, "unit": "m2", "day": "2026-01-02"}}
    assert function.post({"data": {"width": 3, "unit": "ft"}}).json["result"]["unit"] == "ft2"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "message"),
    [
        (b'{"data": {}}', "application/json", 400, "area: missing a required argument: 'width'"),
        (b'{"data": {"width": 1, "depth": 2}}', "application/json", 400, "'depth'"),
        (b'{"width": 1}', "application/json", 400, 'Send {"data": {…}} with the arguments of area'),
        (b"[]", "application/json", 400, 'Send {"data"'),
        (b"{", "application/json", 400, "not JSON"),
        (b"", "application/json", 400, "no body"),
        (b"1", "text/csv", 415, "Send application/json"),
        (b'{"data": {"width": -1}}', "application/json", 500, "a width is never negative"),
    ],
)
def test_function_refuses(
    function: Server, body: bytes, content_type: str, status: int, message: str
) -> None:
    answer = function.post(body, content_type)
    assert answer.status == status and message in answer.error, answer.body
