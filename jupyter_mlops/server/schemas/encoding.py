"""Nouns as JSON, everywhere in the same shape."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter


@cache
def adapter(noun: type) -> TypeAdapter[Any]:
    return TypeAdapter(noun)


def encoded(value: Any) -> Any:
    """Plain JSON values from nouns, models, and lists and dicts of them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return adapter(type(value)).dump_python(value, mode="json")
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (list, tuple)):
        return [encoded(item) for item in value]
    if isinstance(value, dict):
        return {key: encoded(item) for key, item in value.items()}
    return value
