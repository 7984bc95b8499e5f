"""What all imports share: one entry of theirs to a requirement of ours, or the reason why not."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from ...core.additions import LeftOut
from ...core.environment import NAME
from ...core.errors import InvalidError
from ..spec_file import check_requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYTHON_REASON = "Python itself comes with the base image: choose one that has it."
R_REASON = "R itself comes with the distribution of the base image, or with the base image."


def sorted_out(entries: Iterable[str]) -> tuple[list[str], list[LeftOut]]:
    """Requirements and what is none. Raises InvalidError for an entry that cannot be read."""
    taken: list[str] = []
    left: list[LeftOut] = []
    for entry in entries:
        if entry.startswith(("-e", "--editable", ".", "/", "~", "file:")) or _is_file(entry):
            name = entry.removeprefix("--editable").removeprefix("-e").strip(" =")
            left.append(LeftOut(name, _own("It is a file or folder of this machine")))
            continue
        requirement = check_requirement(entry)
        if requirement.url and requirement.url.startswith("file:"):
            left.append(LeftOut(requirement.name, _own(f"It is installed from {requirement.url}")))
        else:
            taken.append(" ".join(entry.split()))
    return list(dict.fromkeys(taken)), left


def _own(what: str) -> str:
    return f"{what}. Code of your own is best imported from the notebook's folder."


def _is_file(entry: str) -> bool:
    return entry.endswith((".whl", ".tar.gz", ".zip")) and "://" not in entry


def possible_name(text: object) -> str:
    """A name for the environment; empty where this cannot be one."""
    name = str(text or "").lower().replace("_", "-").replace(".", "-").replace(" ", "-")
    return name if NAME.match(name) else ""


def read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise InvalidError(
            f"The file {file.name!r} cannot be read.", f"It is looked for at {file}."
        ) from None


def read_toml(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = tomllib.loads(read_text(file))
        return found
    except tomllib.TOMLDecodeError as error:
        raise InvalidError(f"{file.name} is not valid TOML: {error}.") from None


def read_yaml(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(read_text(file))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise InvalidError(f"{file.name} is not valid YAML{where}.") from None
    if not isinstance(found, dict):
        raise InvalidError(f"{file.name} has no `key: value` lines.")
    return found
