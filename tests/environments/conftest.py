"""What tests of builds share."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from jupyter_mlops.services.build_steps import container


@pytest.fixture
def fresh_cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a volume: what was compiled before, by another run of this test, is not in it."""
    volume = f"jupyter-mlops-test-cache-{os.getpid()}"
    monkeypatch.setattr(container, "CACHE_VOLUME", volume)
    yield volume
    subprocess.run(["docker", "volume", "rm", volume], check=True, stdout=subprocess.DEVNULL)
