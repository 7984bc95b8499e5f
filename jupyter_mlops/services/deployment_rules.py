"""What a package must be before it is deployed."""

from __future__ import annotations

from ..core.errors import ContractFailedError
from ..core.model_package import ModelPackage


def require_passed(package: ModelPackage) -> None:
    """Raise ContractFailedError unless this very image passed its check."""
    report = package.report
    if report is None or report.image != package.image:
        raise ContractFailedError(
            f"The package {package.name!r} has not been checked.",
            "Check it first; a package that fails here would fail on its target too.",
        )
    if not report.passed:
        failed = [check.title for check in report.checks if not check.passed]
        raise ContractFailedError(
            f"The package {package.name!r} failed its check: {', '.join(failed)}.",
            "The report says what to do for each; then make the package again.",
        )
