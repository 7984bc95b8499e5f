"""What users do to files: what was said of a notebook follows it to its new name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.serverapp import ServerApp

from ..core.errors import MlopsError
from .running import Running

_CONTENTS = "https://events.jupyter.org/jupyter_server/contents_service/v1"


def follow_files(serverapp: ServerApp, running: Running) -> None:
    """Listen to the contents manager; one that emits no events leaves limits where they were."""
    events = serverapp.event_logger
    if events is None or _CONTENTS not in events.schemas:
        return
    root = Path(serverapp.root_dir)

    async def heard(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        if data["action"] not in ("rename", "delete"):
            return
        path = root / data["path"].strip("/")
        try:
            limits = (await running.services()).limits
            if data["action"] == "delete":
                await limits.removed(path)
            else:
                await limits.moved(root / data["source_path"].strip("/"), path)
        except MlopsError as error:
            serverapp.log.warning("jupyter-mlops: limits of %s stay behind: %s", path, error)

    events.add_listener(schema_id=_CONTENTS, listener=heard)
