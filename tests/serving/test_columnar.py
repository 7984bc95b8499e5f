"""Parquet and Arrow bodies, written and read by pyarrow itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Server, Servers, asked_by

CLIENT = """
    import io, json, sys, urllib.error, urllib.request
    import pyarrow, pyarrow.parquet

    table = pyarrow.table({"a": [1.5, None], "b": ["x", "y"]})
    kinds = {name: "application/vnd.apache." + name
             for name in ("parquet", "arrow.stream", "arrow.file")}

    def written(kind):
        out = io.BytesIO()
        if kind == "parquet":
            pyarrow.parquet.write_table(table, out)
        else:
            make = pyarrow.ipc.new_file if kind == "arrow.file" else pyarrow.ipc.new_stream
            with make(out, table.schema) as writer:
                writer.write_table(table)
        return out.getvalue()

    def read(kind, body):
        if kind == "parquet":
            return pyarrow.parquet.read_table(io.BytesIO(body))
        opened = pyarrow.ipc.open_file if kind == "arrow.file" else pyarrow.ipc.open_stream
        return opened(io.BytesIO(body)).read_all()

    def post(body, kind, accept):
        headers = {"Content-Type": kind, "Accept": accept}
        request = urllib.request.Request(sys.argv[1], body, headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as error:
            return error.code, "", error.read()

    said = {}
    for name, kind in kinds.items():
        status, answered, body = post(written(name), kind, kind)
        assert (status, answered) == (200, kind), body
        said[name] = read(name, body).to_pylist()
        said[name + " broken"] = post(written(name)[:-20], kind, kind)[2].decode()
        numbers = post(b"[1, 2]", "application/json", kind)[2]
        said[name + " of numbers"] = read(name, numbers).to_pylist()
    said["short name"] = json.loads(post(written("parquet"), "application/x-parquet", "")[2])
    print(json.dumps(said))
"""
ECHO = """
    def model_fn(folder): return None
    def predict_fn(data, model): return data
"""
ROWS = [{"a": 1.5, "b": "x"}, {"a": None, "b": "y"}]


def test_tables(serve: Servers, clients: Path) -> None:
    server = serve(ECHO, python=clients)
    said = asked_by(clients, CLIENT, f"http://127.0.0.1:{server.port}/invocations")
    for name in ("parquet", "arrow.stream", "arrow.file"):
        assert said[name] == ROWS
        assert "The body is not application/vnd.apache" in said[f"{name} broken"], name
        assert said[f"{name} of numbers"] == [{"predictions": 1}, {"predictions": 2}]
    assert said["short name"] == ROWS


@pytest.mark.parametrize("kind", ["application/parquet", "application/vnd.apache.arrow.stream"])
def test_without_the_library(plain: Server, kind: str) -> None:
    answer = plain.post(b"PAR1", kind)
    assert answer.status == 415 and "needs pyarrow" in answer.error


@pytest.fixture(scope="module")
def plain(shared: Servers) -> Server:
    return shared(ECHO)
