"""Measurements against peers: ``python -m benchmarks NAME [--json]``.

Each module has ``run() -> list[Row]``. Ours and the peer are up at once and take turns of a few
seconds, so that a machine that gets faster or slower meanwhile does so for both.
"""
