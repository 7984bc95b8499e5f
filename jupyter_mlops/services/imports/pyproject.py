"""``pyproject.toml``: the project's dependencies, and the extras and groups that are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ...core.additions import LeftOut
from ...core.errors import InvalidError
from ...core.imported import Imported
from ..spec_file import check_requirement
from .parts import PYTHON_REASON, possible_name, read_toml, sorted_out


def read_pyproject(file: Path, extras: Sequence[str] = (), groups: Sequence[str] = ()) -> Imported:
    """Raises InvalidError for an extra or group that the file has not."""
    found = read_toml(file)
    project = found.get("project", {})
    optional = _normalised(project.get("optional-dependencies", {}))
    grouped = _normalised(found.get("dependency-groups", {}))
    if not project and not grouped:
        raise InvalidError(
            f"{file.name} has no [project] table and no [dependency-groups].",
            "Dependencies that only one tool understands can be exported from it as "
            "requirements.txt or pylock.toml, and imported from there.",
        )
    entries = [*project.get("dependencies", [])]
    for extra in extras:
        entries += _named(optional, extra, "extra", file)
    for group in groups:
        entries += _group(grouped, group, file, ())
    entries = _own_extras(entries, str(project.get("name", "")), optional, file, ())
    requirements, left = sorted_out(entries)

    sources = {canonicalize_name(k) for k in found.get("tool", {}).get("uv", {}).get("sources", {})}
    for text in list(requirements):
        name = Requirement(text).name
        if canonicalize_name(name) in sources:
            requirements.remove(text)
            left.append(LeftOut(name, "[tool.uv.sources] takes it from elsewhere than an index."))
    if "dependencies" in project.get("dynamic", []):
        left.append(
            LeftOut("dependencies", "They are dynamic: only building the project tells them.")
        )
    if project.get("requires-python"):
        left.append(LeftOut(f"Python {project['requires-python']}", PYTHON_REASON))
    return Imported(
        source=file.name,
        python=tuple(requirements),
        name=possible_name(project.get("name")),
        description=str(project.get("description", "")),
        left_out=(
            *left,
            *_not_chosen("extra", optional, extras),
            *_not_chosen("group", grouped, groups),
        ),
        extras=tuple(optional),
        groups=tuple(grouped),
    )


def _normalised(table: dict[str, Any]) -> dict[str, Any]:
    return {str(canonicalize_name(name)): value for name, value in table.items()}


def _not_chosen(kind: str, there: dict[str, Any], chosen: Sequence[str]) -> list[LeftOut]:
    names = {canonicalize_name(name) for name in chosen}
    return [LeftOut(name, f"This {kind} was not chosen.") for name in there if name not in names]


def _named(there: dict[str, Any], name: str, kind: str, file: Path) -> list[Any]:
    try:
        return list(there[canonicalize_name(name)])
    except KeyError:
        known = f"It has {', '.join(there)}." if there else f"It has no {kind}s."
        raise InvalidError(f"{file.name} has no {kind} {name!r}.", known) from None


def _group(there: dict[str, Any], name: str, file: Path, inside: tuple[str, ...]) -> list[str]:
    """The entries of a dependency group and of those it includes (PEP 735)."""
    if name in inside:
        raise InvalidError(f"{file.name}: the group {name!r} includes itself.")
    entries: list[str] = []
    for entry in _named(there, name, "group", file):
        if isinstance(entry, dict):
            entries += _group(there, str(entry.get("include-group", "")), file, (*inside, name))
        else:
            entries.append(str(entry))
    return entries


def _own_extras(
    entries: Sequence[Any], project: str, there: dict[str, Any], file: Path, inside: tuple[str, ...]
) -> list[str]:
    """``name[extra]`` of the project itself stands for what is in that extra."""
    found: list[str] = []
    for entry in map(str, entries):
        requirement = check_requirement(entry)
        if not project or canonicalize_name(requirement.name) != canonicalize_name(project):
            found.append(entry)
            continue
        for extra in sorted(requirement.extras - set(inside)):
            more = _named(there, extra, "extra", file)
            found += _own_extras(more, project, there, file, (*inside, extra))
    return found
