"""A streamed answer in the front: chunks to one client, at the pace at which it takes them."""

import socket
import struct

AHEAD = 1024 * 1024
"""Bytes that a client may lag behind before its worker has to wait for it."""


class Stream:
    """Between a worker's link and a client's connection, while the answer lasts."""

    __slots__ = ("_chunked", "_connection", "_link", "left", "request", "status")

    def __init__(self, connection, link, request, status, chunked):
        self._connection = connection
        self._link = link
        self.request = request
        self._chunked = chunked
        self.status = status
        self.left = False
        """The client has gone, and the worker was told; or all is written."""
        connection.transport.set_write_buffer_limits(high=AHEAD)

    def write(self, piece):
        if self.left:
            return
        transport = self._connection.transport
        transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)

    def pause(self):
        """The client is too far behind: read no more of what the worker makes."""
        self._link.pause()

    def resume(self):
        self._link.resume()

    def leave(self):
        """The client has gone: the worker may stop."""
        if not self.left:
            self.left = True
            self._link.resume()
            self._link.cancel(self.request.number)

    def finish(self, whole):
        """End it; one that is not whole visibly, without a last chunk."""
        if self.left:
            return
        self.left = True
        connection = self._connection
        connection.transport.set_write_buffer_limits()
        if whole:
            if self._chunked:
                connection.transport.write(b"0\r\n\r\n")
        elif not self._chunked:
            # HTTP/1.0 has no other sign of a whole answer than an orderly end.
            sock = connection.transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.abort()
        connection.end_stream(whole)
