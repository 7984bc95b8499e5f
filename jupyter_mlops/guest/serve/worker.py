"""One worker process: loads the model, warms it up, answers frames in order, and nothing else."""

import base64
import json
import os
import socket
import sys
import time
import traceback

from . import batching, frames, logs, machine, pieces
from .answering import answer
from .errors import NotServable, sentence
from .sending import send, stream
from .settings import Settings
from .told import Told

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
    for output in (sys.stdout, sys.stderr):
        # Prints of the handler reach the log as they come, and a stray byte ends nothing.
        output.reconfigure(line_buffering=True, errors="backslashreplace")
    settings = Settings()
    began = time.perf_counter()
    try:
        handler = _load(settings)
    except BaseException as error:
        reason = _reason(error)
        logs.write("model_failed", reason, "error", traceback=traceback.format_exc())
        text = reason.encode()
        send(link, [frames.pack(frames.FAILED, 0, b"", len(text)), text])
        link.close()
        os._exit(1)
    resident = machine.resident() + handler.resident()
    facts = {"resident": resident, "load_seconds": round(time.perf_counter() - began, 3)}
    text = json.dumps(facts).encode()
    send(link, [frames.pack(frames.READY, 0, b"", len(text)), text])
    size, wait = settings.batching(settings.spec())
    if size > 1 and handler.takes_rows:
        batching.serve(link, control, handler, run, size, wait)
    else:
        if size > 1:
            logs.write("batching_off", "The handler does not take rows by themselves.", "warning")
        _serve(link, control, handler, run)
    # No interpreter shutdown: libraries' threads and atexit hooks may hang there.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _load(settings):
    spec = settings.spec()
    from . import handlers

    if settings.storage:
        if not os.path.isdir(os.path.join(settings.model_dir, "code")):
            raise NotServable(
                "The model is at %s, and nothing is fetched from there: put the contents of its "
                "archive in the image, at %s." % (settings.storage, settings.model_dir)
            )
        text = "What is at %s is not used: the model in the image is served, from %s."
        logs.write("storage_unused", text % (settings.storage, settings.model_dir), "warning")
    handler = handlers.load(spec, settings.model_dir, settings.accept)
    sample = spec.get("sample") or {}
    if "body" in sample:
        logs.write("warming_up", "The model is loaded; it answers the sample once.")
        body = base64.b64decode(sample["body"])
        parts = (sample.get("content_type", ""), sample.get("accept", ""), "", "sample")
        meta = "\x00".join(parts).encode("latin-1", "replace")
        status, _, answered = answer(handler, body, Told(meta, "warm-up"))
        if isinstance(answered, pieces.Pieces):
            status, answered = _exhaust(answered)
        if status != 200:
            # The model is there; callers are told the same when they ask.
            logs.write("warm_up_failed", answered.decode("utf-8", "replace"), "warning")
    return handler


def _exhaust(stream):
    """(status, sentence) of a streamed answer to the sample."""
    try:
        for _ in stream:
            pass
        stream.close()
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
                send(link, out)
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
            told = metas[meta] = Told(meta, run)
        began = clock()
        status, answer_meta, made = answer(handler, body, told, header[1])
        if made.__class__ is not bytes:
            send(link, out)
            out, out_bytes = [], 0
            stream(link, control, header[1], status, answer_meta, made, told)
            continue
        now = clock()
        if not out:
            # With its own time: an answer that took long does not wait for the next one's.
            out_since = began
        micros = int((now - began) * 1e6)
        out.append(frames.pack(frames.RESULT, header[1], answer_meta, len(made), status, micros))
        out.append(made)
        out_bytes += len(made)
        whole = len(out) >= 2 * frames.TOGETHER or out_bytes > FLUSH_BYTES
        if whole or now - out_since > FLUSH_SECONDS:
            send(link, out)
            out, out_bytes = [], 0
