"""SageMaker's objects once they are wanted: states, waiting, logs, and taking them away."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import Any

from ...core.deployment import Deployment, DeploymentState, Resource
from ...core.errors import MlopsError, TargetError
from ...core.ports import Progress
from . import batch, model_registry, scaling
from .client import Aws
from .plain_words import MissingError

STATES = {
    "Creating": DeploymentState.CREATING,
    "InService": DeploymentState.RUNNING,
    # While these last, the endpoint answers with its former configuration.
    "Updating": DeploymentState.RUNNING,
    "SystemUpdating": DeploymentState.RUNNING,
    "RollingBack": DeploymentState.RUNNING,
    "UpdateRollbackFailed": DeploymentState.RUNNING,
    "Deleting": DeploymentState.DELETING,
    "Failed": DeploymentState.FAILED,
    "OutOfService": DeploymentState.STOPPED,
}
_CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
_NOTICED_SECONDS = 60.0
_UPDATE_SECONDS = 6 * 3600
"""Of a linear update with long pauses."""
_WAIT_SECONDS = 5400
"""AWS gives up on a start within an hour; this is for the case that it never says so."""
LOG_GROUP = "/aws/sagemaker/Endpoints"


class Endpoints:
    """Objects of SageMaker, CloudWatch and S3 in one region."""

    def __init__(self, aws: Aws, poll_seconds: float) -> None:
        self._aws = aws
        self._poll = poll_seconds

    async def describe(self, name: str) -> dict[str, Any] | None:
        """``describe_endpoint``; None when there is no such endpoint."""
        try:
            return await self._aws.call("sagemaker", "describe_endpoint", EndpointName=name)
        except MissingError:
            return None

    async def state(self, deployment: Deployment) -> tuple[Deployment, int]:
        """The record with what AWS says of its endpoint, and how many instances it has; 0 where
        that is not known."""
        seen = await self.describe(deployment.name)
        if seen is None:
            gone = replace(
                deployment,
                state=DeploymentState.STOPPED,
                status="",
                message="The endpoint does not exist in AWS any more.",
            )
            return gone, 0
        status = str(seen["EndpointStatus"])
        state = STATES.get(status, deployment.state)
        failed = state is DeploymentState.FAILED
        message = str(seen.get("FailureReason") or "") if failed else ""
        variants = seen.get("ProductionVariants") or [{}]
        instances = int(variants[0].get("CurrentInstanceCount") or 0)
        return replace(deployment, state=state, status=status, message=message), instances

    async def wait_in_service(self, name: str, progress: Progress) -> None:
        """Until it answers requests; raises TargetError with AWS's reason and the log's end."""
        started = time.monotonic()
        while True:
            seen = await self.describe(name)
            status = str(seen["EndpointStatus"]) if seen else "gone"
            waited = time.monotonic() - started
            if status == "InService":
                return
            progress.update(f"Endpoint {name}: {status}, {waited:.0f} s")
            if status != "Creating":
                reason = str((seen or {}).get("FailureReason") or f"It is {status}.")
                raise await self._failed(name, reason, progress)
            if waited > _WAIT_SECONDS:
                raise await self._failed(
                    name, f"It is still being created after {waited / 60:.0f} minutes.", progress
                )
            await asyncio.sleep(self._poll)

    async def wait_settled(self, name: str, progress: Progress) -> None:
        """Until AWS does nothing with it any more."""
        started = time.monotonic()
        while True:
            seen = await self.describe(name)
            status = str(seen["EndpointStatus"]) if seen else "gone"
            waited = time.monotonic() - started
            if status not in _CHANGING:
                return
            progress.update(f"Endpoint {name}: {status}, {waited:.0f} s")
            if waited > _WAIT_SECONDS:
                raise TargetError(
                    f"The endpoint {name} is still {status} after {waited / 60:.0f} minutes.",
                    "Look at it in AWS's console.",
                )
            await asyncio.sleep(self._poll)

    async def wait_updated(self, name: str, config: str, progress: Progress) -> None:
        """Until it answers with that configuration. Raises TargetError where AWS went back to
        the former one, with its reason."""
        started = time.monotonic()
        changing = False
        while True:
            seen = await self.describe(name) or {}
            status = str(seen.get("EndpointStatus", "gone"))
            if status == "InService" and seen["EndpointConfigName"] == config:
                return
            waited = time.monotonic() - started
            changing = changing or status in _CHANGING
            progress.update(f"Endpoint {name}: {status}, {waited:.0f} s")
            # For a moment after the call AWS may still say that nothing changes.
            ended = changing or bool(seen.get("FailureReason")) or waited > _NOTICED_SECONDS
            if status not in _CHANGING and (ended or status != "InService"):
                reason = str(seen.get("FailureReason") or f"It is {status} as it was before.")
                raise await self._failed(name, reason, progress, "update")
            if waited > _UPDATE_SECONDS:
                raise TargetError(
                    f"The endpoint {name} is still {status} after {waited / 60:.0f} minutes.",
                    "Look at it in AWS's console.",
                )
            await asyncio.sleep(self._poll)

    async def _failed(
        self, name: str, reason: str, progress: Progress, what: str = "start"
    ) -> TargetError:
        message = f"SageMaker could not {what} the endpoint {name}: {reason}"
        try:
            log = await self.log(name, 200)
        except MlopsError as error:
            log = ""
            progress.log(f"Its log could not be read: {error}\n")
        if log:
            progress.log(f"The container's log:\n{log}")
            tail = "\n".join(log.rstrip("\n").splitlines()[-10:])
            message += f"\nThe end of the container's log:\n{tail}"
            return TargetError(message)
        return TargetError(
            message, "The container wrote no log; look at the endpoint in AWS's console."
        )

    async def log(self, name: str, tail: int) -> str:
        """The last lines of the newest containers; empty while there are none."""
        newest = {"orderBy": "LastEventTime", "descending": True, "limit": 5}
        return await self._log(f"{LOG_GROUP}/{name}", tail, newest)

    async def job_log(self, name: str, tail: int) -> str:
        """The last lines of a transform job's containers."""
        return await self._log(batch.LOG_GROUP, tail, {"logStreamNamePrefix": f"{name}/"})

    async def _log(self, group: str, tail: int, streams: dict[str, Any]) -> str:
        try:
            answer = await self._aws.call(
                "logs", "describe_log_streams", logGroupName=group, **streams
            )
            events: list[dict[str, Any]] = []
            for stream in answer["logStreams"]:
                page = await self._aws.call(
                    "logs",
                    "get_log_events",
                    logGroupName=group,
                    logStreamName=stream["logStreamName"],
                    limit=tail,
                    startFromHead=False,
                )
                events += page["events"]
        except MissingError:
            return ""
        events.sort(key=lambda event: int(event["timestamp"]))
        return "".join(event["message"].rstrip("\n") + "\n" for event in events[-tail:])

    # ------------------------------------------------------------------- taking away

    async def remove(self, resource: Resource, progress: Progress) -> None:
        """Delete one thing; what is gone already is no error."""
        progress.update(f"Removing {resource.kind} {resource.name}")
        with contextlib.suppress(MissingError):
            await self._remove(resource, progress)
        progress.log(f"removed {resource.kind} {resource.name}\n")

    async def _remove(self, resource: Resource, progress: Progress) -> None:
        name = resource.name
        if resource.kind == "endpoint":
            await self._remove_endpoint(name, progress)
        elif resource.kind == "endpoint-config":
            await self._aws.call("sagemaker", "delete_endpoint_config", EndpointConfigName=name)
        elif resource.kind == "model":
            await self._aws.call("sagemaker", "delete_model", ModelName=name)
        elif resource.kind == "s3-object":
            bucket, _, key = name.removeprefix("s3://").partition("/")
            await self._aws.call("s3", "delete_object", Bucket=bucket, Key=key)
            await self._abort_uploads(bucket, key)
        elif resource.kind == "s3-bucket":
            await self._aws.call("s3", "delete_bucket", Bucket=name)
        elif resource.kind == "autoscaling":
            await scaling.remove(self._aws, name.split("/")[1])
        elif resource.kind == "transform-job":
            await batch.stop(self._aws, name, self._poll, progress)
        elif resource.kind == "model-package":
            await model_registry.remove(self._aws, name)
        elif resource.kind == "model-package-group":
            await self._aws.call(
                "sagemaker", "delete_model_package_group", ModelPackageGroupName=name
            )
        elif resource.kind == "ecr-repository":
            await self._aws.call("ecr", "delete_repository", repositoryName=name)

    async def _abort_uploads(self, bucket: str, key: str) -> None:
        """Parts of an upload that was killed are billed, and no listing shows them."""
        found = await self._aws.call("s3", "list_multipart_uploads", Bucket=bucket, Prefix=key)
        for upload in found.get("Uploads", []):
            await self._aws.call(
                "s3",
                "abort_multipart_upload",
                Bucket=bucket,
                Key=upload["Key"],
                UploadId=upload["UploadId"],
            )

    async def _remove_endpoint(self, name: str, progress: Progress) -> None:
        """Delete, and wait: its configuration may only go after it. AWS refuses to delete an
        endpoint that is being created, so that is waited for first."""
        started = time.monotonic()
        while True:
            seen = await self.describe(name)
            if seen is None:
                return
            status = str(seen["EndpointStatus"])
            if status not in ("Creating", "Deleting"):
                await self._aws.call("sagemaker", "delete_endpoint", EndpointName=name)
            waited = time.monotonic() - started
            progress.update(f"Endpoint {name}: {status}, {waited:.0f} s")
            if waited > _WAIT_SECONDS:
                raise TargetError(
                    f"The endpoint {name} is still {status} after {waited / 60:.0f} minutes.",
                    "Delete it in AWS's console: it is billed as long as it exists.",
                )
            await asyncio.sleep(self._poll)
