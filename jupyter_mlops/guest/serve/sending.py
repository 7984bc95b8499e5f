"""Frames from a worker to the front: answers, whole or in pieces."""

import os
import time

from . import frames, logs
from .answering import failed, name
from .errors import sentence


def stream(link, control, number, status, meta, made, told):
    """Send pieces as they come: sending blocks while the client is behind."""
    began = time.perf_counter()
    text = b""
    try:
        for piece in made:
            if not piece:
                continue
            send(link, [frames.pack(frames.CHUNK, number, meta, len(piece), status), piece])
            meta = b""
            if _cancelled(control, number):
                logs.write(
                    "stream_left", "The client went away: stopped.", request=name(told, number)
                )
                break
    except Exception as error:
        status, meta, text = 500, b"", sentence(error).encode()
        failed(error, told, number, text.decode())
    try:
        made.close()
    except Exception as error:
        failed(error, told, number, sentence(error))
    micros = int((time.perf_counter() - began) * 1e6)
    send(link, [frames.pack(frames.END, number, meta, len(text), status, micros), text])


def _cancelled(control, number):
    """Whether the front said that nobody waits for this stream."""
    try:
        said = control.recv(65536)
    except BlockingIOError:
        return False
    whole = len(said) - len(said) % frames.CANCEL.size
    return any(each == number for (each,) in frames.CANCEL.iter_unpack(said[:whole]))


def send(link, parts):
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
