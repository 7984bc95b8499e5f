"""A kernel that nobody uses for an hour is still there. ``--idle MINUTES`` selects this test."""

from __future__ import annotations

import json
import time

import pytest
import websocket

from .machine import Machine

STATE = (
    "import os, time\n"
    "print(os.getpid(), kept, round(time.process_time(), 2),"
    " open('/proc/self/statm').read().split()[1])"
)


@pytest.mark.idle
@pytest.mark.timeout(0)
def test_an_idle_kernel_answers(machine: Machine, pytestconfig: pytest.Config):
    """Through a Jupyter server, with a browser's websocket open all the time."""
    seconds = 60 * pytestconfig.getoption("--idle")
    server = machine.server()
    server.start()
    kernel_id = server.open_session("a.ipynb", machine.kernel)["kernel"]["id"]
    tab = server.tab(kernel_id)
    tab.run("kept = 'in memory'; import random; drawn = random.random()")
    before, container = tab.run(STATE), machine.containers()[kernel_id]
    started = time.monotonic()
    heard = []
    while (left := started + seconds - time.monotonic()) > 0:
        # A browser answers the server's pings too; a connection that breaks raises here.
        tab.socket.settimeout(min(left, 5))
        try:
            heard.append(json.loads(tab.socket.recv()))
        except websocket.WebSocketTimeoutException:
            continue
    tab.socket.settimeout(90)
    asked = time.monotonic()
    after = tab.run(STATE)
    took = time.monotonic() - asked
    print(f"{seconds} s idle, then a cell in {took:.3f} s: {before} -> {after}")
    assert after.split()[:3] == before.split()[:3], "the same process with its variables"
    assert took < 10
    assert machine.containers()[kernel_id].id == container.id
    assert server.kernels()[kernel_id]["execution_state"] == "idle"
    # The reply to the last cell may come after its end; no restart, no word of a lost kernel.
    assert not [message for message in heard if message["channel"] == "iopub"]
    server.ask("DELETE", f"api/kernels/{kernel_id}")
    assert machine.containers() == {}
    assert server.stop() == 0
