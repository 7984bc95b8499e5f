"""What a handler's work becomes on its way to the front: status, meta and body."""

import traceback

from . import logs, v2
from .compressed import expand
from .errors import Refused, sentence
from .pieces import Pieces
from .told import PREDICTIONS, V2


def answer(handler, body, told, number=0):
    """(status, meta, body) of one request; an empty meta means that the body is a sentence.

    ``told`` is what its meta says; ``number`` is its frames'.
    """
    try:
        if told.coding:
            body = expand(body, told.coding)
        if told.protocol == V2:
            return whole(told, *v2.answer(handler, body, told))
        return whole(told, *handler(body, told.content_type, told.accept, told.attributes))
    except Exception as error:
        return refusal(error, told, number)


def whole(told, status, content_type, body, headers):
    """(status, meta, body) of what a handler returned."""
    if body.__class__ is Pieces:
        body.start()
    if told.protocol == PREDICTIONS:
        body = predictions(content_type, body)
    meta = content_type.encode("latin-1")
    if told.attributes or headers:
        meta += _headers(told.attributes, headers)
    return status, meta, body


def predictions(content_type, body):
    """JSON as the value of ``predictions``; what a handler wrote like that itself stays."""
    if body.__class__ is Pieces or content_type.partition(";")[0] != "application/json":
        return body
    if body.lstrip()[:14] == b'{"predictions"':
        return body
    return b'{"predictions": ' + body + b"}"


def refusal(error, told, number):
    """The same of what it raised; logged where that was no refusal of its own."""
    if isinstance(error, Refused):
        return error.status, b"", error.message.encode()
    text = sentence(error)
    if isinstance(error, OSError) and error.errno == 30:
        text += ". Only /tmp can be written to here."
    failed(error, told, number, text)
    return 500, b"", text.encode()


def name(told, number):
    """The request's id: its caller's, or one made of its number, as the front makes it."""
    return told.identity or "%s-%x" % (told.run, number)


def failed(error, told, number, text):
    """One line for the log, with the traceback."""
    where = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    logs.write("handler_failed", text, "error", request=name(told, number), traceback=where)


def _headers(attributes, headers):
    """Answer headers, each after a NUL. Custom attributes come back unless replaced."""
    names = {name.lower() for name in headers}
    lines = []
    if attributes and "x-amzn-sagemaker-custom-attributes" not in names:
        lines.append("X-Amzn-SageMaker-Custom-Attributes: " + attributes)
    for name, value in headers.items():
        if name.lower() in ("content-length", "transfer-encoding", "connection", "content-type"):
            continue
        lines.append("%s: %s" % (name, value))
    safe = [line for line in lines if line.isprintable()]
    return "".join("\x00" + line for line in safe).encode("latin-1", "replace")
