"""Bodies for limits of a notebook's kernel."""

from __future__ import annotations

from .bodies import Request


class GivenLimits(Request):
    """What is said instead of the environment's limits. Null says nothing; 0 is no limit."""

    cpus: float | None = None
    memory: int | str | None = None
    """Bytes, or an amount such as `4GiB`."""
    pids: int | None = None
    gpus: int | None = None
    network: str | None = None
    """`outbound` or `none`."""


class SaveLimits(Request):
    notebook: str
    """As the file browser has it."""
    environment: str = ""
    """The environment's name, for the answer alone."""
    limits: GivenLimits
