"""Runs in a container beside the service: sends requests to it and prints what came back.

The contract check gives containers no network, as SageMaker may; a process inside reaches the
very socket that SageMaker would. Standard library only, 3.8 or newer. The last line of output
is JSON.
"""

import base64
import http.client
import json
import threading
import time

PORT = 8080
KEPT = 4 * 1024 * 1024
"""Bytes of an answer that are reported."""
LOADING = "being loaded"


def call(method, path, headers=None, body=b"", timeout=70.0, announced=None):
    """One request: ``{"status", "headers", "body", "seconds"}``, or ``{"error"}``.

    ``announced`` is a Content-Length for a body that is never sent.
    """
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=timeout)
    try:
        connection.putrequest(method, path)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if announced is not None:
            connection.putheader("Content-Length", str(announced))
        elif body or method == "POST":
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        if body:
            connection.send(body)
        answer = connection.getresponse()
        content = answer.read()
        return {
            "status": answer.status,
            "headers": {name.lower(): value for name, value in answer.getheaders()},
            "body": base64.b64encode(content[:KEPT]).decode("ascii"),
            "size": len(content),
            "seconds": time.perf_counter() - began,
        }
    except (OSError, http.client.HTTPException) as error:
        reason = "%s: %s" % (type(error).__name__, error)
        return {"error": reason, "seconds": time.perf_counter() - began}
    finally:
        connection.close()


def wait(limit, settled):
    """Probe until the service answers 200, ``limit`` seconds at most.

    A service that says why it cannot load its model gets ``settled`` seconds more.
    """
    began = time.monotonic()
    failing = None
    while True:
        answer = call("GET", "/ping", timeout=2.0)
        now = time.monotonic()
        if answer.get("status") == 200 or now - began > limit:
            break
        said = base64.b64decode(answer.get("body", "")).decode("utf-8", "replace")
        if answer.get("status") and LOADING not in said and said:
            failing = failing or now
            if now - failing > settled:
                break
        else:
            failing = None
        time.sleep(0.02)
    answer["waited"] = time.monotonic() - began
    return answer


def requests(plan):
    """Each of ``plan``'s requests in turn; ``pad`` appends that many of the byte ``fill``."""
    answers = []
    for item in plan:
        body = base64.b64decode(item.get("body", ""))
        if item.get("pad"):
            body += item["fill"].encode("ascii") * max(0, item["pad"] - len(body))
        answers.append(
            call(item["method"], item["path"], item.get("headers"), body,
                 announced=item.get("announced"))
        )  # fmt: skip
    return answers


def busy(request, seconds, clients):
    """Probe while ``clients`` threads send the sample as fast as they can.

    Returns the probes' slowest, how many failed, and how many requests were answered meanwhile.
    """
    body = base64.b64decode(request["body"])
    stop = threading.Event()
    answered = []

    def work():
        while not stop.is_set():
            answer = call(request["method"], request["path"], request["headers"], body)
            answered.append(answer.get("status"))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    probes, failed = [], []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = call("GET", "/ping", timeout=2.0)
        probes.append(answer["seconds"])
        if answer.get("status") != 200:
            failed.append(answer.get("error") or answer.get("status"))
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join(5.0)
    return {"probes": len(probes), "slowest": max(probes), "failed": failed,
            "answered": len(answered)}  # fmt: skip


def run(what, arguments):
    """Called with the name of one of the functions above."""
    print(json.dumps({"wait": wait, "requests": requests, "busy": busy}[what](**arguments)))
