"""Settings and clients for tests of the registry client."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.settings import Settings
from jupyter_mlops.oci.registries import OciRegistries


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Nobody has logged in anywhere."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    return Settings(data=tmp_path, runtime=tmp_path, uv=Path("uv"), owner="tester")


@pytest.fixture
def registries(settings: Settings) -> OciRegistries:
    return OciRegistries(settings)


def changed(settings: Settings, **fields: Any) -> OciRegistries:
    return OciRegistries(replace(settings, **fields))
