"""PID 1 of the container: owns HTTP, health, metrics, limits and shutdown; never runs user code."""

import asyncio
import json
import os
import signal
import sys
import time

from . import http1, logs, machine
from .connection import LARGE, MOST_CONNECTIONS, Connection
from .errors import NotServable, problem
from .metrics import Metrics
from .pool import Pool
from .request import Request
from .routes import Routes
from .settings import Settings

LINES = 20
"""About refused requests, in a second: a flood of them must not become a flood of log."""
SPARE_DESCRIPTORS = 200
"""For the workers' sockets, logs, and connections that are being refused."""
SMALL_BATCH = 6
"""Megabytes of one batch transform request by default; times the workers at most 100."""


class Front:
    """What all connections share."""

    def __init__(self, settings, spec):
        self.settings = settings
        self.spec = spec
        self.metrics = Metrics()
        before, descriptors = machine.descriptors(MOST_CONNECTIONS + SPARE_DESCRIPTORS)
        self.most_connections = MOST_CONNECTIONS
        if descriptors >= 0:
            self.most_connections = max(1, min(MOST_CONNECTIONS, descriptors - SPARE_DESCRIPTORS))
        self.pool = Pool(settings, before, settings.batching(spec)[0])
        self.connections = set()
        self.draining = False
        self.heads = {}
        """Parsed heads by their bytes: a client sends the same ones again and again."""
        self.buffered = 0
        """Bytes of large bodies being received, over all connections."""
        self.now = 0.0
        """The loop's time, as of the last tick."""
        self.date = b""
        self.began = time.time()
        self._lines = 0
        """Lines about refused requests in this second."""
        self.stopped = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._server = None
        own = {
            "/execution-parameters": self._parameters,
            "/metrics": self._metrics,
            "/provenance": self._provenance,
        }
        self.routes = Routes(settings, spec, own, self._ping)

    def read_head(self, raw):
        """The parsed head, kept while it is short. Raises Refused."""
        head = http1.parse_head(raw)
        self.routes.read(head)
        short = 0 < head.length <= min(LARGE, self.settings.max_body)
        head.plain = not head.length or (short and not head.expects)
        if len(raw) < 2048:
            if len(self.heads) >= 256:
                self.heads.clear()
            self.heads[raw] = head
        return head

    # -------------------------------------------------------------------------- our answers

    def _ping(self):
        if self.pool.ready_count and not self.draining:
            return 200, b"application/json", b""
        if self.draining:
            return problem(503, "The service is shutting down.")
        return problem(503, self.pool.problem or "The model is being loaded.")

    def _parameters(self):
        workers = max(1, self.pool.ready_count)
        content_type = (self.spec.get("sample") or {}).get("content_type", "")
        lines = content_type.split(";")[0] in ("text/csv", "application/jsonlines")
        parameters = {
            "MaxConcurrentTransforms": min(workers, 100 // SMALL_BATCH),
            "BatchStrategy": "MULTI_RECORD" if lines else "SINGLE_RECORD",
            "MaxPayloadInMB": SMALL_BATCH,
        }
        return 200, b"application/json", json.dumps(parameters).encode()

    def _provenance(self):
        """Where what is served here comes from, as far as the image says it."""
        spec = self.spec
        sample = spec.get("sample") or {}
        found = {
            "package": {
                "id": spec.get("package", ""),
                "name": spec.get("name", ""),
                "model": spec.get("model", ""),
                "model_files": spec.get("model_files", []),
                "handler": spec.get("handler", {}),
            },
            "snapshot": spec.get("snapshot"),
            "schema": spec.get("model_schema"),
            "sample": {name: sample.get(name, "") for name in ("content_type", "accept")},
            "python": sys.version.split()[0],
        }
        return 200, b"application/json", json.dumps(found).encode()

    def _metrics(self):
        pool = self.pool
        text = self.metrics.text(
            [
                ("mlops_workers", "Worker processes wanted.", "gauge", len(pool.workers)),
                ("mlops_workers_ready", "Workers with a loaded model.", "gauge", pool.ready_count),
                ("mlops_worker_restarts_total", "Workers that ended.", "counter", pool.restarts),
                ("mlops_requests_in_flight", "Waiting or running.", "gauge", pool.in_flight),
                ("mlops_requests_queued", "For a worker.", "gauge", len(pool.queue)),
                ("mlops_connections", "Open connections.", "gauge", len(self.connections)),
                ("mlops_connections_limit", "At most.", "gauge", self.most_connections),
                ("mlops_uptime_seconds", "Since start.", "gauge", time.time() - self.began),
                ("mlops_memory_bytes", "Resident, of all processes.", "gauge", self._memory()),
            ]
        )
        return 200, b"text/plain; version=0.0.4; charset=utf-8", text.encode()

    def _memory(self):
        pids = [w.process.pid for w in self.pool.workers if w.process is not None]
        return machine.resident() + sum(machine.resident(pid) for pid in pids)

    def log(self, event, message, status, **fields):
        """One line about a request; of refused ones only the first few of each second."""
        if status >= 400:
            self._lines += 1
            if self._lines > LINES:
                return
        level = "info" if status < 400 else "warning" if status < 500 else "error"
        logs.write(event, message, level, status=status, **fields)

    def submit(self, connection, head, body):
        """Hand a request to the model; its ``reply`` is called once, or it streams."""
        request = Request(self, connection, head, body)
        if not self.pool.submit(request):
            busy = "Too many requests are waiting." if self.pool.ready_count else ""
            text = busy or self.pool.problem or "The model is being loaded."
            request.reply(503, b"", text.encode())

    # --------------------------------------------------------------------------- life cycle

    async def run(self):
        """Serve until a signal asks us to stop. Returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self.stop, signal.Signals(number).name)
        self._loop.add_signal_handler(signal.SIGCHLD, self.pool.reap)
        self._tick()
        settings = self.settings
        try:
            self._server = await self._loop.create_server(
                lambda: Connection(self), settings.host, settings.port, backlog=1024
            )
        except OSError as error:
            logs.write("failed", "Port %d cannot be used: %s" % (settings.port, error), "error")
            return 1
        port = self._server.sockets[0].getsockname()[1]
        logs.write("listening", port=port, pid=os.getpid(), cpus=machine.cpus(),
                   memory=machine.memory(), python=sys.version.split()[0])  # fmt: skip
        self.pool.start()
        await self.stopped
        await self._drain()
        return 0

    def stop(self, why):
        if not self.draining:
            self.draining = True
            logs.write("stopping", why, in_flight=self.pool.in_flight)
            self.stopped.set_result(None)

    async def _drain(self):
        """Answer what is being received or answered; nothing new."""
        self._server.close()
        for connection in list(self.connections):
            connection.drain()
        deadline = self._loop.time() + self.settings.drain
        while self.connections and self._loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        unanswered = self.pool.in_flight
        await self.pool.stop(grace=1.0)
        await asyncio.sleep(0.01)
        logs.write("stopped", unanswered=unanswered)

    def _tick(self):
        """Once a second: the time, and what took too long."""
        self.now = self._loop.time()
        stamp = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        self.date = b"Date: " + stamp.encode("ascii") + b"\r\n"
        if self._lines > LINES:
            logs.write("suppressed", "%d more requests were refused." % (self._lines - LINES))
        self._lines = 0
        for connection in [c for c in self.connections if c.deadline and c.deadline < self.now]:
            connection.overdue()
        self.pool.overdue(self.now)
        self._loop.call_later(1.0, self._tick)


def main():
    """Run the front; returns the exit code."""
    settings = Settings()
    try:
        spec = settings.spec()
    except NotServable as error:
        logs.write("failed", str(error), "error")
        return 1

    async def run():
        return await Front(settings, spec).run()

    return asyncio.run(run())
