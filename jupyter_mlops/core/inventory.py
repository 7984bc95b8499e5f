"""Inventories (what is really installed) and their differences."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Package:
    """One installed distribution of one ecosystem."""

    ecosystem: str
    """``pypi``, ``cran`` (R) or ``deb``."""
    name: str
    """Normalised (PEP 503) for pypi."""
    version: str
    source: str = ""
    """Where it came from when not from an index: PEP 610 origin (URL, VCS commit, directory) of
    pypi, address of a repository, or ``file`` for cran."""
    patched: tuple[str, ...] = ()
    """Files whose content is not what RECORD says: edited after installation."""


@dataclass(frozen=True)
class Inventory:
    """What ``guest/probe.py`` found."""

    python: str
    """Version, as 3.11.2."""
    implementation: str
    os: str
    """``PRETTY_NAME`` of os-release."""
    libc: str
    arch: str
    packages: tuple[Package, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    """The public variables of the image."""
    r: str = ""
    """Version of R, as 4.2.2; empty where there is none. Its base packages are no packages."""

    def of(self, ecosystem: str) -> dict[str, Package]:
        return {p.name: p for p in self.packages if p.ecosystem == ecosystem}


@dataclass(frozen=True)
class Change:
    """One package, or one fact of the system, on both sides; an empty side has it not."""

    ecosystem: str
    """``pypi``, ``cran``, ``deb`` or ``system``."""
    name: str
    before: str
    after: str


@dataclass(frozen=True)
class InventoryDiff:
    """Everything that differs between two inventories; empty when nothing does."""

    added: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()
    changed: tuple[Change, ...] = ()
    patched: tuple[Change, ...] = ()

    @property
    def empty(self) -> bool:
        return not any(self._groups)

    @property
    def _groups(self) -> tuple[tuple[Change, ...], ...]:
        return (self.added, self.removed, self.changed, self.patched)

    def first(self, most: int) -> InventoryDiff:
        """The first ``most`` of all changes."""
        left, groups = most, []
        for group in self._groups:
            groups.append(group[:left])
            left -= len(groups[-1])
        return InventoryDiff(*groups)

    def lines(self) -> list[str]:
        """One per change: ``+`` added, ``-`` removed, ``~`` changed, ``!`` edited."""
        return [
            f"{mark} {change.name} {' → '.join(filter(None, (change.before, change.after)))}"
            f"{'' if change.ecosystem == 'pypi' else f' ({change.ecosystem})'}"
            for mark, changes in zip("+-~!", self._groups, strict=True)
            for change in changes
        ]

    def summary(self) -> str:
        """``2 added, 1 changed``; ``no change`` when empty."""
        parts = [
            f"{len(group)} {word}"
            for word, group in (
                ("added", self.added),
                ("removed", self.removed),
                ("changed", self.changed),
                ("patched", self.patched),
            )
            if group
        ]
        return ", ".join(parts) or "no change"


def diff(before: Inventory, after: Inventory) -> InventoryDiff:
    """What must be done to ``before`` to make it ``after``, in name order."""
    added, removed, changed, patched = [], [], [], []
    for ecosystem in ("pypi", "cran", "deb"):
        old, new = before.of(ecosystem), after.of(ecosystem)
        for name in sorted(old.keys() | new.keys()):
            a, b = old.get(name), new.get(name)
            if a is None and b is not None:
                added.append(Change(ecosystem, name, "", b.version))
            elif b is None and a is not None:
                removed.append(Change(ecosystem, name, a.version, ""))
            elif a is not None and b is not None:
                if (a.version, a.source) != (b.version, b.source):
                    changed.append(Change(ecosystem, name, _shown(a, b), _shown(b, a)))
                if set(b.patched) - set(a.patched):
                    files = ", ".join(sorted(set(b.patched) - set(a.patched)))
                    patched.append(Change(ecosystem, name, a.version, files))
    for name in ("python", "implementation", "r", "os", "libc", "arch"):
        old_fact, new_fact = getattr(before, name), getattr(after, name)
        if old_fact != new_fact:
            changed.append(Change("system", name, old_fact, new_fact))
    for name in sorted(before.variables.keys() | after.variables.keys()):
        old_value, new_value = before.variables.get(name, ""), after.variables.get(name, "")
        if old_value != new_value:
            changed.append(Change("system", f"${name}", old_value, new_value))
    return InventoryDiff(tuple(added), tuple(removed), tuple(changed), tuple(patched))


def _shown(package: Package, other: Package) -> str:
    """The version, with the source where the version alone would not show a difference."""
    if package.version != other.version or not package.source:
        return package.version
    return f"{package.version} ({package.source})"
