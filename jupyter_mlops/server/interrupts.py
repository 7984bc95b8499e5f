"""An interrupted server stops in order, with or without a terminal.

Jupyter Server handles SIGINT only on a terminal. Elsewhere Python's own handler ends the event
loop on the spot: no kernel is shut down, and containers, unlike local kernels, do not notice.
JupyterHub stops its users' servers by SIGINT.
"""

from __future__ import annotations

import signal
import threading

from jupyter_server.serverapp import ServerApp


def stop_in_order(serverapp: ServerApp) -> None:
    """Let SIGINT do what SIGTERM does, unless somebody handles it already."""
    on_main_thread = threading.current_thread() is threading.main_thread()
    if on_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, serverapp._signal_stop)


def stop_at_once(serverapp: ServerApp) -> None:
    """While the server stops, a second SIGINT ends it."""
    on_main_thread = threading.current_thread() is threading.main_thread()
    if on_main_thread and signal.getsignal(signal.SIGINT) == serverapp._signal_stop:
        signal.signal(signal.SIGINT, signal.default_int_handler)
