"""The supervisor on a TCP port: only who knows the token is answered."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupyter_mlops.kernels.transports import Tcp
from tests.parts.registry import free_port

from .test_supervisor import SOURCE


@dataclass
class Listening:
    folder: Path
    port: int

    def transport(self, port: int = 0) -> Tcp:
        tcp = Tcp(self.folder)
        tcp.published(dict.fromkeys(tcp.wanted(), port or self.port))
        return tcp

    def stranger(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 10)

    def told(self, request: dict | bytes) -> bytes:
        """All that a stranger gets for this."""
        with self.stranger() as sock:
            line = request if isinstance(request, bytes) else json.dumps(request).encode()
            sock.sendall(line + b"\n")
            return sock.makefile("rb").read()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Listening]:
    found = Listening(tmp_path, free_port())
    (tmp_path / "k").mkdir()
    Tcp(tmp_path).prepare()
    token = tmp_path / "k" / "token"
    process = subprocess.Popen([sys.executable, "-I", str(SOURCE), str(token), str(found.port)])
    try:
        yield found
    finally:
        process.kill()
        process.wait()


def ask(sock: socket.socket, command: str, **fields) -> dict:
    sock.settimeout(10)
    sock.sendall(json.dumps({"id": 1, "command": command, **fields}).encode() + b"\n")
    line = b""
    while not line.endswith(b"\n"):
        chunk = sock.recv(4096)
        assert chunk
        line += chunk
    return json.loads(line)


def connected(transport: Tcp) -> socket.socket:
    end = time.monotonic() + 10
    while True:
        try:
            return transport.connect()
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.02)


def test_who_knows_the_token_is_answered_and_hears_events(supervisor):
    with connected(supervisor.transport()) as sock:
        assert ask(sock, "status")["running"] is False
        assert ask(sock, "listening", ports=[supervisor.port])["all"] is True
        assert ask(sock, "listening", ports=[supervisor.port, free_port()])["all"] is False
        assert ask(sock, "version", distribution="ipykernel")["version"][0].isdigit()
        assert ask(sock, "version", distribution="no-such-thing")["version"] == ""
        argv = [sys.executable, "-c", "raise SystemExit(7)"]
        assert ask(sock, "start", run=1, argv=argv, environment={}, cwd="/")["ok"]
        assert json.loads(sock.makefile("rb").readline())["code"] == 7


def test_who_does_not_know_it_is_neither_answered_nor_told(supervisor):
    with connected(supervisor.transport()) as sock, supervisor.stranger() as silent:
        assert supervisor.told({"command": "status"}) == b""
        assert supervisor.told({"command": "start", "argv": ["true"]}) == b""
        assert supervisor.told({"command": "prove", "proof": "0" * 64}) == b""
        assert supervisor.told(b"GET / HTTP/1.1") == b""
        assert supervisor.told(b"[]") == b""
        assert supervisor.told(b"x" * 10_000) == b""
        with supervisor.stranger() as other:
            # What is proven to him proves nothing in the other direction.
            theirs = ask(other, "hello", challenge="c")
            other.sendall(json.dumps({"command": "prove", "proof": theirs["proof"]}).encode())
            other.sendall(b"\n")
            assert other.recv(1) == b""
        argv = [sys.executable, "-c", "pass"]
        assert ask(sock, "start", run=1, argv=argv, environment={}, cwd="/")["ok"]
        assert json.loads(sock.makefile("rb").readline())["event"] == "exit"
        silent.settimeout(0.2)
        with pytest.raises(TimeoutError):
            silent.recv(1)


def test_strangers_keep_nobody_out(supervisor):
    with connected(supervisor.transport()) as sock:
        crowd = [supervisor.stranger() for _ in range(200)]
        with connected(supervisor.transport()) as another:
            assert ask(another, "status")["ok"] and ask(sock, "status")["ok"]
        crowd[0].settimeout(10)
        assert crowd[0].recv(1) == b"", "the first had to make room"
        for one in crowd:
            one.close()


def test_nothing_is_proven_to_another_program(supervisor):
    heard: list[bytes] = []

    def impostor(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        with sock, sock.makefile("rb") as lines:
            heard.append(lines.readline())
            sock.sendall(b'{"ok": true, "challenge": "c", "proof": "0"}\n')
            heard.append(lines.readline())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=impostor, args=(listener,))
        thread.start()
        with pytest.raises(ConnectionRefusedError, match="Another program"):
            supervisor.transport(listener.getsockname()[1]).connect()
        thread.join(10)
    assert json.loads(heard[0])["command"] == "hello" and heard[1] == b""
    token = (supervisor.folder / "k" / "token").read_text()
    assert token.encode() not in b"".join(heard)
