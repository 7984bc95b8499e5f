"""One worker process: loads the model, warms it up, answers frames in order, and nothing else."""

import base64
import json
import os
import socket
import sys
import time
import traceback

from . import frames, logs, machine, pieces
from .errors import NotServable, Refused, sentence
from .settings import Settings

FLUSH_BYTES = 64 * 1024
FLUSH_SECONDS = 0.002
"""Answers wait this long at most for those behind them."""


def main(descriptor, control, run):
    """Serve on the inherited socket until the front closes it; ``control`` says what to cancel.

    ``run`` is the name of the front's run, in the ids of requests.
    """
    link = socket.socket(fileno=descriptor)
    control = socket.socket(fileno=control)
    control.setblocking(False)
    for stream in (sys.stdout, sys.stderr):
        # Prints of the handler reach the log as they come, and a stray byte ends nothing.
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    settings = Settings()
    began = time.perf_counter()
    try:
        handler = _load(settings)
    except BaseException as error:
        reason = _reason(error)
        logs.write("model_failed", reason, "error", traceback=traceback.format_exc())
        text = reason.encode()
        _send(link, [frames.pack(frames.FAILED, 0, b"", len(text)), text])
        link.close()
        os._exit(1)
    facts = {"resident": machine.resident(), "load_seconds": round(time.perf_counter() - began, 3)}
    text = json.dumps(facts).encode()
    _send(link, [frames.pack(frames.READY, 0, b"", len(text)), text])
    _serve(link, control, handler, run)
    # No interpreter shutdown: libraries' threads and atexit hooks may hang there.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _load(settings):
    spec = settings.spec()
    from . import handlers

    handler = handlers.load(spec, settings.model_dir, settings.accept)
    sample = spec.get("sample") or {}
    if "body" in sample:
        logs.write("warming_up", "The model is loaded; it answers the sample once.")
        body = base64.b64decode(sample["body"])
        status, _, answer = _answer(
            handler, body, [sample.get("content_type", ""), sample.get("accept", ""), "", "sample"]
        )
        if isinstance(answer, pieces.Pieces):
            status, answer = _exhaust(answer)
        if status != 200:
            # The model is there; callers are told the same when they ask.
            logs.write("warm_up_failed", answer.decode("utf-8", "replace"), "warning")
    return handler


def _exhaust(answer):
    """(status, sentence) of a streamed answer to the sample."""
    try:
        for _ in answer:
            pass
        answer.close()
    except Exception as error:
        return 500, sentence(error).encode()
    return 200, b""


def _reason(error):
    """Why the model does not load, in a sentence that says where."""
    if isinstance(error, NotServable):
        return str(error)
    text = "The model could not be loaded: " + sentence(error)
    last = None
    for frame in traceback.extract_tb(error.__traceback__):
        if "/code/" in frame.filename:
            last = frame
    if last is not None:
        text += " (%s, line %d)" % (last.filename.rsplit("/code/", 1)[1], last.lineno)
    return text


def _serve(link, control, handler, run):
    """Read frames, answer each; answers that are ready together are sent together."""
    metas = {}
    buffer = bytearray(1 << 20)
    begin = end = 0
    out, out_bytes, out_since = [], 0, 0.0
    size = frames.SIZE
    unpack = frames.HEADER.unpack_from
    clock = time.perf_counter
    while True:
        have = end - begin
        need = size
        if have >= size:
            header = unpack(buffer, begin)
            need = size + header[4] + header[0]
        if have < need:
            if out:
                _send(link, out)
                out, out_bytes = [], 0
            if begin + need > len(buffer) or begin > len(buffer) // 2:
                rest = buffer[begin:end]
                if need > len(buffer):
                    buffer = bytearray(need)
                buffer[: len(rest)] = rest
                begin, end = 0, len(rest)
            count = link.recv_into(memoryview(buffer)[end:])
            if not count:
                return
            end += count
            continue
        meta_end = begin + size + header[4]
        meta = bytes(buffer[begin + size : meta_end])
        body = bytes(buffer[meta_end : begin + need])
        begin += need
        if begin == end:
            begin = end = 0
            if len(buffer) > 1 << 24:
                buffer = bytearray(1 << 20)
        told = metas.get(meta)
        if told is None:
            if len(metas) > 256:
                metas.clear()
            told = metas[meta] = [*(part.decode("latin-1") for part in meta.split(b"\x00")), run]
        began = clock()
        status, answer_meta, answer = _answer(handler, body, told, header[1])
        if answer.__class__ is not bytes:
            _send(link, out)
            out, out_bytes = [], 0
            _stream(link, control, header[1], status, answer_meta, answer, told)
            continue
        now = clock()
        if not out:
            out_since = now
        micros = int((now - began) * 1e6)
        out.append(frames.pack(frames.RESULT, header[1], answer_meta, len(answer), status, micros))
        out.append(answer)
        out_bytes += len(answer)
        if out_bytes > FLUSH_BYTES or now - out_since > FLUSH_SECONDS:
            _send(link, out)
            out, out_bytes = [], 0


def _answer(handler, body, told, number=0):
    """(status, meta, body) of one request; an empty meta means that the body is a sentence."""
    try:
        status, answer_type, answer, headers = handler(body, told[0], told[1], told[2])
        if answer.__class__ is pieces.Pieces:
            answer.start()
        meta = answer_type.encode("latin-1")
        if told[2] or headers:
            meta += _headers(told[2], headers)
        return status, meta, answer
    except Refused as refused:
        return refused.status, b"", refused.message.encode()
    except Exception as error:
        text = sentence(error)
        if isinstance(error, OSError) and error.errno == 30:
            text += ". Only /tmp can be written to here."
        _failed(error, told, number, text)
        return 500, b"", text.encode()


def _stream(link, control, number, status, meta, answer, told):
    """Send pieces as they come: sending blocks while the client is behind."""
    began = time.perf_counter()
    text = b""
    try:
        for piece in answer:
            if not piece:
                continue
            _send(link, [frames.pack(frames.CHUNK, number, meta, len(piece), status), piece])
            meta = b""
            if _cancelled(control, number):
                logs.write(
                    "stream_left", "The client went away: stopped.", request=_name(told, number)
                )
                break
    except Exception as error:
        status, meta, text = 500, b"", sentence(error).encode()
        _failed(error, told, number, text.decode())
    try:
        answer.close()
    except Exception as error:
        _failed(error, told, number, sentence(error))
    micros = int((time.perf_counter() - began) * 1e6)
    _send(link, [frames.pack(frames.END, number, meta, len(text), status, micros), text])


def _name(told, number):
    """The request's id: its caller's, or one made of its number, as the front makes it."""
    return told[3] or "%s-%x" % (told[4], number)


def _failed(error, told, number, text):
    """One line for the log, with the traceback."""
    where = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    logs.write("handler_failed", text, "error", request=_name(told, number), traceback=where)


def _cancelled(control, number):
    """Whether the front said that nobody waits for this stream."""
    try:
        said = control.recv(65536)
    except BlockingIOError:
        return False
    whole = len(said) - len(said) % frames.CANCEL.size
    return any(each == number for (each,) in frames.CANCEL.iter_unpack(said[:whole]))


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


def _send(link, parts):
    """All parts; large ones are not joined first."""
    try:
        if sum(map(len, parts)) > 1 << 20:
            for part in parts:
                link.sendall(part)
        else:
            link.sendall(b"".join(parts))
    except OSError:
        # The front is gone, and so is our reason to be.
        os._exit(0)
