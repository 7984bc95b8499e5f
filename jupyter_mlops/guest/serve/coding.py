"""Bodies to data and back: JSON and its usual shapes, JSON Lines, CSV, npy and npz.

NumPy and pandas are used where the environment has them, and are never required.
"""

import csv
import functools
import io
import json
import math

from . import columnar
from .errors import Refused

JSON = "application/json"
JSONL = "application/jsonlines"
CSV = "text/csv"
NPY = "application/x-npy"
NPZ = "application/x-npz"

ALIASES = {
    "": JSON,
    "*/*": JSON,
    "application/*": JSON,
    "text/json": JSON,
    "application/x-jsonlines": JSONL,
    "application/x-ndjson": JSONL,
    "application/jsonl": JSONL,
    "application/csv": CSV,
    "text/*": CSV,
    "application/npy": NPY,
    "application/npz": NPZ,
    "application/x-parquet": columnar.PARQUET,
    "application/parquet": columnar.PARQUET,
}
KNOWN = (JSON, JSONL, CSV, NPY, NPZ)
"""What every environment reads, but the last two, which need NumPy."""
ROWS = ("instances", "inputs", "data", "input_data")
"""Keys of a JSON object under which rows are sent, as Vertex AI, MLflow, Azure ML call them."""
PARAMETERS = ("parameters", "params")
"""Keys of what is said beside the rows, for handlers that take a context."""


@functools.lru_cache(maxsize=256)
def media_type(header):
    """(type, parameters) of a Content-Type or of one Accept entry, names in lower case.

    Kept: the parameters are not to be changed.
    """
    first, *rest = header.split(";")
    parameters = {}
    for part in rest:
        name, _, value = part.partition("=")
        parameters[name.strip().lower()] = value.strip().strip('"')
    name = first.strip().lower()
    return ALIASES.get(name, name), parameters


def decode(body, header, beside=None):
    """Data of a request's body (bytes). Raises Refused 415 or 400.

    The dict ``beside`` gets what a JSON object says in ``parameters`` beside the rows.
    """
    name, parameters = media_type(header)
    if name not in KNOWN and name not in columnar.KNOWN:
        raise Refused(415, "Send %s; %s is not understood here." % (" or ".join(KNOWN), header))
    if not body:
        raise Refused(400, "The request has no body.")
    if name in (NPY, NPZ):
        return _arrays(body, name)
    if name in columnar.KNOWN:
        return columnar.decode(body, name)
    text = utf8(body)
    if name == JSON:
        value = from_json(text)
        if beside is not None and isinstance(value, dict):
            for key in PARAMETERS:
                if isinstance(value.get(key), dict):
                    beside.update(value[key])
        return shape(value)
    if name == JSONL:
        lines = [line for line in enumerate(text.splitlines(), 1) if line[1].strip()]
        return shape([from_json(line, "Line %d: " % number) for number, line in lines])
    return _table(text, parameters.get("header", ""))


def utf8(body):
    """Text of a body; raises Refused."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Refused(
            400, "The body is not UTF-8 text: %s at byte %d." % (error.reason, error.start)
        ) from error
    return text[1:] if text.startswith("\ufeff") else text


def from_json(text, where=""):
    """The value of JSON text; ``where`` begins the sentence of what Refused says."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise Refused(400, "%sThe body is not JSON: %s" % (where, error)) from error
    except RecursionError:
        raise Refused(400, "%sThe body's JSON is nested too deeply." % where) from None


def shape(value):
    """Rows of the usual JSON forms: an array, or a DataFrame where columns have names.

    Other objects stay as they are: a handler of the user's own may know what they mean.
    """
    if isinstance(value, list):
        return _rows(value)
    if isinstance(value, dict):
        if "dataframe_split" in value:
            return _split("dataframe_split", value["dataframe_split"])
        if "dataframe_records" in value:
            return _frame(value["dataframe_records"], None)
        for key in ROWS:
            if isinstance(value.get(key), list):
                return _rows(value[key])
            named = value.get(key)
            if key == "input_data" and isinstance(named, dict) and "columns" in named:
                return _split(key, named)
            if key in ("inputs", "input_data") and isinstance(named, dict):
                return {name: _rows(column) for name, column in named.items()}
    return value


def _split(key, split):
    if not isinstance(split, dict) or not isinstance(split.get("data"), list):
        raise Refused(400, "%s must be an object with columns and data." % key)
    return _frame(split["data"], split.get("columns"))


