"""Gates: what must be so before a model package is deployed."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import InvalidError
from .model_package import ModelPackage
from .reproduction import ReproduceReport

LEVELS = ("L0", "L1", "L2", "L3")


@dataclass(frozen=True)
class Gate:
    """A passed contract report of the package as it is, always; and what else is asked for."""

    level: str = ""
    """The last level of reproduction that must have passed, with those before it."""
    approval: bool = False
    """Whether somebody must have approved it."""
    approvers: tuple[str, ...] = ()
    """Only their approval counts; empty when anybody's does."""

    def __post_init__(self) -> None:
        if self.level and self.level not in LEVELS:
            raise InvalidError(
                f"There is no level {self.level!r} of reproduction.",
                f"The levels are {', '.join(LEVELS)}.",
            )


@dataclass(frozen=True)
class GateResult:
    package: str
    passed: bool
    missing: tuple[str, ...] = ()
    """One sentence each: what is not so, and what to do."""


def judge(gate: Gate, package: ModelPackage, reproduced: ReproduceReport | None) -> GateResult:
    """``reproduced`` is the newest report of the package's snapshot; None where there is none."""
    missing = [*_report(package), *_levels(gate, package, reproduced), *_approval(gate, package)]
    return GateResult(package.id, not missing, tuple(missing))


def _report(package: ModelPackage) -> list[str]:
    check = f"jupyter mlops package check {package.id}"
    report = package.report
    if report is None:
        return [f"The package has not been checked: {check}"]
    if report.image != package.image:
        return [f"The package was made anew since it was checked: {check}"]
    failed = [c for c in report.checks if not c.passed]
    if not failed and report.checks:
        return []
    names = "; ".join(f"{c.title} ({c.hint})" for c in failed)
    return [f"The contract report has {len(failed)} failed checks: {names}"]


def _levels(gate: Gate, package: ModelPackage, reproduced: ReproduceReport | None) -> list[str]:
    if not gate.level:
        return []
    run = f"jupyter mlops reproduce {package.snapshot}"
    if reproduced is None:
        return [f"The snapshot has not been reproduced, and {gate.level} is asked for: {run}"]
    wanted = LEVELS[: LEVELS.index(gate.level) + 1]
    found = {level.level: level for level in reproduced.levels}
    missing = []
    for name in wanted:
        level = found.get(name)
        if level is None:
            missing.append(f"Level {name} was not looked at: {run}")
        elif not level.passed:
            missing.append(f"Level {name} ({level.title}) did not pass: {level.detail}")
    return missing


def _approval(gate: Gate, package: ModelPackage) -> list[str]:
    if not (gate.approval or gate.approvers):
        return []
    given = [a.by for a in package.approvals if a.image == package.image]
    if any(by in gate.approvers for by in given) if gate.approvers else given:
        return []
    whose = f" by {' or '.join(gate.approvers)}" if gate.approvers else ""
    return [
        f"The package is not approved{whose}: jupyter mlops package approve {package.id}",
    ]
