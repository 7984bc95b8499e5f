"""Locks in PEP 751's format, edited as text: what uv wrote stays as it was, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

from .inventory import Inventory

_PACKAGE = "[[packages]]"
_NAME = re.compile(r'^name\s*=\s*"([^"]+)"', re.MULTILINE)
_VERSION = re.compile(r'^version\s*=\s*"([^"]+)"', re.MULTILINE)
_TOOL = re.compile(r"^\[tool\.jupyter-mlops[].].*", re.MULTILINE | re.DOTALL)
_R = re.compile(r"^\[tool\.jupyter-mlops\.r\].*", re.MULTILINE | re.DOTALL)

UNRESOLVED_NOTE = (
    "Installed, but not found on the package index: the image holds them, this lock cannot "
    "bring them back."
)


R_NOTE = (
    "Installers of Python pass over these. An environment that imports this lock asks CRAN, and "
    "its archive, for these versions."
)


def packages(lock: str) -> dict[str, str]:
    """The text of each package's entry, by normalised name."""
    _, found = _split(lock)
    return found


def versions(lock: str) -> dict[str, str]:
    """Version of each package; empty where the entry has none (a directory, a URL)."""
    found = {}
    for name, block in packages(lock).items():
        version = _VERSION.search(block)
        found[name] = version.group(1) if version else ""
    return found


def outdated(lock: str, inventory: Inventory) -> dict[str, str]:
    """Name to version of what is installed and not in the lock like that.

    Only what an index may have: a package from a URL or a folder is not asked for there.
    """
    locked = versions(lock)
    return {
        name: package.version
        for name, package in inventory.of("pypi").items()
        if not package.source and locked.get(name) != package.version
    }


def updated(lock: str, inventory: Inventory, found: Mapping[str, str]) -> str:
    """The lock of what is installed now.

    ``found`` are entries (``[[packages]] …``) by name for what ``outdated`` named. What is neither
    in the lock nor in ``found`` is listed as unresolved in ``[tool.jupyter-mlops]``: an entry
    without a source would make installers refuse the whole lock. pip itself is left out where the
    lock did not have it: it came with the environment, not by request.
    """
    head, kept = _split(lock)
    wanted = outdated(lock, inventory)
    installed = inventory.of("pypi")
    blocks, unresolved = {}, []
    for name, package in sorted(installed.items()):
        if name in found:
            blocks[name] = found[name]
        elif name in kept and name not in wanted:
            blocks[name] = kept[name]
        elif name != "pip":
            origin = f" @ {package.source}" if package.source else f"=={package.version}"
            unresolved.append(name + origin)
    text = "\n\n".join([head.strip(), *(block.strip() for block in blocks.values())]) + "\n"
    if unresolved:
        listed = "".join(f"    {_quoted(entry)},\n" for entry in unresolved)
        text += f"\n[tool.jupyter-mlops]\n# {UNRESOLVED_NOTE}\nunresolved = [\n{listed}]\n"
    return text


def with_r(lock: str, inventory: Inventory) -> str:
    """The lock and, where there are any, the packages of R, each in its version.

    The format knows no packages of R, so they are in a table of our own, the last one. Those from
    neither CRAN nor the distribution are comments there: no index brings them back."""
    lock = _R.sub("", lock).rstrip() + "\n"
    installed = inventory.of("cran")
    if not installed:
        return lock
    listed = "".join(
        f"    # {name} {package.version} is from {package.source}\n"
        if package.source
        else f"    {_quoted(f'{name}=={package.version}')},\n"
        for name, package in sorted(installed.items())
    )
    return (
        f"{lock}\n[tool.jupyter-mlops.r]\n# {R_NOTE}\nversion = {_quoted(inventory.r)}\n"
        f"packages = [\n{listed}]\n"
    )


def joined(lock: str, other: str, names: Container[str]) -> str:
    """``lock`` with the entries of ``other`` for ``names`` in place of, or beside, its own."""
    head, blocks = _split(lock)
    blocks.update((name, block) for name, block in packages(other).items() if name in names)
    return "\n\n".join([head.strip(), *(blocks[n].strip() for n in sorted(blocks))]) + "\n"


def unresolved(lock: str) -> list[str]:
    """What ``updated`` could not find."""
    table = _TOOL.search(_R.sub("", lock))
    return re.findall(r'^    "(.*)",$', table.group(0), re.MULTILINE) if table else []


def _split(lock: str) -> tuple[str, dict[str, str]]:
    head, *blocks = _TOOL.sub("", lock).split(f"\n{_PACKAGE}")
    found = {}
    for block in blocks:
        name = _NAME.search(block)
        if name:
            found[normalised(name.group(1))] = _PACKAGE + block
    return head, found


def normalised(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
