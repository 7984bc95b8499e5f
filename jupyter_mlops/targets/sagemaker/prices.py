"""What an hour costs, as far as the configuration says; nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.errors import InvalidError
from .options import Options

UNKNOWN = "unknown"


class Prices:
    """``given`` has the price of an hour by instance type, such as ``{"ml.m5.large": 0.128}``."""

    def __init__(self, given: Mapping[str, Any], unit: str) -> None:
        try:
            self._prices = {name: float(price) for name, price in given.items()}
        except (TypeError, ValueError, AttributeError):
            raise InvalidError(
                "The setting targets['sagemaker']['prices'] is no dictionary of numbers.",
                "Write it as {'ml.m5.large': 0.128}.",
            ) from None
        self._unit = unit

    def hourly(self, options: Options, instances: int = 0) -> str:
        """``0.256 USD an hour``, ``by use``, or ``unknown``; ``instances`` are those that run
        now, where that is known."""
        if options.kind == "registry":
            return "storage only"
        if options.kind == "serverless":
            return "by use"
        price = self._prices.get(options.instance_type)
        if price is None:
            return UNKNOWN
        return f"{price * (instances or options.instance_count):.3f} {self._unit} an hour"
