"""Messages of kernels leave the server at once."""

from __future__ import annotations

from typing import Any

from jupyter_server.serverapp import ServerApp

_SETTING = "kernel_websocket_connection_class"


def send_at_once(serverapp: ServerApp) -> None:
    """Switch Nagle's algorithm off for the websockets of kernels, of all of them.

    Their messages are small and come one after the other: the second waits until the browser's
    system has acknowledged the first, which takes 40 ms where it delays that. A cell is "busy"
    at once, and its output late.
    """
    connection: Any = serverapp.web_app.settings.get(_SETTING)
    if connection is not None:
        serverapp.web_app.settings[_SETTING] = _at_once(connection)


def _at_once(connection: Any) -> Any:
    def connect(self: Any) -> Any:
        self.websocket_handler.set_nodelay(True)
        return connection.connect(self)

    return type(connection.__name__, (connection,), {"connect": connect})
