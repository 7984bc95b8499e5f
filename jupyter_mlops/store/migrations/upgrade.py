"""Bring a file to the newest tables, once, however many processes start together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from ...core.errors import ConflictError
from ..file_lock import locked
from ..tables import REVISION


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: Engine, path: Path, current: Callable[[], str]) -> None:
    """Raises ConflictError for a file that a newer version of ours wrote."""
    config = configuration()
    with locked(path.with_name(path.name + ".lock")):
        found = current()
        if found == REVISION:
            return
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if found and found not in known:
            raise ConflictError(
                f"{path} was written by a newer version of jupyter-mlops.",
                "Upgrade jupyter-mlops here, or set Mlops.data_dir to another folder.",
            )
        # One transaction for all steps: a crash leaves the file as it was.
        with engine.execution_options(immediate=True).begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
