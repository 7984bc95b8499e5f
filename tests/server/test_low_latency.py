"""Messages of kernels leave the server at once."""

from __future__ import annotations

import json
import socket

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


async def test_no_message_of_a_kernel_waits_for_another(jp_serverapp, jp_fetch, jp_ws_fetch):

    answer = await jp_fetch("api", "kernels", method="POST", body=json.dumps({"name": "python3"}))
    kernel_id = json.loads(answer.body)["id"]
    browser = await jp_ws_fetch("api", "kernels", kernel_id, "channels")
    try:
        (connection,) = [
            found
            for found in ZMQChannelsWebsocketConnection._open_sockets
            if found.kernel_id == kernel_id
        ]
        stream = connection.websocket_handler.ws_connection.stream
        assert stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    finally:
        browser.close()
        await jp_fetch("api", "kernels", kernel_id, method="DELETE")
