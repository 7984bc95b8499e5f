"""Where the supervisor, and the kernel, can be reached."""

import contextlib
import os
import socket

from connection import Connection

STRANGERS = 32
"""Connections without proof at once; the oldest makes room for the next."""

_LISTEN = "0A"


class Door:
    """Lets clients in: at a Unix socket, whoever may write to it; at a TCP port, who knows the
    token in the file at ``path``."""

    def __init__(self, path, port=0):
        self.token = ""
        if port:
            with open(path, encoding="ascii") as file:
                self.token = file.read().strip()
        self.listener = tcp_listener(port) if port else unix_listener(path)
        self.strangers = []

    def accept(self):
        """The new connection, or None, and those that have to go for it."""
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return None, []
        sock.setblocking(False)
        if not self.token:
            return Connection(sock), []
        # Not for those who use a Unix socket: it takes a few milliseconds.
        from proof import Gate

        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, Gate(self.token))
        here = [*(c for c in self.strangers if c.stranger and not c.closed), connection]
        self.strangers = here[-STRANGERS:]
        return connection, here[:-STRANGERS]


def unix_listener(path):
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
    return listener


def tcp_listener(port):
    # The engine publishes the port on the loopback of its machine, and comes from outside.
    listener = socket.create_server(("0.0.0.0", port), backlog=64)
    listener.setblocking(False)
    return listener


def listening(ports):
    """Whether somebody listens on all of these ports of this container."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as file:
            next(file, None)
            for row in file:
                _, local, _, state = row.split()[:4]
                if state == _LISTEN:
                    found.add(int(local.rpartition(":")[2], 16))
    return found.issuperset(ports)
