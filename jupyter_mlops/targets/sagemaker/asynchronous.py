"""Requests to asynchronous endpoints: by way of S3, with the answer waited for."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any
from urllib.parse import urlencode

from ...core.deployment import Deployment
from ...core.errors import TargetError
from .client import Aws
from .configs import prefix
from .names import object_name, shared_tags
from .options import Options
from .plain_words import MissingError

_WAIT_SECONDS = 900.0
"""As long as SageMaker itself waits for the model unless it is told otherwise."""


async def invoke(
    aws: Aws, deployment: Deployment, body: bytes, content_type: str, accept: str, poll: float
) -> dict[str, Any]:
    """``status``, ``content_type``, ``body`` as of a real-time endpoint."""
    options = Options.model_validate(deployment.options)
    where = prefix(options, object_name(deployment), f"requests/{uuid.uuid4().hex}")
    bucket, key = _split(where)
    await aws.call(
        "s3",
        "put_object",
        Bucket=bucket,
        Key=key,
        Body=body,
        ContentType=content_type,
        Tagging=urlencode(shared_tags(deployment.owner)),
    )
    try:
        asked = await aws.call(
            "sagemaker-runtime",
            "invoke_endpoint_async",
            EndpointName=deployment.name,
            InputLocation=where,
            ContentType=content_type,
            Accept=accept,
        )
        return await _answer(aws, asked, accept, poll)
    finally:
        await aws.call("s3", "delete_object", Bucket=bucket, Key=key)


async def _answer(aws: Aws, asked: dict[str, Any], accept: str, poll: float) -> dict[str, Any]:
    """Of an answer and of a failure, whichever file appears."""
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until:
        found = await _read(aws, asked["OutputLocation"])
        if found is not None:
            return {"status": 200, "content_type": accept, "body": found}
        if asked.get("FailureLocation"):
            failed = await _read(aws, asked["FailureLocation"])
            if failed is not None:
                return {"status": 500, "content_type": "text/plain", "body": failed}
        await asyncio.sleep(min(poll, 1.0))
    raise TargetError(
        f"There is no answer after {_WAIT_SECONDS / 60:.0f} minutes.",
        f"It will be at {asked['OutputLocation']}; look at the deployment's logs.",
    )


async def _read(aws: Aws, location: str) -> bytes | None:
    bucket, key = _split(location)
    try:
        return await aws.read(bucket, key)
    except MissingError:
        return None


def _split(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key
