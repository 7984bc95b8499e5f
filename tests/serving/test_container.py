"""Limits as a container has them, and what they do to workers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ..parts.serving_container import container

pytestmark = pytest.mark.docker

LARGE = """
import os

def model_fn(folder):
    return os.urandom(120 << 20)

def predict_fn(data, model):
    if data == ["more"]:
        model = [os.urandom(1 << 20) for _ in range(1000)]
    return {"threads": os.environ["OMP_NUM_THREADS"]}
"""


def workers(metrics: bytes) -> int:
    lines = metrics.decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("mlops_workers "))


def test_as_many_workers_as_the_memory_allows(serving_image: str, tmp_path: Path) -> None:
    """Half of 400 MiB holds one model of 120; and one that needs more is ended, and says why."""
    limit = ["--memory=400m", "--memory-swap=400m"]
    with container(serving_image, tmp_path / "small", LARGE, *limit) as server:
        server.wait_ready(60)
        assert workers(server.call("GET", "/metrics").body) == 1
        answer = server.post(["more"])
        assert answer.status == 500 and "more memory than the container may use" in answer.error
        server.wait_ready(60)
        assert server.post([1]).status == 200


def test_a_worker_for_each_processor(serving_image: str, tmp_path: Path) -> None:
    """With the threads of libraries shared out among them."""
    processors = len(os.sched_getaffinity(0))
    with container(serving_image, tmp_path / "all", LARGE, "--memory=2g") as server:
        server.wait_ready(60)
        assert workers(server.call("GET", "/metrics").body) == min(processors, 8)
        assert server.post([1]).json == {"threads": "1"}
    with container(serving_image, tmp_path / "one", LARGE, "--memory=2g", "--cpus=1") as server:
        server.wait_ready(60)
        assert workers(server.call("GET", "/metrics").body) == 1
