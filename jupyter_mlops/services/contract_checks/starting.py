"""Whether the container comes up and tells that it is ready."""

from __future__ import annotations

from ...core.layout import ENV_PREFIX
from ...core.model_package import Check
from .running import Answer, Running, answer_of

SETTLED = 3.0
"""Seconds a model that failed to load gets for its next attempts."""
PROBE_LIMIT = 2.0


async def check(running: Running, limit: float) -> tuple[Check, Check | None]:
    """(starts, ping); no ping where it does not start. ``limit`` in seconds."""
    title = "Starts and loads the model"
    if running.refused:
        return _refused(running.refused, title), None
    found = await running.call("wait", limit=limit, settled=SETTLED)
    state = await (running.ended() if found is None else running.state())
    if found is None or state.phase != "running":
        code = "" if state.exit_code is None else f" with code {state.exit_code}"
        return (
            Check(
                "starts",
                title,
                False,
                f"the container ended{code}; its last lines:\n{await running.log()}",
                _hint(await running.log(50)),
            ),
            None,
        )
    answer = answer_of(found)
    if answer.status != 200:
        return await _not_ready(running, answer, limit, title), None
    starts = Check(
        "starts",
        title,
        True,
        f"ready after {answer.seconds:.1f} s; SageMaker waits 480 s",
        seconds=answer.seconds,
    )
    probe = answer_of((await running.call("requests", plan=[_PING]))[0])
    return starts, _ping(probe)


_PING = {"method": "GET", "path": "/ping"}


def _refused(reason: str, title: str) -> Check:
    return Check(
        "starts",
        title,
        False,
        f"the container could not be started: {reason}",
        "Make the package again: its entry point starts a program that the image has, as "
        f"{ENV_PREFIX}/bin/python.",
    )


async def _not_ready(running: Running, answer: Answer, limit: float, title: str) -> Check:
    if answer.seconds >= limit:
        detail = f"not ready after {limit:.0f} s: {answer.shown}"
        hint = "Load less, or faster, in model_fn: SageMaker gives up after 480 s."
    else:
        detail = answer.said
        hint = _hint(answer.said)
    return Check(
        "starts",
        title,
        False,
        f"{detail}\nThe container's last lines:\n{await running.log()}",
        hint,
        answer.seconds,
    )


def _ping(answer: Answer) -> Check:
    passed = answer.status == 200 and answer.seconds < PROBE_LIMIT
    return Check(
        "ping",
        "Answers health probes within 2 s",
        passed,
        f"answered {answer.status} in {answer.seconds * 1000:.0f} ms"
        if answer.status
        else answer.shown,
        "" if passed else "Look at the container's log: the service should answer at once.",
        answer.seconds,
    )


NO_NETWORK = (
    "The container has no network when it is checked, and need not have one when served. Put what "
    "it downloads into the project, as a model file of the package, and freeze again."
)


def calls_out(said: str) -> bool:
    """Whether an error is one of a program that finds no network."""
    words = (
        "Temporary failure in name resolution",
        "Name or service not known",
        "Network is unreachable",
        "NameResolutionError",
    )
    return any(word in said for word in words)


def _hint(said: str) -> str:
    """What to do about the reason that the service or its log gives."""
    if "ModuleNotFoundError" in said or "No module named" in said:
        return (
            "Install the package in the kernel and freeze again; a file of your own belongs beside "
            "the handler."
        )
    if calls_out(said):
        return NO_NETWORK
    if "Errno 30" in said or "Read-only file system" in said:
        return "Write below /tmp only: the model's folder and the image are read-only when served."
    if "FileNotFoundError" in said:
        return "Choose every file that model_fn opens as a model file of the package."
    if "Can't get attribute" in said:
        return (
            "The model needs a class or function that the notebook defined. Move it into the "
            "handler's file, or a file beside it, train again and freeze."
        )
    if "MemoryError" in said or "SIGKILL" in said:
        return "The model needs more memory than the check gives it: choose a smaller one."
    return "Correct what the message says, freeze again and make a new package."
