"""Errors that nobody foresaw, in plain words; what they were goes to the logs."""

from __future__ import annotations

import errno
import logging
import traceback

from ..core.errors import DiskFullError, InternalError, MlopsError
from .running_operation import RunningOperation

logger = logging.getLogger("jupyter_mlops.operations")


def explained(failure: BaseException, running: RunningOperation) -> MlopsError:
    """An error that nobody foresaw, in plain words; its details go to the logs."""
    operation = running.operation
    text = "".join(traceback.format_exception(failure))
    if isinstance(failure, OSError) and failure.errno in (errno.ENOSPC, errno.EDQUOT):
        running.write(text)
        return DiskFullError(
            f"A disk of this machine is full ({failure.filename or 'while writing'}).",
            "Make room there, then try again.",
        )
    running.write("\n" + text)
    logger.error(
        "Operation %s (%s %s) failed unexpectedly\n%s",
        operation.id,
        operation.kind,
        operation.subject,
        running.masked(text),
    )
    step = f" in the step {operation.phase!r}" if operation.phase else ""
    return InternalError(
        f"Something unexpected happened{step}: this is a fault of jupyter-mlops.",
        f"The log of operation {operation.id} has the details; please report it with them.",
    )
