"""What a package must be before it is deployed, and when it need not be deployed again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.deployment import Deployment
from ..core.errors import ContractFailedError, InvalidError
from ..core.model_package import ModelPackage
from ..core.ports import Target


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


def is_just_so(
    deployment: Deployment, package: ModelPackage, target: Target, options: Mapping[str, Any]
) -> bool:
    """Whether it is of this package, on this target, with these options, which are complete.

    What its record lacks, since an older version of ours made it, is as the default has it.
    """
    if (deployment.package, deployment.target) != (package.id, target.name):
        return False
    try:
        return target.options(deployment.options) == dict(options)
    except InvalidError:
        return False
