"""Settings of the command line: configuration files, then ``--config``, then ``-c``."""

from __future__ import annotations

import ast
import copy
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from traitlets import Dict, List
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigString

from ..config import Mlops
from ..config_files import load_files, read_file
from ..core.errors import InvalidError


class UsageError(InvalidError):
    """A mistake in the command line itself: exit code 2."""


def load(file: str, settings: Sequence[str]) -> Config:
    """Raises InvalidError for a file, UsageError for a setting that cannot be understood."""
    config = load_files()
    if file:
        path = Path(file)
        if not path.is_file():
            raise UsageError(f"There is no configuration file {file}.")
        config.merge(read_file(path))
    for text in settings:
        _set(config, text)
    return config


def _set(config: Config, text: str) -> None:
    """``project=…``, or ``targets.sagemaker.region=…`` for an entry of a dictionary."""
    key, equals, value = text.partition("=")
    name, *inner = key.strip().split(".")
    known = sorted(Mlops.class_trait_names(config=True))
    if not equals or name not in known:
        close = difflib.get_close_matches(name, known, 1)
        raise UsageError(
            f"-c {text}: {'there is no setting ' + repr(name) if equals else 'a = is missing'}.",
            f"Did you mean {close[0]}?" if close else f"Settings: {', '.join(known)}.",
        )
    if not inner:
        config.Mlops[name] = _whole(name, value)
        return
    whole = _dictionary(config.Mlops.get(name, {}))
    place = whole
    for part in inner[:-1]:
        place = place.setdefault(part, {})
    place[inner[-1]] = _literal(value)
    config.Mlops[name] = whole


def _whole(name: str, value: str) -> Any:
    """The value of one trait: lists as Python writes them or with commas, dictionaries as
    Python writes them, everything else as traitlets reads texts."""
    trait = Mlops.class_traits()[name]
    if isinstance(trait, List):
        return _literal(value) if value.startswith("[") else [v for v in value.split(",") if v]
    return _literal(value) if isinstance(trait, Dict) else DeferredConfigString(value)


def _dictionary(value: Any) -> dict[str, Any]:
    """What a file or an earlier ``-c`` said, as a dictionary of our own."""
    if isinstance(value, str):
        value = _literal(value)
    return copy.deepcopy(dict(value)) if isinstance(value, dict) else {}


def _literal(value: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
