"""Bodies for secrets that a kernel waits for."""

from __future__ import annotations

from .bodies import Request


class GivenSecrets(Request):
    values: dict[str, str]
    """By name. They reach the kernel's process, and are kept nowhere else."""
