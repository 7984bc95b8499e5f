"""Reads IAM policies as AWS does, as far as ours go, and records what is called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3.session

_REQUESTS = (
    (r"HEAD .*/blobs/", "ecr:BatchCheckLayerAvailability"),
    (r"POST .*/blobs/uploads/", "ecr:InitiateLayerUpload"),
    (r"PATCH .*/blobs/uploads/", "ecr:UploadLayerPart"),
    (r"PUT .*/blobs/uploads/", "ecr:CompleteLayerUpload"),
    (r"PUT .*/manifests/", "ecr:PutImage"),
    (r"(GET|HEAD) .*/manifests/", "ecr:BatchGetImage"),
    (r"GET .*/blobs/", "ecr:GetDownloadUrlForLayer"),
    # ECR itself looks which tags an image has.
    (r"(GET .*/tags/list|DELETE .*/manifests/)", "ecr:BatchDeleteImage"),
)
"""What ECR asks for each request of the registry's protocol."""


def allowed(document: dict[str, Any], action: str, arn: str) -> bool:
    return any(
        action in statement["Action"] and fnmatchcase(arn, statement["Resource"])
        for statement in document["Statement"]
    )


def actions(document: dict[str, Any]) -> set[str]:
    return {action for statement in document["Statement"] for action in statement["Action"]}


class Recorder:
    """botocore's own events, of every client that a session makes."""

    def __init__(self, region: str) -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        """Service as boto3 names it, operation as AWS does, parameters."""
        self.session = boto3.session.Session(region_name=region)
        self.session.events.register("provide-client-params.*.*", self._heard)

    def _heard(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.calls.append((model.service_model.service_name, model.name, dict(params)))


def pushed_actions(log: Path) -> set[str]:
    """Actions of ECR behind the requests in a registry's access log."""
    shape = r'"((?:GET|HEAD|POST|PATCH|PUT|DELETE) /v2/\S+)'
    return set(_actions(re.findall(shape, log.read_text())))


def _actions(requests: Sequence[str]) -> list[str]:
    found = []
    for request in requests:
        if request.endswith(" /v2/"):
            continue
        found.append(next(action for shape, action in _REQUESTS if re.match(shape, request)))
    return found
