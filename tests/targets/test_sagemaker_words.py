"""AWS's own error answers, as botocore hands them over, become sentences with a way out."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions as boto

from jupyter_mlops.core.errors import (
    ConflictError,
    CredentialsError,
    InvalidError,
    ManifestRejectedError,
    MlopsError,
    PermissionMissingError,
    TargetError,
)
from jupyter_mlops.targets.sagemaker.plain_words import MissingError, in_plain_words
from jupyter_mlops.targets.sagemaker.rights import rights_of_call

DENIED = (
    "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: "
    "ecr:CreateRepository on resource: arn:aws:ecr:eu-west-1:123456789012:repository/x "
    "because no identity-based policy allows the ecr:CreateRepository action"
)
PASS_ROLE = (
    "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iam:PassRole on "
    "resource: arn:aws:iam::123456789012:role/runs"
)


def answered(code: str, message: str = "", status: int = 400) -> Any:
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return boto.ClientError(response, "CreateModel")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (boto.NoCredentialsError(), CredentialsError, "aws configure"),
        (boto.ProfileNotFound(profile="team"), CredentialsError, "team"),
        (answered("ExpiredToken"), CredentialsError, "has expired"),
        (answered("InvalidClientTokenId", "x", 403), CredentialsError, "does not know"),
        (answered("SignatureDoesNotMatch", "x", 403), CredentialsError, "does not know"),
        (answered("AccessDeniedException", DENIED), PermissionMissingError, "ecr:CreateRepository"),
        (answered("AccessDeniedException", PASS_ROLE), PermissionMissingError, "iam:PassRole"),
        (answered("ValidationException", PASS_ROLE), PermissionMissingError, "iam:PassRole"),
        (
            answered("AccessDenied", "Access Denied", 403),
            PermissionMissingError,
            "sagemaker:CreateModel",
        ),
        (
            answered(
                "ValidationException",
                "Unsupported manifest media type application/vnd.oci.image.manifest.v1+json for "
                "image x. Ensure that valid manifest media type is used for specified image.",
            ),
            ManifestRejectedError,
            "schema 2",
        ),
        (
            answered(
                "ValidationException",
                "Could not assume role arn:aws:iam::1:role/x. Please ensure that the role exists "
                "and allows principal 'sagemaker.amazonaws.com' to assume the role.",
            ),
            InvalidError,
            "trust sagemaker.amazonaws.com",
        ),
        (
            answered(
                "ValidationException",
                'The role "arn:aws:iam::1:role/x" does not have BatchGetImage permission for the '
                'image: "y".',
            ),
            PermissionMissingError,
            "BatchGetImage",
        ),
        (
            answered(
                "ResourceLimitExceeded",
                "The account-level service limit 'ml.p3.2xlarge for endpoint usage' is 0 Instances",
            ),
            TargetError,
            "Service Quotas",
        ),
        (
            answered("ValidationException", "Cannot create already existing endpoint"),
            ConflictError,
            "another name",
        ),
        (answered("ThrottlingException", "Rate exceeded"), TargetError, "minute"),
        (answered("ValidationException", 'Could not find endpoint "x".'), MissingError, "x"),
        (answered("RepositoryNotFoundException", "none"), MissingError, "none"),
        (answered("404", "Not Found", 404), MissingError, "Not Found"),
        (boto.EndpointConnectionError(endpoint_url="https://x"), TargetError, "proxy"),
        (boto.NoRegionError(), InvalidError, "eu-west-1"),
    ],
)
def test_each_has_its_class_and_words(error: Exception, kind: type, said: str) -> None:
    plain = in_plain_words(error, [("sagemaker:CreateModel", "arn:aws:sagemaker:::model/x")])
    assert type(plain) is kind
    assert isinstance(plain, MlopsError)
    assert said in str(plain)


@pytest.mark.parametrize(
    ("call", "parameters", "said"),
    [
        (("s3", "head_bucket"), {"Bucket": "b"}, "s3:ListBucket on arn:aws:s3:::b is"),
        (("s3", "put_object"), {"Bucket": "b", "Key": "k"}, "s3:PutObject on arn:aws:s3:::b/k is"),
        (
            ("ecr", "describe_repositories"),
            {"repositoryNames": ["team/r"]},
            "ecr:DescribeRepositories on arn:aws:ecr:eu-west-1:123456789012:repository/team/r is",
        ),
        (
            ("sagemaker", "create_endpoint"),
            {"EndpointName": "e", "EndpointConfigName": "c"},
            "sagemaker:CreateEndpoint on arn:aws:sagemaker:eu-west-1:123456789012:endpoint/e is",
        ),
    ],
)
def test_a_denial_without_words_names_right_and_arn(
    call: tuple[str, str], parameters: dict[str, Any], said: str
) -> None:
    rights = rights_of_call(*call, parameters, "eu-west-1", "123456789012")
    plain = in_plain_words(answered("403", "Forbidden", 403), rights)
    assert isinstance(plain, PermissionMissingError)
    assert said in plain.message
    assert "--explain-iam" in plain.hint


def test_what_is_not_awss_stays_what_it_is() -> None:
    assert in_plain_words(ZeroDivisionError(), []) is None
