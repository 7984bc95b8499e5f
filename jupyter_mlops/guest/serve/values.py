"""What goes to R and comes back: columns of a frame, and values that say their type.

All numbers are little-endian: integers of 4 bytes, doubles of 8. The other side is worker.R.
"""

import math
import struct

NA_INTEGER = -(1 << 31)
LOGICAL, INTEGER, DOUBLE, TEXT, LIST, FRAME, MATRIX = range(1, 8)
_LARGEST = (1 << 31) - 1


class NoFrame(Exception):
    """The data cannot be a data frame."""


def columns(data):
    """(columns as (name, values), number of rows, whether the names are the caller's).

    Of rows, records, columns by name, arrays and DataFrames. Raises NoFrame.
    """
    if hasattr(data, "columns") and hasattr(data, "iloc"):
        found = [(str(name), data[name].tolist()) for name in data.columns]
        return found, len(data), True
    if hasattr(data, "tolist"):
        data = data.tolist()
    if isinstance(data, dict):
        found = [(str(name), _listed(value)) for name, value in data.items()]
        sizes = {len(values) for _, values in found}
        if len(sizes) != 1:
            raise NoFrame("columns of a table have the same number of values")
        return found, sizes.pop(), True
    if not isinstance(data, list) or not data:
        raise NoFrame("send rows, as a list of lists or of objects")
    if all(isinstance(row, dict) for row in data):
        names = list(dict.fromkeys(name for row in data for name in row))
        return [(str(n), [row.get(n) for row in data]) for n in names], len(data), True
    rows = [row if isinstance(row, list) else [row] for row in data]
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        raise NoFrame("the rows do not all have the same number of values")
    found = [("V%d" % (at + 1), [row[at] for row in rows]) for at in range(width)]
    return found, len(rows), False


def _listed(value):
    value = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(value, list):
        raise NoFrame("send a list of values for each column")
    return [item[0] if isinstance(item, list) and len(item) == 1 else item for item in value]


def pack(data):
    """The bytes of a data frame. Raises NoFrame."""
    found, rows, named = columns(data)
    parts = [_integers([len(found), rows, int(named)]), _texts([name for name, _ in found])]
    for name, values in found:
        parts.append(_column(name, values))
    return b"".join(parts)


def _column(name, values):
    kinds = {type(value) for value in values if not _missing(value)}
    if kinds <= {bool}:
        return _integers([LOGICAL, *(NA_INTEGER if _missing(v) else int(v) for v in values)])
    if kinds == {int} and all(_missing(v) or -_LARGEST <= v <= _LARGEST for v in values):
        return _integers([INTEGER, *(NA_INTEGER if _missing(v) else v for v in values)])
    if kinds <= {int, float}:
        numbers = [math.nan if _missing(value) else float(value) for value in values]
        return _integers([DOUBLE]) + struct.pack("<%dd" % len(numbers), *numbers)
    if any(isinstance(value, (list, dict)) for value in values):
        raise NoFrame("the column %s has values that are lists or objects" % name)
    return _integers([TEXT]) + _texts(
        [None if _missing(v) else v if isinstance(v, str) else str(v) for v in values]
    )


def _missing(value):
    return value is None or value != value


def _integers(values):
    return struct.pack("<%di" % len(values), *values)


def _texts(values):
    """Which are missing, and the texts with a NUL after each."""
    for value in values:
        if value is not None and "\x00" in value:
            raise NoFrame("R has no text with a NUL in it")
    whole = b"".join((value or "").encode("utf-8", "replace") + b"\x00" for value in values)
    return _integers([int(value is None) for value in values]) + whole


class Reader:
    """Reads one value of R's from bytes."""

    def __init__(self, content):
        self._content = content
        self._at = 0

    def value(self, inside=False):
        """Lists, dicts and scalars; ``inside`` a list of R's, a vector of one is a scalar."""
        (kind,) = self._integers(1)
        if not kind:
            return None
        if kind == FRAME:
            count, rows = self._integers(2)
            names = self._texts(count)
            found = [self.value() for _ in names]
            return [dict(zip(names, row)) for row in zip(*found)] if found else [{}] * rows  # noqa: B905
        if kind == MATRIX:
            count, rows, named = self._integers(3)
            names = self._texts(count) if named else None
            flat = self.value()
            lines = [flat[row::rows] for row in range(rows)]
            return [dict(zip(names, line)) for line in lines] if named else lines  # noqa: B905
        (count,) = self._integers(1)
        if kind == LIST:
            (named,) = self._integers(1)
            names = self._texts(count) if named else None
            found = [self.value(True) for _ in range(count)]
            return dict(zip(names, found)) if named else found  # noqa: B905 (not in 3.8)
        found = self._vector(kind, count)
        return found[0] if inside and count == 1 else found

    def _vector(self, kind, count):
        if kind == TEXT:
            return self._texts(count)
        if kind == DOUBLE:
            found = struct.unpack_from("<%dd" % count, self._content, self._at)
            self._at += 8 * count
            return [None if math.isnan(number) else number for number in found]
        found = self._integers(count)
        if kind == LOGICAL:
            return [None if value == NA_INTEGER else bool(value) for value in found]
        return [None if value == NA_INTEGER else value for value in found]

    def _integers(self, count):
        found = struct.unpack_from("<%di" % count, self._content, self._at)
        self._at += 4 * count
        return found

    def _texts(self, count):
        missing = self._integers(count)
        found = []
        for absent in missing:
            end = self._content.index(b"\x00", self._at)
            text = self._content[self._at : end].decode("utf-8", "replace")
            found.append(None if absent else text)
            self._at = end + 1
        return found
