"""What kernels are given by the rest of the system."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from ..core.handover import Launch
from ..core.kernel import KernelEvent, SecretRequest
from ..core.ports import EngineProvider, Store
from ..core.settings import Settings
from .pool import Pool
from .starting import KernelContainers


@dataclass
class ProvisionerParts:
    """What a kernel needs of the rest of the system."""

    settings: Settings
    store: Store
    engines: EngineProvider
    containers: KernelContainers
    pool: Pool
    write_launch: Callable[[Path, Launch], None]
    """Keeps, in a kernel's private folder, what the next server needs."""
    on_event: Callable[[KernelEvent], None] | None = None
    """Hears of crashes; called on the loop that started the kernel."""
    ask: Callable[[SecretRequest], Awaitable[dict[str, str]]] | None = None
    """Gets values from the user for secrets that the settings do not have. Raises a domain error
    where nobody gives them. None: nobody can be asked here."""
