"""The contract of ``ports.Engine``: every adapter passes it against the real engine.

An adapter's tests subclass ``EngineContract`` and give the fixture ``engine``.
"""

from __future__ import annotations

from .contract_builds import BuildContract
from .contract_containers import ContainerContract
from .contract_images import ImageContract
from .contract_processes import ProcessContract
from .contract_registry import RegistryContract
from .contract_watching import WatchingContract


class EngineContract(
    ContainerContract,
    ProcessContract,
    ImageContract,
    BuildContract,
    RegistryContract,
    WatchingContract,
):
    """All of it."""
