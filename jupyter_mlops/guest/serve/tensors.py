"""KServe V2's tensors to arrays and back: as JSON, or as bytes after it (the binary extension).

NumPy makes arrays of them where the environment has it; without it they are nested lists, and the
binary extension is refused.
"""

import struct

from . import coding
from .errors import Refused

TYPES = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
    "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8",
    "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
"""NumPy's names. BYTES, which is text or bytes of any length, has none; BF16 is not known here."""
_LENGTH = struct.Struct("<I")


def numpy_or_none():
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def read(tensor, binary):
    """The data of an entry of ``inputs``; ``binary`` are its bytes, None where it is JSON."""
    name, kind, shape = tensor["name"], tensor.get("datatype"), tensor.get("shape")
    if kind != "BYTES" and kind not in TYPES:
        known = ", ".join([*TYPES, "BYTES"])
        raise Refused(400, "The input %s has the datatype %s; known are %s." % (name, kind, known))
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise Refused(400, "The input %s has no shape." % name)
    numpy = numpy_or_none()
    if binary is not None and numpy is None:
        raise Refused(400, "Binary tensors need NumPy, which this environment does not have.")
    count = 1
    for size in shape:
        count *= size
    try:
        if binary is None:
            if "data" not in tensor:
                raise ValueError("it has no data")
            values = tensor["data"]
            return _nested(values, shape, count) if numpy is None else _array(
                numpy, values, kind, shape)  # fmt: skip
        if kind == "BYTES":
            texts = _texts(binary)
            array = numpy.empty(len(texts), dtype=object)
            array[:] = texts
            return array.reshape(shape)
        # A copy: what NumPy makes of bytes cannot be written to, and models may.
        return numpy.frombuffer(binary, TYPES[kind]).reshape(shape).copy()
    except (ValueError, TypeError, OverflowError, struct.error) as error:
        raise Refused(400, "The input %s is not %s %s: %s" % (name, kind, shape, error)) from error


def _array(numpy, values, kind, shape):
    if kind == "BYTES":
        array = numpy.empty(len(_flat(values)), dtype=object)
        array[:] = _flat(values)
        return array.reshape(shape)
    return numpy.asarray(values, dtype=TYPES[kind]).reshape(shape)


def _flat(values):
    if not isinstance(values, list):
        return [values]
    return [item for value in values for item in _flat(value)]


def _nested(values, shape, count):
    """Nested lists of this shape, of a list that may be flat."""
    flat = _flat(values)
    if len(flat) != count:
        raise ValueError("it has %d values" % len(flat))
    for size in reversed(shape[1:]):
        flat = [flat[at : at + size] for at in range(0, len(flat), size)] if size else []
    return flat


def _texts(binary):
    """Elements of a BYTES tensor: each after its length; bytes where they are no UTF-8."""
    found, at = [], 0
    while at < len(binary):
        (size,) = _LENGTH.unpack_from(binary, at)
        at += _LENGTH.size + size
        element = binary[at - size : at]
        if len(element) != size:
            raise ValueError("an element has %d bytes, not %d" % (len(element), size))
        try:
            found.append(element.decode())
        except UnicodeDecodeError:
            found.append(element)
    return found


def named(prediction):
    """Predictions by their name: columns, named arrays, or all as ``predict``."""
    if hasattr(prediction, "columns") and hasattr(prediction, "iloc"):
        return [(str(name), prediction[name]) for name in prediction.columns]
    if isinstance(prediction, dict):
        return [(str(name), value) for name, value in prediction.items()]
    return [("predict", prediction)]


def write(name, value, binary):
    """(entry of ``outputs``, its bytes or None). Raises TypeError for what is no tensor."""
    numpy = numpy_or_none()
    if numpy is None:
        if binary:
            raise Refused(400, "Binary tensors need NumPy, which this environment does not have.")
        return _plain(name, coding.plain(value)), None
    if hasattr(value, "toarray"):
        value = value.toarray()
    array = numpy.asarray(value)
    if array.dtype == object:
        narrow = numpy.asarray(array.tolist())
        array = narrow if narrow.dtype.kind in "biuf" else array
    kind = _kind(array)
    entry = {"name": name, "datatype": kind, "shape": list(array.shape)}
    if not binary:
        values = array.ravel().tolist()
        if kind == "BYTES":
            values = [_text(item) for item in values]
        return dict(entry, data=values), None
    if kind == "BYTES":
        items = [_bytes(item) for item in array.ravel().tolist()]
        content = b"".join(_LENGTH.pack(len(item)) + item for item in items)
    else:
        content = array.astype(TYPES[kind]).tobytes()
    return dict(entry, parameters={"binary_data_size": len(content)}), content


def _kind(array):
    for name, code in TYPES.items():
        if array.dtype.kind + str(array.dtype.itemsize) == code.replace("?", "b1").lstrip("<"):
            return name
    if array.dtype.kind in "USO":
        return "BYTES"
    raise TypeError("Predictions of the type %s are no tensor of KServe V2." % array.dtype)


def _text(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else coding.to_json(value)


def _bytes(value):
    return value if isinstance(value, bytes) else _text(value).encode()


def _plain(name, value):
    """A tensor of lists, without NumPy."""
    shape, level = [], value if isinstance(value, list) else [value]
    values = _flat(level)
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    kind = "BYTES"
    for name_of, kinds in (("BOOL", bool), ("INT64", int), ("FP64", (int, float))):
        if values and all(isinstance(item, kinds) for item in values):
            kind = name_of
            break
    if kind == "BYTES":
        values = [_text(item) for item in values]
    return {"name": name, "datatype": kind, "shape": shape, "data": values}
