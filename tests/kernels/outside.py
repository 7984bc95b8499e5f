"""Kernels of ours for programs that know nothing of us, without a Jupyter server."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from traitlets.config import Config

from jupyter_mlops import wiring
from jupyter_mlops.config import Mlops
from jupyter_mlops.core.layout import LABEL_KIND, LABEL_OWNER
from jupyter_mlops.engines.discovery import EngineDiscovery
from tests.parts.engines import run_apart

Message = dict[str, Any]


@contextmanager
def jupyter_knows(config: Config, folder: Path) -> Iterator[None]:
    """What a user has who configured the extension: a file of settings, and our kernels in the
    search path. ``folder`` is where the file is written."""
    (folder / "jupyter_mlops_config.json").write_text(json.dumps({"Mlops": dict(config.Mlops)}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_CONFIG_DIR", str(folder))
        patch.setenv("JUPYTER_PATH", config.Mlops.data_dir)
        yield
    # What kernels of this process made for themselves, which lives as long as a program does.
    parts = wiring._parts.pop(config.Mlops.data_dir, None)
    if parts is not None:
        run_apart(parts.engines.close())


def containers_of(config: Config) -> list[str]:
    """Names of the containers of kernels, running or not."""

    async def asked() -> list[str]:
        # Not by services of this test, which would take the place of those that kernels use.
        engines = EngineDiscovery(Mlops(config=config).settings())
        try:
            labels = {LABEL_OWNER: config.Mlops.owner, LABEL_KIND: "kernel"}
            found = await (await engines.engine()).list(labels)
            return sorted(container.name for container in found)
        finally:
            await engines.close()

    return run_apart(asked())


@dataclass
class Cell:
    """What one execution sent."""

    reply: Message
    messages: list[Message] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(m["content"].get("text", "") for m in self.messages)

    @property
    def error(self) -> str:
        return self.reply["content"].get("ename", "")


class BlockingKernel:
    """A kernel and a client of it, without an event loop of the test's own."""

    def __init__(self, name: str, cwd: Path) -> None:
        started: tuple[KernelManager, BlockingKernelClient] = start_new_kernel(
            startup_timeout=120, kernel_name=name, cwd=str(cwd)
        )
        self.manager, self.client = started

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()

    def run(self, code: str, timeout: float = 60, **arguments: Any) -> Cell:
        messages: list[Message] = []
        reply = self.client.execute_interactive(
            code, output_hook=messages.append, timeout=timeout, **arguments
        )
        return Cell(reply, messages)

    def value(self, code: str, timeout: float = 60) -> str:
        cell = self.run(code, timeout)
        assert not cell.error, cell.reply["content"]
        return cell.text.strip()

    def begin(self, code: str) -> str:
        """What is sent right after its error is answered like any other: ipykernel drops cells that
        come while it clears its queue of those that were waiting."""
        return self.client.execute(code, stop_on_error=False)

    def send(self, kind: str, content: dict[str, Any], channel: str = "shell") -> str:
        message = self.client.session.msg(kind, content)
        getattr(self.client, f"{channel}_channel").send(message)
        return message["header"]["msg_id"]

    def until(self, wanted: Callable[[Message], bool], seconds: float = 30) -> Message:
        """The first message on iopub that is wanted; those before it are dropped."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError("the message did not come") from None
            if wanted(message):
                return message

    def reply(self, number: str, seconds: float = 30, channel: str = "shell") -> Message:
        deadline = time.monotonic() + seconds
        get = getattr(self.client, f"get_{channel}_msg")
        while True:
            message: Message = get(timeout=max(0.01, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") == number:
                return message
