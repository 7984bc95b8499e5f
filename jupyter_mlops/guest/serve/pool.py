"""The workers: started, fed, watched, and started again when they end."""

import asyncio
import collections
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time

from . import frames, logs, machine
from .link import Link

START = os.path.join(os.path.dirname(os.path.abspath(__file__)), "start.py")
LONGEST_WAIT = 30.0
WINDOW = 64


class Worker:
    """One worker process, over all its restarts."""

    def __init__(self, index):
        self.index = index
        self.link = None
        self.control = None
        """Our end of its second socket."""
        self.process = None
        self.reason = ""
        """Why it could not load, in its own words."""
        self.failures = 0
        self.began = 0.0
        self.turn = 0.0
        """When its oldest request became the oldest, or brought its last piece of a stream."""

    def cancel(self, number):
        """Nobody waits for this stream. Where it cannot be said, the stream goes on in vain."""
        try:
            self.control.send(frames.CANCEL.pack(number))
        except OSError:
            pass

    def hang_up(self):
        """Its socket closed: the second one is of no more use."""
        link, self.link = self.link, None
        if self.control is not None:
            self.control.close()
        return link


class Pool:
    """Gives requests to the least busy worker, and keeps the rest in order."""

    def __init__(self, settings, descriptors, batch):
        self.settings = settings
        self.workers = []
        self._descriptors = descriptors
        """Open files that workers may have."""
        self.numbers = itertools.count(1)
        """Of requests, over all workers."""
        self.name = os.urandom(4).hex()
        """Of this run of the service, in the ids of requests."""
        self.queue = collections.deque()
        self.restarts = 0
        self._batch = batch if batch > 1 else 0
        self.window = max(4, 2 * self._batch)
        self.stopping = False
        self.problem = ""
        """Why no worker is ready, for callers."""
        self._micros = 1000.0
        self._live = []
        """Links of ready workers."""
        self._loop = asyncio.get_running_loop()
        self._wanted = settings.workers

    # ------------------------------------------------------------------ life of the workers

    def start(self):
        """Start the configured workers; or one, which tells how many its size allows."""
        for index in range(max(1, self._wanted)):
            self._add(index)

    def _add(self, index):
        worker = Worker(index)
        self.workers.append(worker)
        self._loop.create_task(self._spawn(worker))

    async def _spawn(self, worker):
        if self.stopping:
            return
        ours, theirs = socket.socketpair()
        control, their_control = socket.socketpair()
        ours.setblocking(False)
        control.setblocking(False)
        worker.reason = ""
        worker.began = self._loop.time()
        worker.process = subprocess.Popen(  # noqa: ASYNC220 (2 ms, and we reap by ourselves)
            [sys.executable, START, "worker", str(theirs.fileno()), str(their_control.fileno()),
             str(self._descriptors), self.name],
            pass_fds=(theirs.fileno(), their_control.fileno()), stdin=subprocess.DEVNULL,
            env=self._environment(), start_new_session=True,
        )  # fmt: skip
        theirs.close()
        their_control.close()
        worker.control = control
        _, worker.link = await self._loop.create_connection(lambda: Link(self, worker), sock=ours)

    def _environment(self):
        """Ours, with the thread counts of numerical libraries where nobody has set them.

        Every worker would otherwise start one thread per processor of the whole machine.
        """
        env = dict(os.environ)
        if "OMP_NUM_THREADS" not in env:
            threads = str(max(1, machine.cpus() // (self._wanted or machine.cpus())))
            for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
                env.setdefault(name, threads)
        home = env.get("HOME", "")
        if not home or not os.access(home, os.W_OK):
            # Libraries that keep caches in HOME must not fail on a read-only root.
            env["HOME"] = "/tmp"
        return env

    def ready(self, worker, body):
        facts = json.loads(body.decode())
        worker.failures = 0
        self.problem = ""
        self._live.append(worker.link)
        seconds = self._loop.time() - worker.began
        logs.write("worker_ready", worker=worker.index, seconds=round(seconds, 3), **facts)
        if not self._wanted:
            self._wanted = machine.workers_for(facts["resident"])
            for index in range(1, self._wanted):
                self._add(index)
        self._fill()

    def lost(self, worker):
        """The worker's socket closed: it ended, whatever the reason."""
        link = worker.hang_up()
        if link in self._live:
            self._live.remove(link)
        if worker.process is not None and worker.process.returncode is None:
            _signal(worker.process.pid, signal.SIGKILL)
        self._loop.create_task(self._mourn(worker, link))

    async def _mourn(self, worker, link):
        for _ in range(100):
            if worker.process.returncode is not None:
                break
            await asyncio.sleep(0.01)
        how = ended(worker.process.returncode)
        waiting = list(link.waiting.values()) if link is not None else []
        if self.stopping:
            return
        message = worker.reason or "The model's worker process ended: %s." % how
        worker.failures += 1
        self.restarts += 1
        wait = min(LONGEST_WAIT, 0.1 if worker.failures == 1 else 2.0 ** (worker.failures - 2))
        logs.write("worker_ended", message, "error", worker=worker.index, exit=how,
                   in_flight=len(waiting), restart_in=wait)  # fmt: skip
        again = []
        # Those of a batch have all been begun; the second time each is asked by itself.
        attempts = 3 if self._batch else 2
        for position, request in enumerate(waiting, start=1 if worker.reason else 0):
            # The oldest one was being answered. Those behind it had most likely not been begun
            # and may go to another worker, once.
            innocent = position or (self._batch and request.attempts < 2)
            if innocent and request.attempts < attempts and request.stream is None:
                again.append(request)
            else:
                text = "The model's worker process ended while it answered this request: %s."
                request.reply(500, b"", (text % how).encode())
        self.queue.extendleft(reversed(again))
        if not self._live:
            self.problem = message
            while self.queue and worker.failures > 1:
                self.queue.popleft().reply(503, b"", message.encode())
        self._fill()
        await asyncio.sleep(wait)
        await self._spawn(worker)

    def reap(self):
        """Collect ended processes: as PID 1, also those that a worker's children left to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for worker in self.workers:
                if worker.process is not None and worker.process.pid == pid:
                    killed = os.WIFSIGNALED(status)
                    code = -os.WTERMSIG(status) if killed else os.WEXITSTATUS(status)
                    worker.process.returncode = code

    def overdue(self, now):
        """End the workers whose oldest request runs longer than the configured time-out, and
        tell those who have waited as long for a worker that they need not wait any more."""
        limit = self.settings.timeout
        since = time.perf_counter() - limit
        while limit and self.queue and self.queue[0].began < since:
            text = "No worker had time for this request within %d s." % limit
            self.queue.popleft().reply(503, b"", text.encode())
        for worker in self.workers if limit else ():
            link = worker.link
            if link not in self._live or not link.waiting or link.paused:
                continue
            if now - worker.turn <= limit:
                continue
            self._live.remove(link)
            number = next(iter(link.waiting))
            worker.reason = "The model took longer than %d s for a request." % limit
            link.waiting.pop(number).reply(504, b"", worker.reason.encode())
            _signal(worker.process.pid, signal.SIGKILL)

    async def stop(self, grace):
        """Close the workers' sockets, which ends them; kill those that stay."""
        self.stopping = True
        links = [w.link for w in self.workers if w.link is not None]
        for request in [r for link in links for r in link.waiting.values()] + list(self.queue):
            request.reply(503, b"", b"The service is shutting down.")
        self.queue.clear()
        for link in links:
            link.waiting.clear()
            link.transport.close()
        deadline = self._loop.time() + grace
        running = [w for w in self.workers if w.process is not None]
        while running and self._loop.time() < deadline:
            await asyncio.sleep(0.01)
            running = [w for w in running if w.process.returncode is None]
        for worker in running:
            if worker.process.returncode is None:
                _signal(worker.process.pid, signal.SIGKILL)

    # ----------------------------------------------------------------------------- requests

    @property
    def ready_count(self):
        return len(self._live)

    def identity(self, number):
        """The id of a request whose caller gave it none; workers make the same of its number."""
        return b"%b-%x" % (self.name.encode(), number)

    @property
    def in_flight(self):
        return len(self.queue) + sum(len(link.waiting) for link in self._live)

    def submit(self, request):
        """False when the queue is full or no worker can be expected to answer."""
        link = self._free() if not self.queue else None
        if link is not None:
            self._give(link, request)
            return True
        if len(self.queue) >= self.settings.max_queue or not self._live:
            return False
        self.queue.append(request)
        return True

    def _free(self):
        """The least busy worker that takes one more; None when all have enough."""
        best, least = None, self.window
        for link in self._live:
            if len(link.waiting) < least:
                best, least = link, len(link.waiting)
        return best

    def _give(self, link, request):
        request.attempts += 1
        if not link.waiting:
            link.worker.turn = self._loop.time()
        link.ask(request)

    def finished(self, link, count, micros):
        """The worker has finished so many, which took so long together: more for it."""
        self._micros += (micros / count - self._micros) * (1 - 0.95**count)
        # Enough requests ahead that a worker never waits for us; but behind a slow one none
        # waits for a busy worker while another is idle.
        fewest = 2 * self._batch or (1 if self._micros > 20000 else 2)
        self.window = max(fewest, min(WINDOW, int(8000 / max(1.0, self._micros))))
        if link.waiting:
            link.worker.turn = self._loop.time()
        if self.queue:
            self._fill()

    def streamed(self, link, request, status, meta, body, micros):
        """A stream has ended; one without a single piece is an answer like others."""
        if request.stream is None:
            request.reply(status, meta, body)
        else:
            request.finish(body.decode("utf-8", "replace") if status >= 400 else "")
        self.finished(link, 1, micros)

    def _fill(self):
        while self.queue:
            link = self._free()
            if link is None:
                return
            self._give(link, self.queue.popleft())


def ended(code):
    """``it was killed by SIGSEGV (signal 11)``: an exit code in words."""
    if code is None:
        return "it closed its connection"
    if code >= 0:
        return "it exited with code %d" % code
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "a signal"
    text = "it was killed by %s (signal %d)" % (name, -code)
    if code == -9:
        text += ", most likely because it needed more memory than the container may use"
    return text


def _signal(pid, number):
    """To the worker's whole session, so that processes it started end with it."""
    try:
        os.killpg(pid, number)
    except OSError:
        pass
