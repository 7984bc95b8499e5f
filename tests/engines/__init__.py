"""Engines, against real ones."""

import pytest

# The contract is in files that are not tests themselves; their asserts shall explain themselves.
for part in ("containers", "processes", "images", "registry", "watching"):
    pytest.register_assert_rewrite(f"tests.engines.contract_{part}")
