"""Kernels that run."""

from __future__ import annotations

from typing import Any, Protocol


class KernelControl(Protocol):
    """Process 1 of kernels' containers, of whichever process of this user made them."""

    async def status(self, kernel_id: str) -> dict[str, Any] | None:
        """``{running, run, pid, code, memory, memory_limit, cpu}``: memory in bytes, ``cpu`` in
        cores. Empty when the container is gone, None when it is there and does not answer."""
        ...
