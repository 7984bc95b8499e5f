"""``pylock.toml`` (PEP 751): every package in the version that is locked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...core.additions import LeftOut
from ...core.errors import InvalidError
from ...core.imported import Imported
from ..spec_file import check_r_package, check_requirement
from .parts import PYTHON_REASON, R_REASON, read_toml


def read_pylock(file: Path) -> Imported:
    found = read_toml(file)
    packages = found.get("packages")
    if not isinstance(packages, list):
        raise InvalidError(f"{file.name} is no lock: it has no [[packages]].")
    requirements: list[str] = []
    left: list[LeftOut] = []
    for package in packages:
        text, reason = _requirement(package)
        if reason:
            left.append(LeftOut(str(package.get("name", "?")), reason))
        else:
            requirements.append(text)
    r = _of_r(found, left)
    if found.get("requires-python"):
        left.append(LeftOut(f"Python {found['requires-python']}", PYTHON_REASON))
    for text in requirements:
        check_requirement(text)
    return Imported(source=file.name, python=tuple(requirements), r=tuple(r), left_out=tuple(left))


def _of_r(lock: dict[str, Any], left: list[LeftOut]) -> list[str]:
    """Packages of R, which locks of ours have in a table of their own."""
    tool = lock.get("tool")
    table = tool.get("jupyter-mlops", {}) if isinstance(tool, dict) else {}
    table = table.get("r", {}) if isinstance(table, dict) else {}
    packages = table.get("packages", []) if isinstance(table, dict) else []
    taken = []
    for text in packages if isinstance(packages, list) else []:
        try:
            check_r_package(str(text))
        except InvalidError:
            left.append(LeftOut(str(text), "Its name or version cannot be read."))
        else:
            taken.append(str(text))
    if taken and table.get("version"):
        left.append(LeftOut(f"R {table['version']}", R_REASON))
    return taken


def _requirement(package: dict[str, Any]) -> tuple[str, str]:
    """The requirement, or why there is none."""
    name, version = package.get("name", ""), package.get("version", "")
    for kind, word in (("vcs", "a repository"), ("directory", "a folder")):
        if kind in package:
            where = package[kind].get("url") or package[kind].get("path") or ""
            return "", f"It is locked from {word}{' ' if where else ''}{where}, not from an index."
    text = f"{name}=={version}"
    if "archive" in package:
        url = str(package["archive"].get("url", ""))
        if not url.startswith("https://"):
            return "", f"It is locked from the file {package['archive'].get('path') or url}."
        text = f"{name} @ {url}"
    elif not version:
        return "", "The lock does not tell its version."
    marker = str(package.get("marker", ""))
    # Markers of a lock may ask for extras and groups, which those of requirements cannot.
    if re.search(r"\b(extras|dependency_groups)\b", marker):
        return "", f"It is only for some extra or group: {marker}."
    return (f"{text} ; {marker}" if marker else text), ""
