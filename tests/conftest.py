"""Fixtures live in ``tests/parts``, one file per real part."""

pytest_plugins = [
    "pytest_jupyter.jupyter_server",
    "tests.parts.engines",
    "tests.parts.registry",
    "tests.parts.aws",
    "tests.parts.services",
    "tests.parts.r",
]
