"""A notebook that is worked on: cells run one after the other in a kernel that stays alive."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

if TYPE_CHECKING:
    from traitlets.config import Config

    from jupyter_mlops.wiring import Services


class LiveNotebook:
    """``async with LiveNotebook(…) as notebook: await notebook.run("1 + 1")``."""

    def __init__(self, services: Services, config: Config, file: Path, kernel_name: str) -> None:
        self.file = file
        self.content: Any = new_notebook(
            metadata={"kernelspec": {"name": kernel_name, "display_name": kernel_name}}
        )
        specs = KernelSpecManager(
            kernel_dirs=[str(services.kernel_specs.path)], ensure_native_kernel=False
        )
        self._manager = AsyncKernelManager(
            kernel_name=kernel_name, kernel_spec_manager=specs, config=config
        )
        self._client = NotebookClient(
            self.content,
            km=self._manager,
            kernel_name=kernel_name,
            timeout=120,
            allow_errors=True,
            resources={"metadata": {"path": str(file.parent)}},
        )

    async def __aenter__(self) -> LiveNotebook:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._client.reset_execution_trackers()
        await self._client.async_start_new_kernel()
        await self._client.async_start_new_kernel_client()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self.save()
        self._client.kc.stop_channels()
        await self.shutdown()

    async def shutdown(self) -> None:
        if self._manager.has_kernel:
            await self._manager.shutdown_kernel(now=True)
        await self._manager.cleanup_resources()

    @property
    def kernel_id(self) -> str:
        return str(self._manager.kernel_id)

    async def run(self, *sources: str) -> str:
        """Each a new cell; returns the last one's stdout and result. The file is saved."""
        text = ""
        for source in sources:
            cell = new_code_cell(source)
            self.content.cells.append(cell)
            await self._client.async_execute_cell(cell, len(self.content.cells) - 1)
            text = "".join(
                output.get("text", "") or output.get("data", {}).get("text/plain", "")
                for output in cell.outputs
            )
        await asyncio.to_thread(self.save)
        return text.strip()

    def save(self) -> None:
        nbformat.write(self.content, self.file)
