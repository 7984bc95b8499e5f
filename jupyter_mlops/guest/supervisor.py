"""Process 1 of a kernel container: starts the kernel, watches it, reaps what dies.

Runs inside the container under the environment's own Python, with the standard library only
(3.8 and later): ``python -I supervisor.py SOCKET``. Restarting a kernel is a new process in the
same container, so what the user installed survives it.

It listens on the Unix socket ``SOCKET``. Both sides send JSON objects, one a line. A request is
``{"id", "command", …}``, its answer ``{"id", "ok": true, …}`` or ``{"id", "ok": false, "error"}``:

``start {run, argv, environment, cwd, files}``
    ``run`` is the caller's number for this process, ``files`` maps paths to contents that only
    the user may read. Answers ``{pid}`` once the program has been entered.
``signal {signal}``
    To the kernel's process group. Answers ``{delivered}``; a dead kernel is no error.
``status``
    Answers ``{running, run, pid, code, memory, memory_limit, cpu}``: bytes, bytes, cores.
``stop {grace}``
    Ends the kernel (SIGTERM, after ``grace`` seconds SIGKILL), answers, then ends the container.

Events go to every connection: ``{"event": "exit", run, code, oom_kills}`` (a negative code is a
signal) and ``{"event": "oom", run, oom_kills}`` when the kernel lives on.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import signal
import socket
import sys
import time

SAMPLE_SECONDS = 1.0
SETTLE_SECONDS = 0.3
"""The counter may rise before the kernel's own death is seen: wait before blaming a child."""
LINE_LIMIT = 8 * 1024**2
UNLIMITED = 1 << 60


class Cgroup:
    """What the kernel of the host says about this container; zeros where it says nothing."""

    def __init__(self, root="/sys/fs/cgroup"):
        self._v2 = os.path.exists(os.path.join(root, "cgroup.controllers"))
        self._memory = root if self._v2 else os.path.join(root, "memory")
        self._cpu = root if self._v2 else os.path.join(root, "cpuacct")

    def oom_kills(self):
        """Processes of this container killed for want of memory, since it started."""
        name = "memory.events" if self._v2 else "memory.oom_control"
        return int(self._table(self._memory, name).get("oom_kill", 0))

    def memory(self):
        """Bytes in use, without file pages that can be dropped at once."""
        used = self._number(self._memory, "memory.current" if self._v2 else "memory.usage_in_bytes")
        stat = self._table(self._memory, "memory.stat")
        return max(
            0, used - int(stat.get("inactive_file" if self._v2 else "total_inactive_file", 0))
        )

    def memory_limit(self):
        name = "memory.max" if self._v2 else "memory.limit_in_bytes"
        limit = self._number(self._memory, name)
        return 0 if limit >= UNLIMITED else limit

    def cpu_seconds(self):
        if self._v2:
            return int(self._table(self._cpu, "cpu.stat").get("usage_usec", 0)) / 1e6
        return self._number(self._cpu, "cpuacct.usage") / 1e9

    def _number(self, folder, name):
        text = self._read(folder, name).strip()
        return int(text) if text.isdigit() else 0

    def _table(self, folder, name):
        rows = (line.split() for line in self._read(folder, name).splitlines())
        return {row[0]: row[1] for row in rows if len(row) == 2}

    @staticmethod
    def _read(folder, name):
        try:
            with open(os.path.join(folder, name)) as file:
                return file.read()
        except OSError:
            return ""


class LaunchError(Exception):
    """The kernel's program could not be entered; the text says why."""


def launch(argv, environment, cwd):
    """Start a program as the leader of its own session; returns its pid.

    The child reports a failure before ``exec`` through a pipe that a successful one closes.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        stage = "prepare"
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            # Python ignores these two, and ignored signals survive exec.
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            # Out of memory, the kernel goes first, never this process.
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
                file.write("1000")
            # A kernel echoes what subprocesses print, after it has sent it to the notebook. In the
            # engine's log that is of no use, and a hundred times slower. Errors of the kernel
            # itself belong there.
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(null, 1)
            stage = "enter the folder %s" % cwd
            os.chdir(cwd)
            stage = "run %s" % argv[0]
            os.execvpe(argv[0], argv, environment)
        except BaseException as error:
            reason = os.strerror(error.errno) if isinstance(error, OSError) else repr(error)
            with contextlib.suppress(OSError):
                os.write(writing, ("cannot %s: %s" % (stage, reason)).encode("utf-8", "replace"))
        finally:
            os._exit(127)
    os.close(writing)
    report = b""
    while True:
        chunk = os.read(reading, 4096)
        if not chunk:
            break
        report += chunk
    os.close(reading)
    if report:
        os.waitpid(pid, 0)
        raise LaunchError(report.decode("utf-8", "replace"))
    return pid


def write_private(path, content):
    """A file that only this user may read, whole or not there at all."""
    partial = path + ".part"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(partial)
    handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)
    os.replace(partial, path)


class Connection:
    """One client: bytes in, lines out."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""

    def send(self, message):
        """False when the client is gone, or reads so slowly that it may as well be."""
        try:
            self.sock.sendall(json.dumps(message).encode() + b"\n")
            return True
        except OSError:
            return False

    def lines(self):
        """Complete lines that have arrived; None at the end."""
        try:
            chunk = self.sock.recv(65536)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        self.buffer += chunk
        if not chunk or len(self.buffer) > LINE_LIMIT:
            return None
        *lines, self.buffer = self.buffer.split(b"\n")
        return lines


