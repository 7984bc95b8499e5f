"""Long answers of an engine: read in a thread, closed from another."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from docker.api.client import APIClient
from docker.errors import create_api_error_from_http_exception
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnectionPool

_HEADER = 8
STDOUT, STDERR = 1, 2


class Stream:
    """A docker-py client of its own for one long call, whose sockets can be shut down.

    docker-py closes a running stream only once its headers have come, and some versions of
    Podman send them with the first event: so sockets are noted when they are made.
    """

    def __init__(self) -> None:
        self.closed = False
        self.client: Any = None
        self._connections: list[Any] = []
        self._responses: list[Any] = []
        self._lock = threading.Lock()

    def open(self, url: str, version: str, tls: Any) -> None:
        """Make the client; no network is used yet."""
        self.client = APIClient(
            base_url=url,
            version=version,
            timeout=None,
            tls=tls,
            use_ssh_client=url.startswith("ssh://"),
        )
        if url.startswith(("unix://", "http+unix://")):
            path = url.split("://", 1)[1]
            self.client.mount("http+docker://", _NotedAdapter(path, self._note))

    def request(
        self,
        path: str,
        *,
        method: str = "POST",
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        data: Any = None,
        versioned: bool = True,
    ) -> requests.Response:
        """Ask and return once the answer's headers are here. Raises docker-py's APIError."""
        version = f"/v{self.client.api_version}" if versioned else ""
        response = self.client.request(
            method,
            f"{self.client.base_url}{version}{path}",
            params=dict(params or {}),
            headers=dict(headers or {}),
            json=body,
            data=data,
            stream=True,
            timeout=None,
        )
        with self._lock:
            self._responses.append(response)
        try:
            response.raise_for_status()
        except requests.exceptions.HTTPError as error:
            raise create_api_error_from_http_exception(error) from error
        if self.closed:
            self.close()
        return response

    def messages(self, response: requests.Response) -> Iterator[dict[str, Any]]:
        """The JSON objects of an answer, one per line, as they come."""
        for line in response.iter_lines(chunk_size=65536):
            if line.strip():
                message = json.loads(line)
                if isinstance(message, dict):
                    yield message

    def close(self) -> None:
        """Shut the sockets down; a thread that reads from them sees their end. Idempotent."""
        self.closed = True
        with self._lock:
            connections, responses = list(self._connections), list(self._responses)
        for connection in connections:
            _shut(getattr(connection, "sock", None))
        for response in responses:
            _shut(socket_of(response))
        if self.client is not None:
            with contextlib.suppress(Exception):
                self.client.close()

    def _note(self, connection: Any) -> None:
        with self._lock:
            self._connections.append(connection)


def frames(response: requests.Response) -> Iterator[tuple[int, bytes]]:
    """(1 or 2 for stdout or stderr, bytes) of an attached process, until it closes both.

    Reads from the buffered file, not from the socket below it as docker-py does: output that came
    in one packet with the headers would be lost.
    """
    reader = response.raw._fp.fp
    while True:
        header = reader.read(_HEADER)
        if not header or len(header) < _HEADER:
            return
        length = int.from_bytes(header[4:], "big")
        data = reader.read(length) if length else b""
        if len(data) < length:
            return
        if data:
            yield header[0], data


def socket_of(response: requests.Response) -> Any:
    """The socket below an answer, or None when it has been closed."""
    try:
        raw = response.raw._fp.fp.raw
    except AttributeError:
        return None
    return getattr(raw, "_sock", None)


def _shut(sock: Any) -> None:
    if sock is not None:
        with contextlib.suppress(OSError, AttributeError):
            sock.shutdown(socket.SHUT_RDWR)


class _NotedPool(UnixHTTPConnectionPool):
    def __init__(self, *arguments: Any, note: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._note = note

    def _new_conn(self) -> Any:
        connection = super()._new_conn()
        self._note(connection)
        return connection


class _NotedAdapter(UnixHTTPAdapter):
    """docker-py's Unix socket adapter, telling of every connection it makes."""

    def __init__(self, path: str, note: Any) -> None:
        self._note = note
        super().__init__(f"http+unix://{path}", timeout=None)

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        with self.pools.lock:
            pool = self.pools.get(url)
            if pool is None:
                pool = _NotedPool(url, self.socket_path, self.timeout, maxsize=10, note=self._note)
                self.pools[url] = pool
        return pool
