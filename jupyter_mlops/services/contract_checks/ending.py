"""Whether the container stays within what it may write, and stops when it is asked to."""

from __future__ import annotations

import re
import time

from ...core.model_package import Check
from .running import Running

GRACE = 30.0
_READ_ONLY = re.compile(r"\[Errno 30\] Read-only file system(?:: ['\"]+([^'\"\\]+))?")


async def writes(running: Running) -> Check:
    """The root was read-only throughout: a failed attempt is in the log."""
    log = await running.whole_log()
    places = [match.group(1) or "somewhere" for match in _READ_ONLY.finditer(log)]
    named = ", ".join(dict.fromkeys(places))
    return Check(
        "writes",
        "Writes nothing outside /tmp",
        not places,
        f"tried to write to {named}"
        if places
        else "the image and the model were read-only, and nothing failed for it",
        "Write below /tmp (tempfile.gettempdir()): SageMaker's serverless endpoints have no other "
        "place, and /opt/ml/model belongs to SageMaker."
        if places
        else "",
    )


async def stops(running: Running) -> Check:
    title = "Stops within 30 s when asked to"
    before = await running.state()
    if before.phase != "running":
        return Check(
            "sigterm", title, False, f"it had ended already, with code {before.exit_code}",
            "Find out in the log what ended it.",
        )  # fmt: skip
    began = time.perf_counter()
    await running.engine.stop(running.id, GRACE)
    seconds = time.perf_counter() - began
    code = (await running.state()).exit_code
    passed = code == 0 and seconds < GRACE
    return Check(
        "sigterm",
        title,
        passed,
        f"ended with code {code} after {seconds:.1f} s",
        "" if passed else "A library of the handler keeps the process alive, or catches signals: "
        "look for signal handlers and threads that are no daemons.",
        seconds,
    )  # fmt: skip
