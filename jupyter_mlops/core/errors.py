"""Every failure a user can meet.

``code`` is stable and snake_case: clients branch on it. ``message`` says what happened and in
which part; ``hint`` says what to do about it. Neither ever holds a secret or a traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from .snapshot import Finding


class MlopsError(Exception):
    """Base of all domain errors."""

    code: ClassVar[str] = "failed"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.result: dict[str, Any] = {}
        """What there is all the same, as the result of an operation names it."""

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class NotFoundError(MlopsError):
    """A named thing does not exist."""

    code = "not_found"


class ConflictError(MlopsError):
    """The name is taken, or the thing is not in a state that allows this."""

    code = "conflict"


class InvalidError(MlopsError):
    """The request or file cannot be understood."""

    code = "invalid"


class UnsupportedError(MlopsError):
    """The engine or target lacks what was asked for."""

    code = "unsupported"


class EngineUnavailableError(MlopsError):
    """No container engine answers, or it stopped in the middle."""

    code = "engine_unavailable"


class EngineError(MlopsError):
    """The engine answered with an error that has no better name."""

    code = "engine_error"


class DiskFullError(EngineError):
    """The engine's disk is full."""

    code = "disk_full"


class BaseMissingError(MlopsError):
    """A base image is neither local nor to be pulled."""

    code = "base_missing"


class BuildFailedError(MlopsError):
    """A build step ended with an error."""

    code = "build_failed"


class UnsatisfiableError(BuildFailedError):
    """No set of packages fulfils the requirements."""

    code = "unsatisfiable"


class SmokeFailedError(MlopsError):
    """A revision was built, and the notebook that it must run did not run to its end."""

    code = "smoke_failed"


class IndexUnavailableError(MlopsError):
    """The package index does not answer, or refuses us."""

    code = "index_unavailable"


class KernelDeadError(MlopsError):
    """The kernel, or its container, does not run any more."""

    code = "kernel_dead"


class RegistryUnavailableError(MlopsError):
    """The registry does not answer."""

    code = "registry_unavailable"


class RegistryDeniedError(MlopsError):
    """The registry refuses these credentials, or this right."""

    code = "registry_denied"


class RegistryError(MlopsError):
    """The registry answered with an error that has no better name."""

    code = "registry_error"


class ManifestRejectedError(RegistryError):
    """The registry or target does not take this manifest."""

    code = "manifest_rejected"


class DigestMismatchError(RegistryError):
    """What came back is not what its digest says."""

    code = "digest_mismatch"


class SecretsFoundError(MlopsError):
    """The scan found what looks like a secret in something that would travel."""

    code = "secrets_found"
    findings: tuple[Finding, ...] = ()


class ContractFailedError(MlopsError):
    """A model package does not hold the serving contract."""

    code = "contract_failed"


class CredentialsError(MlopsError):
    """The target refuses who we are, or we have no credentials."""

    code = "credentials"


class PermissionMissingError(MlopsError):
    """The target knows us, and denies one right; the message names it."""

    code = "permission_missing"


class TargetError(MlopsError):
    """A target answered with an error that has no better name."""

    code = "target_error"


class CancelledError(MlopsError):
    """The user cancelled the operation."""

    code = "cancelled"


class InternalError(MlopsError):
    """A fault of ours; what it was stands in the operation's log and the server's."""

    code = "internal"