class Supervisor:
    """One kernel at a time, any number of clients, one thread."""

    def __init__(self, path, cgroup=None):
        self.cgroup = cgroup or Cgroup()
        self.run = 0
        self.pid = 0
        self.code = None
        self.connections = set()
        self.stopping = []
        """Who is told when the kernel has ended because of ``stop``."""
        self.ending = False
        self.kill_at = None
        self.oom_reported = self.oom_seen = self.cgroup.oom_kills()
        self.cpu_samples = [(time.monotonic(), self.cgroup.cpu_seconds())] * 2
        self.selector = selectors.DefaultSelector()
        self.wakeup = self._watch_signals()
        self.listener = self._listen(path)

    # ------------------------------------------------------------------ the loop

    def serve(self):
        """Until the container is asked to stop."""
        sample_at = time.monotonic() + SAMPLE_SECONDS
        while not (self.ending and not self.pid):
            deadlines = [sample_at] + ([self.kill_at] if self.kill_at else [])
            timeout = max(0.0, min(deadlines) - time.monotonic())
            for key, _ in self.selector.select(timeout):
                key.data(key.fileobj)
            self._reap()
            now = time.monotonic()
            if self.kill_at and now >= self.kill_at:
                self.kill_at = None
                self._signal(signal.SIGKILL)
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

    def _listen(self, path):
        # Bound under another name first: a socket that can be seen can be connected to.
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        partial = path + "~"
        for stale in (partial, path):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(stale)
        listener.bind(partial)
        os.chmod(partial, 0o600)
        listener.listen(16)
        listener.setblocking(False)
        os.rename(partial, path)
        self.selector.register(listener, selectors.EVENT_READ, self._accept)
        return listener

    def _accept(self, listener):
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        connection = Connection(sock)
        self.connections.add(connection)
        self.selector.register(sock, selectors.EVENT_READ, lambda _: self._receive(connection))

    def _receive(self, connection):
        lines = connection.lines()
        if lines is None:
            self._drop(connection)
            return
        for line in lines:
            if line.strip():
                self._handle(connection, line)

    def _drop(self, connection):
        if connection in self.connections:
            self.connections.discard(connection)
            self.selector.unregister(connection.sock)
            connection.sock.close()

    # ------------------------------------------------------------------ requests

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
            answer = {"start": self._start, "signal": self._deliver, "status": self._status}[
                command
            ](request)
        except (LaunchError, OSError) as error:
            answer = {"ok": False, "error": str(error)}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            answer = {"ok": False, "error": "The request is not understood: %r" % error}
        else:
            answer["ok"] = True
        answer["id"] = number
        if not connection.send(answer):
            self._drop(connection)

    def _start(self, request):
        self._reap()
        if self.pid:
            raise LaunchError("a kernel is running already")
        if self.ending:
            raise LaunchError("the container is being stopped")
        for path, content in request.get("files", {}).items():
            write_private(path, content)
        environment = {str(k): str(v) for k, v in request["environment"].items()}
        self.oom_reported = self.oom_seen = self.cgroup.oom_kills()
        self.pid = launch([str(word) for word in request["argv"]], environment, request["cwd"])
        self.run, self.code = int(request["run"]), None
        return {"pid": self.pid}

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

    def _begin_stop(self, grace):
        self.ending = True
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
            if pid == self.pid:
                self._ended(status)

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
            if not connection.send(event):
                self._drop(connection)


def main(argv):
    if len(argv) != 2:
        sys.stderr.write("usage: supervisor.py SOCKET\n")
        return 2
    Supervisor(argv[1]).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
