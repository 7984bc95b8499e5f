"""Inference by KServe V2 (the Open Inference Protocol): tensors to the handler's data and back."""

import json

from . import coding, tensors
from .errors import Refused

BINARY = "application/octet-stream"
SIZE_HEADER = "Inference-Header-Content-Length"


def answer(handler, body, told):
    """(status, content type, body, headers) of a request to ``…/infer``."""
    request, inputs = _read(body, told.header_size)
    data = inputs if handler.by_name else _data(request, inputs)
    prediction, headers = handler.ask(data, told)
    return _write(request, prediction, headers, told)


def _read(body, header_size):
    """(request, tensors by name) of a body whose first ``header_size`` bytes are JSON."""
    if not body:
        raise Refused(400, "The request has no body.")
    size = len(body)
    if header_size:
        size = int(header_size) if header_size.isdigit() else -1
        if not 0 < size <= len(body):
            text = "%s is %s, of a body of %d bytes."
            raise Refused(400, text % (SIZE_HEADER, header_size, len(body)))
    request = coding.from_json(coding.utf8(body[:size]))
    if not isinstance(request, dict) or not _tensors(request.get("inputs")):
        raise Refused(400, 'Send {"inputs": [{"name", "shape", "datatype", "data"}, …]}.')
    inputs, at = {}, size
    for tensor in request["inputs"]:
        length = _parameters(tensor).get("binary_data_size")
        binary = None
        if length is not None:
            if type(length) is not int or not 0 <= length <= len(body) - at:
                raise Refused(400, "The bytes of the input %s are not all here." % tensor["name"])
            binary = body[at : at + length]
            at += length
        inputs[tensor["name"]] = tensors.read(tensor, binary)
    if at != len(body):
        raise Refused(400, "The body has %d bytes that belong to no input." % (len(body) - at))
    return request, inputs


def _tensors(inputs):
    return (
        isinstance(inputs, list)
        and bool(inputs)
        and all(isinstance(each, dict) and isinstance(each.get("name"), str) for each in inputs)
    )


def _parameters(value):
    found = value.get("parameters")
    return found if isinstance(found, dict) else {}


def _data(request, inputs):
    """A single tensor as it is; columns as a table where pandas can make one; else by name.

    ``"parameters": {"content_type": "pd"}`` asks for a table as MLServer's clients do.
    """
    asked = [_parameters(request), *map(_parameters, request["inputs"])]
    table = any(each.get("content_type") == "pd" for each in asked)
    if len(inputs) == 1 and not table:
        return next(iter(inputs.values()))
    columns = {name: _column(value) for name, value in inputs.items()}
    if any(column is None for column in columns.values()):
        if table:
            raise Refused(400, "Columns of a table have one value for each row.")
        return inputs
    if len({len(column) for column in columns.values()}) != 1:
        return inputs
    try:
        import pandas
    except ImportError:
        return inputs
    return pandas.DataFrame(columns)


def _column(value):
    """One value for each row, or None."""
    shape = getattr(value, "shape", None)
    if shape is None:
        return None if value and isinstance(value[0], list) else value
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
        return value.reshape(-1)
    return None


def _write(request, prediction, headers, told):
    wanted = request.get("outputs")
    wanted = wanted if _tensors(wanted) else []
    found = dict(tensors.named(prediction))
    for output in wanted:
        if output["name"] not in found:
            there = ", ".join(found)
            raise Refused(400, "There is no output %s; there is %s." % (output["name"], there))
    binary = _parameters(request).get("binary_data_output") is True
    entries, parts = [], []
    for name in [output["name"] for output in wanted] or found:
        as_bytes = binary
        for output in wanted:
            if output["name"] == name:
                as_bytes = _parameters(output).get("binary_data", binary) is True
        entry, content = tensors.write(name, found[name], as_bytes)
        entries.append(entry)
        if content is not None:
            parts.append(content)
    answered = {"model_name": told.model, "model_version": "1", "outputs": entries}
    if isinstance(request.get("id"), str):
        answered["id"] = request["id"]
    text = coding.to_json(answered).encode()
    if not parts:
        return 200, coding.JSON, text, headers
    headers = dict(headers)
    headers[SIZE_HEADER] = str(len(text))
    return 200, BINARY, text + b"".join(parts), headers


def rows(data):
    """Tensors as JSON that handlers with an ``input_fn`` of their own know: rows, or columns."""
    if isinstance(data, dict):
        columns = {name: coding.plain(value) for name, value in data.items()}
        return json.dumps({"inputs": columns}).encode()
    if hasattr(data, "columns"):
        return coding.to_json({"dataframe_records": coding.plain(data)}).encode()
    return coding.to_json(data).encode()
