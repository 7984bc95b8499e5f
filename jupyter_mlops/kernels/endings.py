"""Why a kernel ended, in words its user understands."""

from __future__ import annotations

import signal

from ..core.errors import EngineUnavailableError, MlopsError
from ..core.kernel import KernelEvent
from ..core.limits import amount
from ..core.ports import EngineProvider

_LOST = "Its variables are lost; files and installed packages are still there."


def ended(kernel_id: str, code: int, oom_kills: int, limit: int) -> KernelEvent | None:
    """The kernel's process ended by itself. None where the user's own code asked for it."""
    if code == -signal.SIGKILL and oom_kills:
        return KernelEvent(
            kernel_id,
            "out_of_memory",
            f"The kernel ran out of memory{_of(limit)} and was stopped. {_LOST}",
            _more_memory(limit),
            limit,
        )
    if code == 0:
        return None
    return KernelEvent(
        kernel_id,
        "crashed",
        f"The kernel ended by itself: {_cause(code)}. {_LOST}",
        "Run the notebook's cells again. If it happens at the same cell, that cell's code or a "
        "library it uses is the reason.",
        limit,
    )


def child_ended(kernel_id: str, limit: int) -> KernelEvent:
    return KernelEvent(
        kernel_id,
        "child_out_of_memory",
        f"A process that your cell started ran out of memory{_of(limit)} and was stopped. The "
        "kernel itself still runs.",
        "Start fewer processes at once. " + _more_memory(limit),
        limit,
    )


async def container_gone(
    kernel_id: str, container: str, engines: EngineProvider, limit: int
) -> KernelEvent:
    """The container, or the engine, went away under the kernel."""
    lost = "Variables, and packages installed in the notebook, are lost; files are still there."
    try:
        state = await (await engines.engine()).inspect(container)
    except EngineUnavailableError as error:
        what, hint = "The container engine stopped, and the kernel with it.", error.hint
    except MlopsError as error:
        what, hint = "The kernel's container ended.", str(error)
    else:
        hint = "Restart the kernel: it gets a new container of its environment."
        if state is None:
            what = "The kernel's container was removed by someone else."
        else:
            what = "The kernel's container was stopped, by someone else or with its engine."
    return KernelEvent(kernel_id, "engine_gone", f"{what} {lost}", hint, limit)


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    if code == -signal.SIGSEGV:
        return "a compiled library accessed memory that is not its own (segmentation fault)"
    if code == -signal.SIGABRT:
        return "a compiled library gave up (abort)"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _of(limit: int) -> str:
    return f" (its limit is {amount(limit)})" if limit else ""


def _more_memory(limit: int) -> str:
    if not limit:
        return "Work on less data at a time, or close other programs of this machine."
    return (
        "Work on less data at a time, or give the notebook more memory (its limits, in the "
        "notebook's toolbar) or its environment (resources: memory in its definition)."
    )
