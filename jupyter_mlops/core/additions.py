"""What was installed in a kernel, as requirements that its environment can have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .inventory import Change, Inventory, InventoryDiff


@dataclass(frozen=True)
class LeftOut:
    """Something that is not taken over into a specification."""

    name: str
    reason: str
    """A sentence."""


@dataclass(frozen=True)
class Additions:
    """What a kernel's drift can add to its environment, and what it cannot."""

    requirements: tuple[str, ...] = ()
    """``name==version``, in name order."""
    r: tuple[str, ...] = ()
    """Those of R, alike."""
    left_out: tuple[LeftOut, ...] = ()


def additions(drift: InventoryDiff, after: Inventory) -> Additions:
    """``after`` is the kernel's inventory, which knows where each package came from."""
    taken: dict[str, list[str]] = {"pypi": [], "cran": []}
    left_out: list[LeftOut] = []
    for change in (*drift.added, *drift.changed):
        package = after.of(change.ecosystem).get(change.name)
        reason = _reason(change, package.source if package else "")
        if reason or package is None:
            left_out.append(LeftOut(change.name, reason))
        else:
            taken[change.ecosystem].append(f"{change.name}=={package.version}")
    for change in drift.removed:
        left_out.append(
            LeftOut(
                change.name, "It was uninstalled. Take it out of the environment by editing it."
            )
        )
    for change in drift.patched:
        left_out.append(
            LeftOut(change.name, "Its files were edited after it was installed. Freeze keeps them.")
        )
    return Additions(tuple(sorted(taken["pypi"])), tuple(sorted(taken["cran"])), tuple(left_out))


def _reason(change: Change, source: str) -> str:
    """Why this cannot be added; empty when it can."""
    if change.ecosystem == "deb":
        return "It is a system package. Write it under the system packages of the environment."
    if change.ecosystem not in ("pypi", "cran"):
        return "It is not a package. Freeze keeps it."
    if source == "file":
        return "It was installed from a file, not from CRAN."
    if source.startswith("file:"):
        return f"It was installed from {source.removeprefix('file://')}, not from a package index."
    if "+" in source.partition("://")[0]:
        return f"It was installed from the repository {source}, not from a package index."
    if source:
        return f"It was installed from {source}, not from a package index."
    return ""


def merged(python: Sequence[str], more: Iterable[str]) -> tuple[str, ...]:
    """Requirements with ``more`` in them. One that is named again takes the place of what was
    there, and keeps the extras."""
    found = list(python)
    for text in more:
        new = Requirement(text)
        name = canonicalize_name(new.name)
        old = [at for at, kept in enumerate(found) if _name(kept) == name]
        extras = sorted(set(new.extras).union(*(Requirement(found[at]).extras for at in old)))
        if extras:
            new.extras = set(extras)
        if old:
            found[old[0]] = str(new)
            for at in reversed(old[1:]):
                del found[at]
        else:
            found.append(str(new))
    return tuple(found)


def r_name(text: str) -> str:
    """``data.table`` of ``data.table==1.14.8``."""
    return re.split("[=>]", text)[0]


def merged_r(packages: Sequence[str], more: Iterable[str]) -> tuple[str, ...]:
    """As ``merged``, for packages of R."""
    new = {r_name(text): text for text in more}
    kept = [new.pop(r_name(text), text) for text in packages]
    return (*kept, *new.values())


def _name(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)
