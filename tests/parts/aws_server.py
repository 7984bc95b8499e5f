"""moto behind its front; ``python -m tests.parts.aws_server PORT`` for the browser tests."""

from __future__ import annotations

import sys
from typing import Any

from .aws_front import Front


def moto() -> Any:
    """moto's WSGI application for all services."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    return DomainDispatcherApplication(create_backend_app)


def listen(front: Front, port: int) -> Any:
    """A server that does not log each request; 0 is any port."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    class Quiet(MotoRequestHandler):
        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            pass

    server = make_server("127.0.0.1", port, front, threaded=True, request_handler=Quiet)
    front.url = f"http://127.0.0.1:{server.server_port}"
    return server


if __name__ == "__main__":
    listen(Front(moto()), int(sys.argv[1])).serve_forever()
