"""A server that keeps the hosting contract but for one fault, which its first argument names.

Runs in containers, on the standard library alone; the last argument is ``serve``.
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FAULT = sys.argv[1]
LIMIT = 32 * 1024 * 1024
SLOW = 2.5
"""Seconds: longer than a probe may take."""

working = threading.Semaphore(0)
probes = iter(range(1_000_000_000))


class Refused(Exception):
    pass


def predicted(body, kind):
    if kind == "text/csv":
        if FAULT == "no CSV":
            raise Refused(415, "no CSV")
        rows = [[int(cell) for cell in line.split(",")] for line in body.decode().split()]
        wrong = FAULT in ("other form", "other prediction")
        return [sum(row) + wrong for row in rows]
    if FAULT == "fails":
        raise KeyError("weight")
    if FAULT == "calls out":
        raise OSError(-3, "Temporary failure in name resolution")
    if not body and FAULT == "empty body":
        raise RuntimeError("oops")
    if kind != "application/json":
        raise RuntimeError("oops") if FAULT == "unknown type" else Refused(415, "send JSON")
    if len(body) > 1024 * 1024 and FAULT == "small requests":
        raise Refused(413, "at most 1 MB")
    try:
        rows = json.loads(body)
    except ValueError as error:
        if body and FAULT == "bad input":
            raise RuntimeError("oops") from error
        raise Refused(400, f"not JSON: {error}") from error
    if FAULT == "long answers":
        return "x" * (26 * 1024 * 1024)
    return [sum(row) + (1 if FAULT == "other prediction" else 0) for row in rows]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/ping":
            self.ping()
        elif self.path == "/execution-parameters" and FAULT != "no parameters":
            parameters = {"MaxConcurrentTransforms": 1, "MaxPayloadInMB": 6}
            self.answer(200, json.dumps({**parameters, "BatchStrategy": "MULTI_RECORD"}))
        elif self.path == "/metrics" and FAULT != "no metrics":
            self.answer(200, "mlops_requests_total 3\n")
        else:
            self.answer(404, "nothing here")

    def ping(self):
        number = next(probes)
        if FAULT == "no model":
            self.answer(503, "ModuleNotFoundError: No module named 'surely_not_there'")
            return
        if FAULT == "no network":
            self.answer(503, "OSError: [Errno -3] Temporary failure in name resolution")
            return
        if FAULT == "slow probe" and number == 1:
            time.sleep(SLOW)
        if FAULT == "busy" and working._value:
            time.sleep(SLOW)
        self.answer(200, "")

    def do_POST(self):
        size = int(self.headers["Content-Length"])
        if size > LIMIT:
            self.close_connection = True
            self.answer(200 if FAULT == "any size" else 413, "too large")
            return
        body = self.rfile.read(size)
        working.release()
        try:
            if FAULT == "busy":
                time.sleep(0.2)
            self.answer(200, json.dumps(predicted(body, self.headers["Content-Type"])))
        except Refused as error:
            self.answer(*error.args)
        except Exception as error:
            self.answer(500, json.dumps({"error": f"{type(error).__name__}: {error}"}))
        finally:
            working.acquire()


if FAULT == "writes":
    try:
        Path("/opt/cache").mkdir()
    except OSError as error:
        print(f"no cache: {error}", flush=True)
if FAULT == "ends":
    sys.exit("no licence")
ignored = FAULT == "ignores SIGTERM"
code = 1 if FAULT == "code" else 0
signal.signal(signal.SIGTERM, signal.SIG_IGN if ignored else lambda *_: os._exit(code))
assert sys.argv[-1] == "serve", sys.argv
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
