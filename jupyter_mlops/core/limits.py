"""What one kernel may use: its environment's limits, what its notebook says instead, and the
server's ceiling."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from .environment import Resources
from .errors import InvalidError, UnsupportedError

LEAST_MEMORY = 64 * 1024**2
"""Bytes that a Python kernel needs to start at all."""
LEAST_CPUS = 0.05
LEAST_PIDS = 32
"""A kernel, and what starts it, are some 15 processes and threads before its first cell."""

NETWORKS = ("outbound", "none")

_SIZE = re.compile(r"^([0-9]+(?:\.[0-9]+)?)\s*(?:([KMGT])(i?)B?|B)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Limits:
    """What is said instead of an environment's limits. None says nothing; 0 is no limit."""

    cpus: float | None = None
    memory: int | None = None
    """Bytes."""
    pids: int | None = None
    gpus: int | None = None
    network: str | None = None
    """``outbound`` or ``none``."""


@dataclass(frozen=True)
class KernelLimits:
    """What is in force for a kernel."""

    resources: Resources = field(default_factory=Resources)
    network: str = "outbound"


@dataclass(frozen=True)
class NotebookLimits:
    """Limits that a notebook's user chose. Kept by the server, not in the notebook: they fit this
    machine and not the one it is sent to, and a notebook that somebody sends must not open the
    network or take the machine's memory by itself."""

    notebook: str
    """Absolute path."""
    limits: Limits
    saved: str
    """ISO 8601, UTC."""


@dataclass(frozen=True)
class Machine:
    """What the engine's machine has; 0 where it does not say."""

    cpus: int = 0
    memory: int = 0
    gpus: int = 0


def in_force(environment: KernelLimits, *said: Limits, ceiling: Limits) -> KernelLimits:
    """The later of ``said`` wins. The ceiling lowers, also what nobody limited."""
    values = asdict(environment.resources)
    network = environment.network
    for limits in said:
        chosen = {name: value for name, value in asdict(limits).items() if value is not None}
        network = chosen.pop("network", network)
        values.update(chosen)
    resources = Resources(**values)
    for name in ("cpus", "memory", "pids"):
        most, value = getattr(ceiling, name), getattr(resources, name)
        if most and (not value or value > most):
            resources = replace(resources, **{name: most})
    if ceiling.gpus is not None and resources.gpus > ceiling.gpus:
        resources = replace(resources, gpus=ceiling.gpus)
    return KernelLimits(resources, network)


def check(limits: Limits, machine: Machine, ceiling: Limits) -> None:
    """Raises InvalidError that names the first limit that cannot be."""
    if limits.network is not None and limits.network not in NETWORKS:
        raise InvalidError(
            f"network: {limits.network!r} is not known.", "Choose `outbound` or `none`."
        )
    for name in ("cpus", "memory", "pids", "gpus"):
        if (getattr(limits, name) or 0) < 0:
            raise InvalidError(f"{name}: a limit cannot be negative.", "0 means no limit.")
    if limits.memory and limits.memory < LEAST_MEMORY:
        raise InvalidError(
            f"memory: {amount(limits.memory)} is too little for a kernel to start.",
            f"Give it {amount(LEAST_MEMORY)} or more; 1 GiB is a good beginning.",
        )
    if limits.cpus and limits.cpus < LEAST_CPUS:
        raise InvalidError(
            f"cpus: {limits.cpus:g} is too little for a kernel to start.",
            f"Give it {LEAST_CPUS:g} or more; 1 is one processor.",
        )
    if limits.pids and limits.pids < LEAST_PIDS:
        raise InvalidError(
            f"pids: {limits.pids} processes are too few for a kernel to start.",
            f"Allow {LEAST_PIDS} or more.",
        )
    _check_most(limits, ceiling, machine)


def _check_most(limits: Limits, ceiling: Limits, machine: Machine) -> None:
    said: tuple[tuple[str, float | None, float, float | None], ...] = (
        ("memory", limits.memory, machine.memory, ceiling.memory),
        ("cpus", limits.cpus, machine.cpus, ceiling.cpus),
        ("pids", limits.pids, 0, ceiling.pids),
        ("gpus", limits.gpus, 0, ceiling.gpus),
    )
    for name, value, there, most in said:
        if value is None:
            continue
        if most is not None and (value > most or (not value and most and name != "gpus")):
            asked = _shown(name, value) if value else "no limit"
            raise InvalidError(
                f"{name}: {asked} is more than this server allows ({_shown(name, most)}).",
                "Its administrator set that (Mlops.max_resources).",
            )
        if there and value > there:
            raise InvalidError(
                f"{name}: {_shown(name, value)} is more than this machine has "
                f"({_shown(name, there)}).",
                "Give it less; what the machine and other kernels need comes off that, too.",
            )


def devices(gpus: int, offered: Sequence[str], engine: str) -> tuple[str, ...]:
    """The CDI names of ``gpus`` graphics processors out of those that the engine has. Raises
    UnsupportedError when there are not so many."""
    if gpus > len(offered):
        there = f"offers {len(offered)}" if offered else "offers none"
        raise UnsupportedError(
            f"The kernel is to have {gpus} graphics processor{'s' if gpus > 1 else ''}, and "
            f"{engine} {there} on this machine.",
            "Docker 28.2 or newer, or Podman 5.4 or newer, finds them when the machine describes "
            "them: install NVIDIA's container toolkit, run `sudo nvidia-ctk cdi generate "
            "--output=/etc/cdi/nvidia.yaml`, and restart the engine. Or set gpus to 0.",
        )
    return tuple(offered[:gpus])


def _shown(name: str, value: float) -> str:
    return amount(int(value)) if name == "memory" else f"{value:g}"


def amount(size: int) -> str:
    """``1.5 GiB``, ``300 MiB``: as limits are written, in powers of 1024."""
    if size >= 1024**3:
        return f"{size / 1024**3:.3g} GiB"
    return f"{size / 1024**2:.3g} MiB"


def memory(value: object, key: str = "memory") -> int:
    """Bytes of ``4GiB``, ``500MB``, ``4G`` or a plain number."""
    match = _SIZE.match(str(value).strip()) if not isinstance(value, bool) else None
    if not match:
        raise InvalidError(
            f"{key}: {value!r} is not an amount of memory.",
            "Write it as 4GiB or 500MiB.",
        )
    unit = (match[2] or "").upper()
    # `4G` is what people write for 4 GiB; only an explicit `GB` is decimal.
    decimal = bool(unit) and not match[3] and str(value).strip().upper().endswith("B")
    return int(float(match[1]) * (1000 if decimal else 1024) ** " KMGT".index(unit or " "))


def limits_of(found: Mapping[str, Any]) -> Limits:
    """Limits as people write them: ``{"memory": "4GiB", "cpus": 2}``. None says nothing.

    Raises InvalidError for what is no limit, or no amount.
    """
    names = [one.name for one in fields(Limits)]
    given: dict[str, Any] = {}
    for name, value in found.items():
        if name not in names:
            raise InvalidError(
                f"{name!r} is not a limit of a kernel.", f"Known are {', '.join(names)}."
            )
        if value is None:
            continue
        if name == "memory":
            given[name] = memory(value)
        elif name == "network":
            given[name] = str(value)
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InvalidError(f"{name}: {value!r} is not a number.", "Write it as 2 or 0.5.")
        elif name != "cpus" and value != int(value):
            raise InvalidError(f"{name}: {value!r} is not a whole number.", "Write it as 2.")
        else:
            given[name] = float(value) if name == "cpus" else int(value)
    return Limits(**given)
