"""Environments that start from others: what they take over, and who depends on whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ..core.environment import Environment, EnvironmentSpec, parent_of
from ..core.errors import ConflictError
from ..core.inventory import Inventory
from ..core.ports import Store
from ..core.pylock import joined, versions
from ..core.revision import Revision


def floors(installed: Inventory, named: Sequence[str]) -> list[str]:
    """Constraints that keep what a parent has from being made older.

    Also what its setup script installed, which is in no lock. Not what the child itself names
    (``named``, PEP 508): who writes ``numpy<2`` means it.
    """
    own = {canonicalize_name(Requirement(text).name) for text in named}
    found = []
    for name, package in installed.of("pypi").items():
        version = _version(package.version)
        if name not in own and not package.source and version:
            # A local label (2.1+cpu) cannot be compared with >=.
            found.append(f"{name}>={version.public}")
    return found


def preferred(own: str, old_parent: str, parent: str) -> str:
    """The lock whose versions a child keeps where they fit, when its parent is another now.

    ``own`` is the lock of the child's revision, ``old_parent`` the one that it was solved with.
    What the child had from its parent it takes from the new one; what it chose itself it keeps.
    """
    before, now = versions(old_parent), versions(parent)
    chosen = {
        name: version
        for name, version in versions(own).items()
        if name not in now or (before.get(name, version) != version and _newer(version, now[name]))
    }
    return joined(parent, own, chosen)


def made_older(lock: str, installed: Inventory) -> dict[str, tuple[str, str]]:
    """Packages of a parent that a child's lock has in an older version: (before, after)."""
    now: Mapping[str, str] = versions(lock)
    return {
        name: (package.version, now[name])
        for name, package in installed.of("pypi").items()
        if now.get(name) and _newer(package.version, now[name])
    }


class Family:
    """Who starts from whom, as the records have it at one moment."""

    def __init__(self, environments: Sequence[Environment], revisions: Sequence[Revision]) -> None:
        self._active = {}
        numbers = {(r.environment, r.number): r for r in revisions}
        for environment in environments:
            revision = numbers.get((environment.name, environment.active))
            self._active[environment.name] = revision.spec if revision else None
        self._asked = {environment.name: environment.spec for environment in environments}

    @classmethod
    async def read(cls, store: Store) -> Family:
        return cls(await store.environments.list(), await store.revisions.list())

    def followers(self, name: str) -> list[str]:
        """Those whose active revision was asked for on ``name@active``, by name."""
        return sorted(
            child
            for child, spec in self._active.items()
            if spec is not None and spec.base == f"{name}@active"
        )

    def followed(self, names: Iterable[str]) -> set[str]:
        """Whom those of ``names`` follow."""
        bases = (spec.base for name in names if (spec := self._active.get(name)) is not None)
        return {parent_of(base) for base in bases if base.endswith("@active")}

    def children(self, name: str) -> list[str]:
        """Those that start from any revision of ``name``, or were last asked to, by name."""
        return sorted(c for c in self._asked if c != name and name in self._parents(c))

    def check(self, spec: EnvironmentSpec) -> None:
        """Raises ConflictError when ``spec`` would make an environment start from itself."""
        path = self._path(parent_of(spec.base), spec.name)
        if path:
            raise ConflictError(_circle(path), "Choose a base image, or another environment.")

    def _parents(self, name: str) -> set[str]:
        specs = (self._active.get(name), self._asked.get(name))
        return {parent_of(spec.base) for spec in specs if spec is not None} - {""}

    def _path(self, start: str, goal: str, seen: tuple[str, ...] = ()) -> tuple[str, ...]:
        """From ``start`` over what it starts from to ``goal``; empty where none leads there."""
        if start == goal or not start or start in seen:
            return (*seen, goal) if start == goal else ()
        paths = (self._path(parent, goal, (*seen, start)) for parent in self._parents(start))
        return next(filter(None, paths), ())


def _circle(path: Sequence[str]) -> str:
    if len(path) == 1:
        return f"The environment {path[0]!r} cannot start from itself."
    steps = ", and ".join(f"{child!r} starts from {above!r}" for child, above in pairwise(path))
    return f"The environment {path[-1]!r} cannot start from {path[0]!r}: {steps}."


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _newer(one: str, other: str) -> bool:
    a, b = _version(one), _version(other)
    return a is not None and b is not None and a > b
