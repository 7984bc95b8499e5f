"""One user's data on one engine, and the Jupyter servers on it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.core.kernel import KernelRecord
from jupyter_mlops.core.kernel_folder import kernel_folder
from jupyter_mlops.core.layout import LABEL_KERNEL, LABEL_OWNER
from tests.parts.engines import run_apart
from tests.parts.jupyter_process import JupyterProcess
from tests.parts.registry import free_port
from tests.parts.services import make_config, open_services


@dataclass
class Machine:
    """One user's data on one engine, and the Jupyter servers on it."""

    folder: Path
    mlops: dict[str, Any]
    root: Path
    kernel: str
    servers: list[JupyterProcess] = field(default_factory=list)

    def server(self, root: Path | None = None) -> JupyterProcess:
        folder = self.folder / f"server-{len(self.servers)}"
        made = JupyterProcess(folder, root or self.root, free_port(), self.mlops)
        self.servers.append(made)
        return made

    def ask(self, question: Callable[[Any], Awaitable[Any]]) -> Any:
        """``question`` gets the services of a process that is no server."""

        async def asked() -> Any:
            data, runtime, engine = (self.mlops[n] for n in ("data_dir", "runtime_dir", "engine"))
            config = make_config(Path(data), Path(runtime), engine, owner=self.mlops["owner"])
            services = open_services(config)
            try:
                return await question(services)
            finally:
                await services.close()

        return run_apart(asked())

    def containers(self) -> dict[str, Any]:
        """Kernel id to container, running or not."""

        async def question(services: Any) -> dict[str, Any]:
            engine = await services.engines.engine()
            found = await engine.list({LABEL_OWNER: services.settings.owner})
            return {container.labels[LABEL_KERNEL]: container for container in found}

        return self.ask(question)

    def records(self) -> dict[str, KernelRecord]:
        async def question(services: Any) -> dict[str, KernelRecord]:
            return {record.id: record for record in await services.store.kernels.list()}

        return self.ask(question)

    def private(self, kernel_id: str) -> Path:
        return kernel_folder(Path(self.mlops["runtime_dir"]), kernel_id)


async def remove_containers(services: Any) -> None:
    engine = await services.engines.engine()
    for container in await engine.list({LABEL_OWNER: services.settings.owner}):
        await engine.remove(container.id)


def eventually(
    true: Callable[[], bool], seconds: float = 60, told: Callable[[], object] | None = None
) -> None:
    """``told`` is asked what there is instead."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            said = f": {told()}" if told is not None else ""
            raise AssertionError(f"it did not become true in {seconds} seconds{said}")
        time.sleep(0.02)
