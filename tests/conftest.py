"""Fixtures live in ``tests/parts``, one file per real part."""

from __future__ import annotations

import pytest

pytest_plugins = [
    "pytest_jupyter.jupyter_server",
    "tests.parts.engines",
    "tests.parts.registry",
    "tests.parts.aws",
    "tests.parts.sagemaker_bench",
    "tests.parts.platforms",
    "tests.parts.services",
    "tests.parts.r",
    "tests.parts.serving_container",
    "tests.parts.rootless",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--idle",
        type=float,
        metavar="MINUTES",
        help="run the tests that leave kernels idle for so long, and no others",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    long = config.getoption("--idle") is not None
    others = [item for item in items if (item.get_closest_marker("idle") is not None) != long]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
