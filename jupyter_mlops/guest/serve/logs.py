"""Our log: one JSON object per line on standard output. A handler's prints stay as they are."""

import json
import sys
import time


def write(event, message="", level="info", **fields):
    """One line. Never raises: a closed log must not end the service."""
    now = time.time()
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + ".%03dZ" % (now % 1 * 1000),
        "level": level,
        "event": event,
    }
    if message:
        line["message"] = message
    line.update(fields)
    try:
        sys.stdout.write(json.dumps(line, default=str) + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        pass