def _rows(rows):
    if rows and all(isinstance(row, dict) for row in rows):
        return _frame(rows, None)
    try:
        import numpy
    except ImportError:
        return rows
    try:
        array = numpy.asarray(rows)
        if array.dtype.kind in "US" and not _all_text(rows):
            array = numpy.asarray(rows, dtype=object)
    except ValueError as error:
        raise Refused(
            400, "The rows do not all have the same number of values: %s" % error
        ) from error
    return array


def _all_text(value):
    if isinstance(value, list):
        return all(_all_text(item) for item in value)
    return isinstance(value, str)


def _frame(rows, columns):
    try:
        import pandas
    except ImportError:
        if columns is None:
            return rows
        return [dict(zip(columns, row)) for row in rows]  # noqa: B905 (not in 3.8)
    try:
        return pandas.DataFrame(rows, columns=columns)
    except (ValueError, TypeError, AssertionError) as error:
        raise Refused(400, "The rows do not make a table: %s" % error) from error


def _table(text, header):
    """CSV. A first row of names only is a header unless the request says ``header=absent``."""
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    if not rows:
        raise Refused(400, "The request has no rows.")
    width = len(rows[0])
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise Refused(
                400, "Row %d has %d values, the first has %d." % (number, len(row), width)
            )
    names = None
    if header == "present" or (header != "absent" and _is_header(rows)):
        names, rows = rows[0], rows[1:]
    values = [[_cell(cell) for cell in row] for row in rows]
    if names is not None:
        return _frame(values, names)
    return _rows(values)


def _is_header(rows):
    """Only names above at least one number: data rows of text alone are no header."""
    return (
        len(rows) > 1
        and all(isinstance(_cell(cell), str) for cell in rows[0])
        and any(not isinstance(_cell(cell), str) for cell in rows[1])
    )


def _cell(text):
    try:
        return float(text) if text.strip() else math.nan
    except ValueError:
        return text


def _arrays(body, name):
    try:
        import numpy
    except ImportError:
        raise Refused(415, "%s needs NumPy, which this environment does not have." % name) from None
    try:
        # Never with pickle: that would let a request run code.
        loaded = numpy.load(io.BytesIO(body), allow_pickle=False)
        if name == NPY:
            if not hasattr(loaded, "dtype"):
                raise ValueError("it holds several arrays; send it as " + NPZ)
            return loaded
        arrays = {key: loaded[key] for key in loaded.files}
    except Exception as error:
        raise Refused(400, "The body is not %s: %s" % (name, error)) from error
    return next(iter(arrays.values())) if len(arrays) == 1 else arrays


def choose(accept, default):
    """The content type to answer with. Raises Refused 406."""
    if not accept or accept.strip() == "*/*":
        return default
    for entry in accept.split(","):
        name, _ = media_type(entry)
        if name in KNOWN or name in columnar.KNOWN:
            return name
    raise Refused(406, "This can answer in %s, not in %s." % (", ".join(KNOWN), accept))


def encode(value, name):
    """(content type, body) of a prediction."""
    if name in columnar.KNOWN:
        return name, columnar.encode(value, name)
    if name in (NPY, NPZ):
        import numpy

        out = io.BytesIO()
        if name == NPY:
            numpy.save(out, numpy.asarray(value), allow_pickle=False)
        else:
            arrays = value if isinstance(value, dict) else {"predictions": value}
            numpy.savez(out, **{str(key): numpy.asarray(item) for key, item in arrays.items()})
        return name, out.getvalue()
    if name == JSON:
        return name, to_json(value).encode()
    rows = plain(value)
    if not isinstance(rows, list):
        rows = [rows]
    if name == JSONL:
        return name, "".join(to_json(row) + "\n" for row in rows).encode()
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        cells = list(row.values()) if isinstance(row, dict) else row
        writer.writerow(cells if isinstance(cells, list) else [cells])
    return name, out.getvalue().encode()


def to_json(value):
    """JSON text; what JSON has no number for (NaN, infinities) becomes null."""
    if hasattr(value, "tolist") or hasattr(value, "to_dict"):
        value = plain(value)
    try:
        return _STRICT.encode(value)
    except ValueError:
        text = json.dumps(value, default=plain)
        return json.dumps(json.loads(text, parse_constant=lambda _: None))


def plain(value):
    """Lists, dicts and scalars of what NumPy, pandas and others return."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return value.to_dict("records")
    if hasattr(value, "toarray"):
        value = value.toarray()
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if isinstance(value, (list, dict, str, int, float, bool)) or value is None:
        return value
    if hasattr(value, "item"):
        return value.item()
    raise TypeError("A %s cannot be sent as an answer." % type(value).__name__)


_STRICT = json.JSONEncoder(default=plain, allow_nan=False)
