"""Formats of requests and answers, in an environment without any library."""

from __future__ import annotations

import pytest

from .conftest import Server, Servers

PLAIN = """
    def model_fn(folder): return None
    def predict_fn(data, model): return data
"""


@pytest.fixture(scope="module")
def plain(shared: Servers) -> Server:
    return shared(PLAIN)


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"[[1, 2]]", "application/json", [[1, 2]]),
        (b'{"instances": [[1], [2]]}', "application/json; charset=utf-8", [[1], [2]]),
        (b'{"inputs": [1, 2]}', "text/json", [1, 2]),
        (b'{"data": ["a"]}', "", ["a"]),
        (b'{"dataframe_records": [{"a": 1}]}', "application/json", [{"a": 1}]),
        (
            b'{"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2]]}}',
            "application/json",
            [{"a": 1, "b": 2}],
        ),
        (b'{"own": 1}', "application/json", {"own": 1}),
        (b'\xef\xbb\xbf{"own": "\xc3\xa9"}', "application/json", {"own": "é"}),
        (b"[1]\n\n[2]\n", "application/jsonlines", [[1], [2]]),
        (b'{"a": 1}\n{"a": 2}', "application/x-ndjson", [{"a": 1}, {"a": 2}]),
        (b"1,2\n3,x\n", "text/csv", [[1.0, 2.0], [3.0, "x"]]),
        (b"a,b\n1,2\n", "text/csv", [{"a": 1.0, "b": 2.0}]),
        (b"a,b\n1,2\n", "text/csv; header=absent", [["a", "b"], [1.0, 2.0]]),
        (b"1,2\n3,4\n", "text/csv;header=present", [{"1": 3.0, "2": 4.0}]),
        (b'"a,b",1\r\n', "text/csv", [["a,b", 1.0]]),
    ],
)
def test_formats(plain: Server, body: bytes, content_type: str, expected: object) -> None:
    answer = plain.post(body, content_type)
    assert answer.status == 200, answer.body
    assert answer.json == expected
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "message"),
    [
        (b"[1, 2", "application/json", 400, "not JSON: Expecting ',' delimiter: line 1 column 6"),
        (b"[1]\n[2", "application/jsonlines", 400, "Line 2: The body is not JSON"),
        (b"[" * 100_000, "application/json", 400, "nested too deeply"),
        (b'"\xff"', "application/json", 400, "not UTF-8 text: invalid start byte at byte 1"),
        (b"1,2\n3\n", "text/csv", 400, "Row 2 has 1 values, the first has 2"),
        (b"\n", "text/csv", 400, "no rows"),
        (b"", "application/json", 400, "no body"),
        (b"x", "image/png", 415, "image/png is not understood here"),
        (b"x", "application/x-npy", 415, "needs NumPy"),
        (b'{"dataframe_split": 5}', "application/json", 400, "columns and data"),
    ],
)
def test_what_cannot_be_read(
    plain: Server, body: bytes, content_type: str, status: int, message: str
) -> None:
    answer = plain.post(body, content_type)
    assert (answer.status, message in answer.error) == (status, True), answer.body


@pytest.mark.parametrize(
    ("accept", "content_type", "body"),
    [
        ("", "application/json", b'[[1, 2], [3, "x"]]'),
        ("*/*", "application/json", b'[[1, 2], [3, "x"]]'),
        ("text/html, text/csv;q=0.5", "text/csv", b"1,2\n3,x\n"),
        ("application/x-ndjson", "application/jsonlines", b'[1, 2]\n[3, "x"]\n'),
    ],
)
def test_answers(plain: Server, accept: str, content_type: str, body: bytes) -> None:
    answer = plain.post([[1, 2], [3, "x"]], Accept=accept)
    assert (answer.headers["content-type"], answer.body) == (content_type, body)


def test_an_answer_nobody_can_read(plain: Server) -> None:
    answer = plain.post([1], Accept="image/png")
    assert answer.status == 406 and "application/json" in answer.error


def test_default_answer_by_variable(serve: Servers) -> None:
    server = serve(PLAIN, SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="text/csv")
    assert server.post([[1, 2]]).body == b"1,2\n"


def test_numbers_that_json_has_not(plain: Server) -> None:
    assert plain.post(b"[1.5, NaN, Infinity]").body == b"[1.5, null, null]"
