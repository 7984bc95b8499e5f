"""A notebook in a real Jupyter server whose variables are exported through its REST API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .jupyter_process import JupyterProcess, Tab
from .registry import free_port

if TYPE_CHECKING:
    from traitlets.config import Config


@dataclass
class Exporting:
    """A notebook below ``root``, its project, whose first cell has run."""

    server: JupyterProcess
    root: Path
    kernel: str
    tab: Tab

    def models(self) -> dict[str, Any]:
        found: dict[str, Any] = self.server.get(f"mlops/kernels/{self.kernel}/models")
        return found

    def export(self, model: str, sample: str, name: str = "m") -> dict[str, Any]:
        body = {"model": model, "sample": sample, "name": name}
        made: dict[str, Any] = self.server.ask("POST", f"mlops/kernels/{self.kernel}/models", body)
        return made

    def refused(self, model: str, sample: str, name: str = "m") -> str:
        with pytest.raises(AssertionError) as raised:
            self.export(model, sample, name)
        return str(raised.value)


@contextmanager
def exporting(config: Config, folder: Path, kernel: str, cell: str) -> Iterator[Exporting]:
    """``cell`` is run first, and has ``made`` as its last word."""
    root = folder / "root"
    (root / "project").mkdir(parents=True, exist_ok=True)
    server = JupyterProcess(folder / "server", root, free_port(), dict(config.Mlops))
    server.start()
    try:
        session = server.open_session("project/a.ipynb", kernel)
        tab = server.tab(session["kernel"]["id"])
        said = tab.run(cell)
        assert said.endswith("made"), said
        yield Exporting(server, root / "project", session["kernel"]["id"], tab)
    finally:
        server.stop()
        server.close()
