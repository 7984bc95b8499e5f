"""The configuration files that count where no Jupyter server has read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_config_path
from traitlets.config import Config
from traitlets.config.loader import ConfigFileNotFound, JSONFileConfigLoader, PyFileConfigLoader

from .core.errors import InvalidError

NAMES = ("jupyter_config", "jupyter_server_config", "jupyter_mlops_config")
"""What an admin writes for the server counts everywhere; later ones win."""


def load_files() -> Config:
    """Raises InvalidError for a file that cannot be understood."""
    config = Config()
    for folder in reversed(jupyter_config_path()):
        for name in NAMES:
            for suffix in (".json", ".py"):
                found = Path(folder) / (name + suffix)
                if found.is_file():
                    config.merge(read_file(found))
    return config


def read_file(path: Path) -> Config:
    loader: Any = JSONFileConfigLoader if path.suffix == ".json" else PyFileConfigLoader
    try:
        read: Config = loader(path.name, path=str(path.parent)).load_config()
    except ConfigFileNotFound as error:
        raise InvalidError(f"The configuration file {path} cannot be read.") from error
    except Exception as error:
        # It is somebody's Python: anything may be raised.
        raise InvalidError(
            f"The configuration file {path} has a mistake: {type(error).__name__}: {error}."
        ) from error
    return read
