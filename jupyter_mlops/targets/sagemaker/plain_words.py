"""AWS's errors in plain words: what happened, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ...core.errors import (
    ConflictError,
    CredentialsError,
    InvalidError,
    ManifestRejectedError,
    MlopsError,
    PermissionMissingError,
    TargetError,
)

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN_KEYS = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "AuthFailure",
    "InvalidToken",
}
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AccessDeniedByLockDown",
    "UnauthorizedOperation",
    "403",
}
_MISSING = {"404", "NoSuchBucket", "NoSuchKey", "NoSuchEntity", "NotFound"}
_ACTION = re.compile(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z0-9]+)")
_RESOURCE = re.compile(r"on resource:? (\S+)")

Rights = Sequence[tuple[str, str]]


class MissingError(MlopsError):
    """AWS has no such thing; callers turn this into their own answer."""

    code = "not_found"


def in_plain_words(error: Exception, rights: Rights) -> MlopsError | None:
    """The domain error for one of botocore's; None for what is not botocore's.

    ``rights`` are those that the call needs: action and the ARN it is on, the main one first.
    """
    from boto3.exceptions import Boto3Error
    from botocore import exceptions as boto

    if isinstance(error, boto.ClientError):
        return _answered(error, rights)
    if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError)):
        return CredentialsError(
            "There are no AWS credentials here.",
            "Run `aws configure` or `aws sso login` in a terminal, or ask your administrator "
            "which profile to use.",
        )
    if isinstance(error, boto.ProfileNotFound):
        return CredentialsError(f"{error}.", "Name one that `aws configure list-profiles` shows.")
    if isinstance(
        error,
        (
            boto.CredentialRetrievalError,
            boto.TokenRetrievalError,
            boto.SSOError,
            boto.UnauthorizedSSOTokenError,
        ),
    ):
        return CredentialsError(
            f"AWS credentials could not be fetched: {error}.",
            "Run `aws sso login`, then try again.",
        )
    if isinstance(error, boto.NoRegionError):
        return InvalidError("No AWS region is chosen.", "Fill in the region, such as eu-west-1.")
    if isinstance(error, (boto.HTTPClientError, boto.ConnectionError)):
        return TargetError(
            f"AWS could not be reached: {error}.",
            "Check the network, the proxy, and the certificate file (`ca_bundle`).",
        )
    if isinstance(error, boto.ParamValidationError):
        return InvalidError(f"AWS would not take this: {error}")
    if isinstance(error, (boto.BotoCoreError, Boto3Error)):
        return TargetError(f"AWS: {error}")
    return None


def _answered(error: Any, rights: Rights) -> MlopsError:
    """AWS answered with an error."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    text = str(error.response.get("Error", {}).get("Message", "")).strip()
    if text.startswith("<"):
        text = ""  # A page for browsers, of a proxy or a server in trouble.
    action = rights[0][0] if rights else "this call"
    if code in _EXPIRED:
        return CredentialsError(
            "Your AWS session has expired.",
            "Run `aws sso login`, or fetch new keys; then try again.",
        )
    if code in _UNKNOWN_KEYS:
        return CredentialsError(
            "AWS does not know these credentials, or they do not belong together.",
            "Run `aws configure` with a valid access key, or choose another profile.",
        )
    if code in _DENIED or _ACTION.search(text):
        return _denied(text, rights)
    if "manifest media type" in text:
        return ManifestRejectedError(
            f"SageMaker does not take the image's manifest: {text}",
            "The image must be in Docker's schema 2 format with gzip layers. Deploy again; if it "
            "is refused again, look whether the registry rewrites manifests.",
        )
    if "Could not assume role" in text or "AssumeRole" in text:
        return InvalidError(
            f"SageMaker cannot use the role: {text}",
            "The role must exist and trust sagemaker.amazonaws.com; ask whoever manages IAM.",
        )
    if "does not have" in text and "ermission" in text:
        return PermissionMissingError(
            f"The execution role lacks a right: {text}",
            "Ask whoever manages IAM to add it to the role, not to you.",
        )
    if code in _MISSING or _says_missing(code, text):
        return MissingError(text or f"{action} found nothing.")
    if code in ("ResourceLimitExceeded", "LimitExceededException", "ServiceQuotaExceededException"):
        return TargetError(
            f"A quota of this AWS account is used up: {text}",
            "Choose a smaller or another instance type, or ask for more in Service Quotas.",
        )
    if "already exist" in text or code in ("ResourceInUse", "ConflictException"):
        return ConflictError(f"AWS has that already: {text}", "Choose another name.")
    if code.startswith("Throttl") or code == "TooManyRequestsException":
        return TargetError("AWS asks us to slow down.", "Try again in a minute.")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
    return TargetError(f"AWS refused {action}: {text or code or status}")


def _denied(text: str, rights: Rights) -> PermissionMissingError:
    """AWS names the right and the ARN in most of its answers; S3 names neither."""
    found = _ACTION.search(text)
    action = found.group(1) if found else rights[0][0] if rights else "to do this"
    resource = _RESOURCE.search(text)
    on = resource.group(1).rstrip(".") if resource else ""
    if on in ("", "*"):
        on = next((arn for right, arn in rights if right == action), on)
    where = f" on {on}" if on else ""
    if action == "iam:PassRole":
        return PermissionMissingError(
            f"You may not hand this role to SageMaker: the right iam:PassRole{where} is missing.",
            "Ask whoever manages IAM for iam:PassRole on the role, with the condition "
            "iam:PassedToService = sagemaker.amazonaws.com.",
        )
    return PermissionMissingError(
        f"The right {action}{where} is missing: AWS denied the call.",
        "Ask whoever manages IAM to allow it. `jupyter mlops deploy --explain-iam` prints "
        "everything that a deployment needs.",
    )


def _says_missing(code: str, text: str) -> bool:
    """SageMaker says "Could not find" with a ValidationException."""
    return "NotFound" in code or any(
        said in text for said in ("Could not find", "does not exist", "not found")
    )
