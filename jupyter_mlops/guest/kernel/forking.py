"""The supervisor's end of a zygote."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import sys

from connection import Connection
from launching import LaunchError, launch

ZYGOTE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "zygote.py")
LAUNCHER = ["-m", "ipykernel_launcher"]

# They may differ from kernel to kernel: nothing reads them while it is imported.
FREE = {"JPY_SESSION_NAME", "TERM", "COLORTERM", "TZ"}

# What only a new program would heed.
READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_")


def interpreter(argv):
    """The words of ``argv`` before ``-m ipykernel_launcher``; None for any other program.

    Only options of one word are known: what is not understood is not forked.
    """
    if LAUNCHER[1] not in argv:
        return None
    end = argv.index(LAUNCHER[1]) - 1
    name = os.path.basename(argv[0])
    options = argv[1:end]
    if argv[end : end + 2] != LAUNCHER or not name.startswith("python"):
        return None
    return argv[:end] if all(option.startswith("-X") for option in options) else None


class Forking:
    """Keeps a zygote for the kernels of one environment, from the first start on.

    ``heard`` gets its answers, and ``{"refused": …}`` when it ends instead of answering.
    """

    def __init__(self, selector, heard):
        self.selector = selector
        self.heard = heard
        self.pid = 0
        self.key = None
        self.connection = None

    def request(self, start):
        """Ask for the kernel of a ``Start``; False when it must be started another way."""
        if any(name.startswith(READ_AT_START) for name in start.private):
            return False
        if not self.prepare(start.argv, start.environment):
            return False
        environment = {**start.environment, **start.private}
        message = {"argv": start.argv, "environment": environment, "cwd": start.cwd}
        try:
            self.connection.sock.sendall(json.dumps(message).encode() + b"\n")
            return True
        except OSError as error:
            sys.stderr.write("the zygote cannot be asked: %s\n" % error)
            self.end()
            return False

    def prepare(self, argv, environment):
        """See to it that there is a zygote for such a kernel; False when there can be none."""
        words = interpreter(argv)
        if words is None:
            return False
        key = words, {name: environment[name] for name in environment if name not in FREE}
        if key != self.key:
            self.end()
        try:
            if self.connection is None:
                self._start(words, environment)
                self.key = key
            return True
        except (OSError, LaunchError) as error:
            sys.stderr.write("no zygote: %s\n" % error)
            self.end()
            return False

    def end(self):
        """There is none any more; the next request makes one."""
        if self.connection is not None:
            self.selector.unregister(self.connection.sock)
            self.connection.sock.close()
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.connection, self.pid, self.key = None, 0, None

    def reaped(self, pid):
        """A child has ended; its pid may be another's from now on."""
        if pid == self.pid:
            self.pid = 0

    def _start(self, words, environment):
        ours, theirs = socket.socketpair()
        try:
            theirs.set_inheritable(True)
            argv = [*words, ZYGOTE, str(theirs.fileno())]
            # Out of memory, the kernel goes first, this process last.
            self.pid = launch(argv, environment, "/", oom_score=500)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self.connection = Connection(ours)
        self.selector.register(ours, selectors.EVENT_READ, self._receive)

    def _receive(self, _sock):
        lines = self.connection.lines()
        if lines is None:
            self.end()
            self.heard({"refused": "the zygote has ended"})
            return
        for line in lines:
            self.heard(json.loads(line.decode()))
