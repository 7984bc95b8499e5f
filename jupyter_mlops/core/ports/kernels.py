"""Kernels that run."""

from __future__ import annotations

from typing import Any, Protocol

from ..kernel import KernelRecord


class KernelControl(Protocol):
    """Process 1 of kernels' containers, of whichever process of this user made them."""

    async def status(self, kernel_id: str) -> dict[str, Any] | None:
        """``{running, run, pid, code, memory, memory_limit, cpu}``: memory in bytes, ``cpu`` in
        cores. Empty when the container is gone, None when it is there and does not answer."""
        ...


class LiveKernels(Protocol):
    """Asks a kernel something in its own process."""

    async def ask(self, record: KernelRecord, what: str, **arguments: Any) -> Any:
        """``survey``: which variables are models and samples. ``export(model, sample, folder,
        stem)``: write one down below ``folder``. Answers are those of ``guest.live``.

        Raises UnsupportedError for another language than Python and R, ConflictError while a cell
        runs, and InvalidError with the kernel's own words for what it cannot do.
        """
        ...
