"""Process 1 of a kernel container: starts the kernel, watches it, reaps what dies.

Runs inside the container under the environment's own Python, with the standard library only
(3.8 and later): ``python -I supervisor.py SOCKET``. Restarting a kernel is a new process in the
same container, so what the user installed survives it.

It listens on the Unix socket ``SOCKET``; where those do not leave the container, on a TCP port
that it is given after the path of a file with a token (``supervisor.py TOKEN PORT``), for who
knows that token (see ``proof``). Both sides send JSON objects, one a line. A request is
``{"id", "command", …}``, its answer ``{"id", "ok": true, …}`` or ``{"id", "ok": false, "error"}``:

``start {run, argv, environment, private, cwd, files}``
    ``run`` is the caller's number for this process, ``private`` are variables that no process but
    the kernel gets, ``files`` maps paths to contents that only
    the user may read. Answers ``{pid, forked}`` once the program has been entered. IPython's
    kernels are forked from a zygote that has them imported; on any doubt, and for other
    programs, by ``exec``. The zygote starts with the first kernel, or before where a file
    ``expected.json`` beside the socket or the token has the ``argv`` and ``environment`` of it.
``signal {signal}``
    To the kernel's process group. Answers ``{delivered}``; a dead kernel is no error.
``status``
    Answers ``{running, run, pid, code, memory, memory_limit, cpu}``: bytes, bytes, cores.
``listening {ports}``
    Answers ``{all}``: whether somebody listens on each of these TCP ports.
``version {distribution}``
    Answers ``{version}`` of an installed Python distribution; empty when there is none.
``stop {grace}``
    Ends the kernel (SIGTERM, after ``grace`` seconds SIGKILL), answers, then ends the container.

Events go to every connection: ``{"event": "exit", run, code, oom_kills}`` (a negative code is a
signal) and ``{"event": "oom", run, oom_kills}`` when the kernel lives on.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import selectors
import signal
import sys
import time

# Isolated mode leaves the folder of the script out.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cgroup import Cgroup
from forking import Forking
from launching import LaunchError, adopts_orphans, launch, write_private
from listening import Door, listening

SAMPLE_SECONDS = 1.0
SETTLE_SECONDS = 0.3
"""The counter may rise before the kernel's own death is seen: wait before blaming a child."""
FORK_SECONDS = 20.0
"""A zygote that has said nothing for so long is given up; callers wait for half a minute."""

COMMANDS = {
    "signal": "_deliver",
    "status": "_status",
    "listening": "_listening",
    "version": "_version",
}


class Start:
    """A request for a kernel that is not answered yet."""

    def __init__(self, connection, number, request):
        self.connection, self.number = connection, number
        self.run = int(request["run"])
        self.argv = [str(word) for word in request["argv"]]
        self.environment = {str(k): str(v) for k, v in request["environment"].items()}
        self.private = {str(k): str(v) for k, v in request.get("private", {}).items()}
        self.cwd = request["cwd"]
        self.give_up_at = time.monotonic() + FORK_SECONDS
        self.stale = False
        """A zygote was replaced for it."""


