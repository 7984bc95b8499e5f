"""Parquet and Arrow bodies, where the environment has pyarrow."""

import io

from .errors import Refused

PARQUET = "application/vnd.apache.parquet"
STREAM = "application/vnd.apache.arrow.stream"
FILE = "application/vnd.apache.arrow.file"
KNOWN = (PARQUET, STREAM, FILE)


def _library(name):
    try:
        import pyarrow
    except ImportError:
        raise Refused(
            415, "%s needs pyarrow, which this environment does not have." % name
        ) from None
    return pyarrow


def decode(body, name):
    """The table of a body: a DataFrame, or rows with names without pandas. Raises Refused."""
    arrow = _library(name)
    try:
        if name == PARQUET:
            import pyarrow.parquet

            table = pyarrow.parquet.read_table(arrow.BufferReader(body))
        elif name == STREAM:
            table = arrow.ipc.open_stream(body).read_all()
        else:
            table = arrow.ipc.open_file(arrow.BufferReader(body)).read_all()
        table.validate(full=True)
    except Exception as error:
        raise Refused(400, "The body is not %s: %s" % (name, error)) from error
    try:
        import pandas  # noqa: F401
    except ImportError:
        return table.to_pylist()
    return table.to_pandas()


def encode(value, name):
    """Bytes of a prediction; without columns of its own it is the column ``predictions``."""
    arrow = _library(name)
    if hasattr(value, "iloc") and hasattr(value, "columns"):
        table = arrow.Table.from_pandas(value, preserve_index=False)
    elif isinstance(value, dict):
        table = arrow.table({str(key): arrow.array(list(item)) for key, item in value.items()})
    else:
        rows = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
            table = arrow.Table.from_pylist(rows)
        else:
            table = arrow.table({"predictions": rows if isinstance(rows, list) else [rows]})
    out = io.BytesIO()
    if name == PARQUET:
        import pyarrow.parquet

        pyarrow.parquet.write_table(table, out)
    else:
        make = arrow.ipc.new_stream if name == STREAM else arrow.ipc.new_file
        with make(out, table.schema) as writer:
            writer.write_table(table)
    return out.getvalue()
