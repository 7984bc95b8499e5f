"""What tests of builds share."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from jupyter_mlops.services.build_steps import container


@pytest.fixture
def fresh_cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What was compiled before, by another run of this test, need not be compiled again."""
    volume = f"jupyter-mlops-test-cache-{os.getpid()}"
    monkeypatch.setattr(container, "CACHE_VOLUME", volume)
    yield
    subprocess.run(["docker", "volume", "rm", volume], check=True, stdout=subprocess.DEVNULL)