class Supervisor:
    """One kernel at a time, any number of clients, one thread."""

    def __init__(self, path, port=0, cgroup=None):
        """``path`` is the Unix socket's; with a TCP ``port`` that of the token."""
        self.cgroup = cgroup or Cgroup()
        self.run = 0
        self.pid = 0
        self.code = None
        self.connections = set()
        self.stopping = []
        """Who is told when the kernel has ended because of ``stop``."""
        self.ending = False
        self.grace = 5.0
        self.kill_at = None
        self.pending = None
        """The ``Start`` that the zygote works on."""
        self.strays = {}
        """Status by pid of children that ended meanwhile: the kernel may be one of them."""
        self.oom_reported = self.oom_seen = self.cgroup.oom_kills()
        self.cpu_samples = [(time.monotonic(), self.cgroup.cpu_seconds())] * 2
        self.selector = selectors.DefaultSelector()
        self.wakeup = self._watch_signals()
        # A forked kernel is an orphan, whose end is seen by whoever adopts it.
        self.forking = Forking(self.selector, self._forked) if adopts_orphans() else None
        self._expect(os.path.join(os.path.dirname(path), "expected.json"))
        self.door = Door(path, port)
        self.selector.register(self.door.listener, selectors.EVENT_READ, self._accept)

    # ------------------------------------------------------------------ the loop

    def serve(self):
        """Until the container is asked to stop."""
        sample_at = time.monotonic() + SAMPLE_SECONDS
        while not (self.ending and not self.pid and not self.pending):
            deadlines = [sample_at] + ([self.kill_at] if self.kill_at else [])
            if self.pending:
                deadlines.append(self.pending.give_up_at)
            timeout = max(0.0, min(deadlines) - time.monotonic())
            for key, _ in self.selector.select(timeout):
                key.data(key.fileobj)
            self._reap()
            now = time.monotonic()
            if self.kill_at and now >= self.kill_at:
                self.kill_at = None
                self._signal(signal.SIGKILL)
            if self.pending and now >= self.pending.give_up_at:
                self.forking.end()
                self._forked({"refused": "the zygote does not answer"})
            if now >= sample_at:
                unsettled = self._sample(now)
                sample_at = now + (SETTLE_SECONDS if unsettled else SAMPLE_SECONDS)
        self._answer_stop()

    def _watch_signals(self):
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        # A handler must exist, else process 1 never gets the signal.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._begin_stop(5.0))
        signal.signal(signal.SIGINT, lambda *_: self._begin_stop(5.0))
        self.selector.register(reading, selectors.EVENT_READ, self._drain)
        return writing

    @staticmethod
    def _drain(handle):
        with contextlib.suppress(BlockingIOError):
            os.read(handle, 4096)

    def _accept(self, _listener):
        connection, leaving = self.door.accept()
        for old in leaving:
            self._drop(old)
        if connection is not None:
            self.connections.add(connection)
            receive = functools.partial(self._receive, connection)
            self.selector.register(connection.sock, selectors.EVENT_READ, receive)

    def _receive(self, connection, _sock):
        lines = connection.lines()
        if lines is None:
            self._drop(connection)
            return
        for line in lines:
            if connection.closed:
                return
            if connection.stranger:
                self._admit(connection, line)
            elif line.strip():
                self._handle(connection, line)

    def _drop(self, connection):
        if connection in self.connections:
            self.connections.discard(connection)
            self.selector.unregister(connection.sock)
            connection.close()

    # ------------------------------------------------------------------ requests

    def _admit(self, connection, line):
        try:
            request = json.loads(line.decode())
            answer = connection.gate.answer(request)
        except (PermissionError, KeyError, TypeError, ValueError, AttributeError):
            self._drop(connection)
        else:
            self._reply(connection, request.get("id"), {"ok": True, **answer})

    def _handle(self, connection, line):
        number = None
        try:
            request = json.loads(line.decode())
            number = request.get("id")
            command = request["command"]
            if command == "stop":
                self.stopping.append((connection, number))
                self._begin_stop(float(request.get("grace", 5.0)))
                return
            if command == "start":
                self._start(Start(connection, number, request), request.get("files", {}))
                return
            answer = getattr(self, COMMANDS[command])(request)
        except (LaunchError, OSError) as error:
            answer = {"ok": False, "error": str(error)}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            answer = {"ok": False, "error": "The request is not understood: %r" % error}
        else:
            answer["ok"] = True
        self._reply(connection, number, answer)

    def _reply(self, connection, number, answer):
        if not connection.send({"id": number, **answer}):
            self._drop(connection)

    def _start(self, start, files):
        self._reap()
        if self.pid or self.pending:
            raise LaunchError("a kernel is running already")
        if self.ending:
            raise LaunchError("the container is being stopped")
        for path, content in files.items():
            write_private(path, content)
        self.oom_reported = self.oom_seen = self.cgroup.oom_kills()
        if not self._fork(start):
            self._execute(start)

    def _fork(self, start):
        """False when the zygote cannot be asked."""
        asked = self.forking and self.forking.request(start)
        self.pending = start if asked else None
        return bool(asked)

    def _forked(self, answer):
        """The zygote's answer."""
        start, self.pending = self.pending, None
        strays, self.strays = self.strays, {}
        if start is None:
            return
        if "pid" in answer:
            self._started(start, answer["pid"], forked=True)
            if self.pid in strays:
                self._ended(strays[self.pid])
            return
        self.forking.end()
        if answer["refused"] == "stale" and not start.stale:
            start.stale = True
            if self._fork(start):
                return
        sys.stderr.write("kernel not forked: %s\n" % answer["refused"])
        try:
            self._execute(start)
        except LaunchError as error:
            self._reply(start.connection, start.number, {"ok": False, "error": str(error)})

    def _execute(self, start):
        environment = {**start.environment, **start.private}
        self._started(start, launch(start.argv, environment, start.cwd), forked=False)

    def _started(self, start, pid, forked):
        self.pid, self.run, self.code = pid, start.run, None
        self._reply(start.connection, start.number, {"ok": True, "pid": pid, "forked": forked})
        if self.ending:
            self._begin_stop(self.grace)

    def _deliver(self, request):
        return {"delivered": self._signal(int(request["signal"]))}

    def _status(self, _request):
        self._reap()
        (then, before), (now, after) = self.cpu_samples
        return {
            "running": bool(self.pid),
            "run": self.run,
            "pid": self.pid,
            "code": self.code,
            "memory": self.cgroup.memory(),
            "memory_limit": self.cgroup.memory_limit(),
            "cpu": round((after - before) / (now - then), 3) if now > then else 0.0,
        }

    @staticmethod
    def _listening(request):
        return {"all": listening([int(port) for port in request["ports"]])}

    @staticmethod
    def _version(request):
        # Rarely asked, and not small.
        from importlib import metadata

        try:
            return {"version": metadata.version(request["distribution"])}
        except metadata.PackageNotFoundError:
            return {"version": ""}

    def _signal(self, number):
        """To the kernel and what it started in its group."""
        if not self.pid:
            return False
        for send in (os.killpg, os.kill):
            try:
                send(self.pid, number)
                return True
            except ProcessLookupError:
                continue
            except PermissionError:
                return False
        return False

    def _expect(self, file):
        """Begin with the zygote before the first kernel is asked for, where the caller has said
        what it will be: a file with ``argv`` and ``environment``, which is taken away."""
        try:
            with open(file, encoding="utf-8") as stream:
                expected = json.load(stream)
            os.unlink(file)
            if self.forking:
                self.forking.prepare(expected["argv"], expected["environment"])
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            sys.stderr.write("not expected: %r\n" % error)

    def _begin_stop(self, grace):
        self.ending, self.grace = True, grace
        if self.pid:
            self._signal(signal.SIGTERM if grace > 0 else signal.SIGKILL)
            self.kill_at = time.monotonic() + max(0.0, grace)

    def _answer_stop(self):
        for connection, number in self.stopping:
            connection.send({"id": number, "ok": True})

    # -------------------------------------------------------------------- events

    def _reap(self):
        """Collect every dead child; this process is the parent of all orphans."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            except OSError as error:
                if error.errno == errno.EINTR:
                    continue
                raise
            if pid == 0:
                return
            if self.forking:
                self.forking.reaped(pid)
            if pid == self.pid:
                self._ended(status)
            elif self.pending:
                self.strays[pid] = status

    def _ended(self, status):
        self.pid, self.kill_at = 0, None
        self.code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        kills = self.cgroup.oom_kills()
        rise, self.oom_reported, self.oom_seen = kills - self.oom_reported, kills, kills
        self._publish({"event": "exit", "run": self.run, "code": self.code, "oom_kills": rise})

    def _sample(self, now):
        """True when a rise was seen whose victim is not known yet."""
        self.cpu_samples = [self.cpu_samples[1], (now, self.cgroup.cpu_seconds())]
        kills = self.cgroup.oom_kills()
        if not self.pid or kills == self.oom_reported:
            self.oom_seen = kills
            return False
        if kills != self.oom_seen:
            self.oom_seen = kills
            return True
        rise, self.oom_reported = kills - self.oom_reported, kills
        self._publish({"event": "oom", "run": self.run, "oom_kills": rise})
        return False

    def _publish(self, event):
        for connection in list(self.connections):
            if not connection.stranger and not connection.send(event):
                self._drop(connection)


def main(argv):
    if len(argv) not in (2, 3):
        sys.stderr.write("usage: supervisor.py SOCKET | TOKEN PORT\n")
        return 2
    Supervisor(argv[1], int(argv[2]) if len(argv) == 3 else 0).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
