"""One client of the supervisor: bytes in, lines out."""

from __future__ import annotations

import json

LINE_LIMIT = 8 * 1024**2
STRANGER_LIMIT = 4096
"""Bytes that somebody may send who has not shown yet that he knows the token."""


class Connection:
    """One client: bytes in, lines out."""

    def __init__(self, sock, gate=None):
        """``gate`` (``proof.Gate``) is for those that may come from anywhere."""
        self.sock = sock
        self.gate = gate
        self.closed = False
        self.buffer = b""

    @property
    def stranger(self):
        return self.gate is not None and not self.gate.open

    def close(self):
        self.closed = True
        self.sock.close()

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
        if not chunk or len(self.buffer) > (STRANGER_LIMIT if self.stranger else LINE_LIMIT):
            return None
        *lines, self.buffer = self.buffer.split(b"\n")
        return lines
