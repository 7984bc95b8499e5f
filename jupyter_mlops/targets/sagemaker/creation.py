"""One deployment being made, step by step; each thing is recorded as soon as it exists."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...core.deployment import Deployment, DeploymentState, Resource
from ...core.errors import (
    ConflictError,
    InvalidError,
    MlopsError,
    NotFoundError,
    PermissionMissingError,
    UnsupportedError,
)
from ...core.layout import LABEL_PREFIX
from ...core.model_package import ModelPackage
from ...core.ports import Blobs, Engine, Image, Progress
from .client import Aws
from .endpoints import Endpoints
from .images import Images, Place, PushedImage
from .options import Options
from .plain_words import MissingError

VARIANT = "main"
SERVERLESS_IMAGE_BYTES = 10 * 1024**3
_TRUSTED = "sagemaker.amazonaws.com"


def object_name(deployment: Deployment) -> str:
    """Of the model and the endpoint configuration: at most 63 characters, never used twice."""
    return f"{deployment.name}-{deployment.id.removeprefix('d-')[:8]}"


def bucket_name(options: Options) -> str:
    """The bucket that AWS's managed policy for SageMaker users allows."""
    return options.bucket or f"sagemaker-{options.region}-{options.account}"


def check_image(image: Image, options: Options) -> None:
    """Raise UnsupportedError for an image that this endpoint could never start."""
    if image.architecture != options.architecture:
        raise UnsupportedError(
            f"The image is made for {image.architecture} processors, and this endpoint runs on "
            f"{options.architecture}.",
            "Build the environment on an amd64 (Intel or AMD) machine."
            if options.architecture == "amd64"
            else "Choose an instance type without a `g` in its family, such as ml.m5.large.",
        )
    if options.kind == "serverless" and image.size > SERVERLESS_IMAGE_BYTES:
        raise UnsupportedError(
            f"The image has {image.size / 1024**3:.1f} GB; a serverless endpoint takes "
            f"{SERVERLESS_IMAGE_BYTES / 1024**3:.0f} GB.",
            "Choose a real-time endpoint, or a smaller environment.",
        )


class Creation:
    """Makes repository, image, model file, model, configuration and endpoint, in that order."""

    def __init__(
        self,
        *,
        aws: Aws,
        images: Images,
        endpoints: Endpoints,
        engine: Engine,
        blobs: Blobs,
        package: ModelPackage,
        deployment: Deployment,
        options: Options,
        progress: Progress,
        save: Callable[[Deployment], Any],
    ) -> None:
        self._aws = aws
        self._images = images
        self._endpoints = endpoints
        self._engine = engine
        self._blobs = blobs
        self._package = package
        self._deployment = deployment
        self._options = options
        self._progress = progress
        self._save = save
        self._place: Place | None = None

    async def run(self) -> Deployment:
        """On failure or cancellation everything made here is deleted, newest first."""
        try:
            return await self._run()
        except BaseException as error:
            if self._deployment.resources:
                self._progress.phase("clean up", "Removing what was made")
                await self._undo(error)
            raise

    async def _run(self) -> Deployment:
        progress, options = self._progress, self._options
        progress.phase("check", "Checking credentials, role, names and image")
        account = await self._account()
        await self._check_role()
        check_image(await self._image(), options)
        await self._check_name_free()
        progress.phase("push", "Pushing the image")
        pushed = await self._push(account)
        progress.phase("upload", "Uploading the model files")
        model_url = await self._upload()
        progress.phase("create", "Creating model and endpoint")
        await self._create_model(pushed, model_url)
        await self._create_config()
        await self._create_endpoint()
        progress.phase("start", "Waiting for the endpoint to answer")
        await self._endpoints.wait_in_service(self._deployment.name, progress)
        return replace(
            self._deployment,
            state=DeploymentState.RUNNING,
            status="InService",
            endpoint=self._deployment.name,
            details={
                **self._deployment.details,
                "region": options.region,
                "account": account,
                "image": pushed.uri,
                "manifest_converted": pushed.converted,
                "model_data": model_url,
            },
        )

    # ------------------------------------------------------------------------- checks

    async def _account(self) -> str:
        identity = await self._aws.call("sts", "get_caller_identity")
        account, who = str(identity["Account"]), str(identity["Arn"])
        self._progress.log(f"AWS account {account} as {who}\n")
        if account != self._options.account:
            raise InvalidError(
                f"The role belongs to the AWS account {self._options.account}, and your "
                f"credentials to {account}.",
                "Choose a role of your own account, or another profile.",
            )
        return account

    async def _check_role(self) -> None:
        arn = self._options.role
        name = arn.rsplit("/", 1)[-1]
        try:
            role = (await self._aws.call("iam", "get_role", RoleName=name))["Role"]
        except MissingError as error:
            raise InvalidError(
                f"There is no role {name} in the AWS account {self._options.account}.",
                "Ask whoever manages IAM for the ARN of a role that SageMaker may use.",
            ) from error
        except PermissionMissingError:
            # Many users may not read roles. SageMaker says the same later, only less clearly.
            self._progress.log("role not checked: iam:GetRole is not allowed\n")
            return
        trust = role.get("AssumeRolePolicyDocument", {})
        if _TRUSTED not in json.dumps(trust):
            raise InvalidError(
                f"SageMaker may not use the role {name}: it does not trust {_TRUSTED}.",
                f"Ask whoever manages IAM to add {_TRUSTED} to the role's trust policy.",
            )

    async def _image(self) -> Image:
        image = await self._engine.image(self._package.image)
        if image is None:
            raise NotFoundError(
                f"The image of the package {self._package.name!r} is not on this machine any more.",
                "Make the package again.",
            )
        return image

    async def _check_name_free(self) -> None:
        if await self._endpoints.describe(self._deployment.name) is not None:
            raise ConflictError(
                f"AWS has an endpoint named {self._deployment.name!r} in "
                f"{self._options.region} already.",
                "Choose another name for the deployment.",
            )

    # -------------------------------------------------------------------------- steps

    async def _made(self, kind: str, name: str, kept: bool = False) -> None:
        """Recorded before it is made: a record too many is harmless, a thing too many is not."""
        resources = (*self._deployment.resources, Resource(kind, name, kept))
        self._deployment = replace(self._deployment, resources=resources)
        await self._save(self._deployment)

    async def _not_made(self) -> None:
        """The last one was refused."""
        resources = self._deployment.resources[:-1]
        self._deployment = replace(self._deployment, resources=resources)
        await self._save(self._deployment)

    async def _make(
        self, kind: str, name: str, service: str, operation: str, **parameters: Any
    ) -> None:
        await self._made(kind, name)
        try:
            await self._aws.call(service, operation, **parameters)
        except MlopsError:
            await self._not_made()
            raise
        self._progress.log(f"made {kind} {name}\n")

    async def _push(self, account: str) -> PushedImage:
        repository = self._options.repository
        if not await self._images.find_repository(repository):
            await self._images.create_repository(repository)
            await self._made("ecr-repository", repository, kept=True)
        self._place = self._images.place(account, repository)
        pushed = await self._images.push(
            self._engine, self._package, self._place, self._options.architecture, self._progress
        )
        if pushed.pushed:
            await self._made("ecr-image", pushed.uri, kept=True)
        how = "rewritten as" if pushed.converted else "is"
        self._progress.log(f"image {pushed.uri}; its manifest {how} Docker schema 2\n")
        return pushed

    async def _upload(self) -> str:
        bucket = bucket_name(self._options)
        await self._find_bucket(bucket)
        path = self._blobs.path(self._package.model)
        key = f"jupyter-mlops/{object_name(self._deployment)}/model.tar.gz"
        url = f"s3://{bucket}/{key}"
        size = max(1, self._package.model_size and path.stat().st_size)
        await self._made("s3-object", url)

        def sent(total: int) -> None:
            self._progress.update(
                f"{total / 1e6:.1f} of {size / 1e6:.1f} MB", min(1.0, total / size)
            )

        try:
            await self._aws.upload(path, bucket, key, sent)
        except MlopsError:
            await self._not_made()
            raise
        self._progress.log(f"made s3-object {url}, {size} bytes\n")
        return url

    async def _find_bucket(self, bucket: str) -> None:
        region = self._options.region
        try:
            found = await self._aws.call("s3", "head_bucket", Bucket=bucket)
        except MissingError:
            where = (
                {}
                if region == "us-east-1"
                else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            )
            await self._aws.call("s3", "create_bucket", Bucket=bucket, **where)
            await self._made("s3-bucket", bucket, kept=True)
            self._progress.log(f"made s3-bucket {bucket}\n")
            return
        actual = found.get("BucketRegion") or region
        if actual != region:
            raise InvalidError(
                f"The bucket {bucket} is in {actual}; SageMaker needs it in {region}.",
                "Choose a bucket of that region, or leave it empty.",
            )

    async def _create_model(self, image: PushedImage, model_url: str) -> None:
        name = object_name(self._deployment)
        await self._make(
            "model",
            name,
            "sagemaker",
            "create_model",
            ModelName=name,
            ExecutionRoleArn=self._options.role,
            PrimaryContainer={
                "Image": image.uri,
                "ModelDataUrl": model_url,
                "Environment": dict(self._options.variables),
            },
            Tags=self._tags(),
        )

    async def _create_config(self) -> None:
        name = object_name(self._deployment)
        variant: dict[str, Any] = {"VariantName": VARIANT, "ModelName": name}
        if self._options.kind == "serverless":
            variant["ServerlessConfig"] = {
                "MemorySizeInMB": self._options.memory,
                "MaxConcurrency": self._options.concurrency,
            }
        else:
            variant["InstanceType"] = self._options.instance_type
            variant["InitialInstanceCount"] = self._options.instance_count
        await self._make(
            "endpoint-config",
            name,
            "sagemaker",
            "create_endpoint_config",
            EndpointConfigName=name,
            ProductionVariants=[variant],
            Tags=self._tags(),
        )

    async def _create_endpoint(self) -> None:
        await self._make(
            "endpoint",
            self._deployment.name,
            "sagemaker",
            "create_endpoint",
            EndpointName=self._deployment.name,
            EndpointConfigName=object_name(self._deployment),
            Tags=self._tags(),
        )

    def _tags(self) -> list[dict[str, str]]:
        """Who made this out of what, for whoever reads the bill."""
        values = {
            "owner": self._deployment.owner,
            "deployment": self._deployment.id,
            "package": self._package.id,
            "snapshot": self._package.snapshot,
            "image": self._package.image,
        }
        return [
            {"Key": f"{LABEL_PREFIX}.{key}", "Value": _tag_value(value)}
            for key, value in values.items()
            if value
        ]

    # ------------------------------------------------------------------------ failure

    async def _undo(self, error: BaseException) -> None:
        """Newest first; goes on when one cannot be deleted, which then stays in the record."""
        left: list[Resource] = []
        for resource in reversed(self._deployment.resources):
            try:
                if resource.kind == "ecr-image" and self._place is not None:
                    digest = resource.name.rpartition("@")[2]
                    await self._images.withdraw(self._package, self._place, digest)
                else:
                    await self._endpoints.remove(resource, self._progress)
            except MlopsError as second:
                self._progress.log(f"could not remove {resource.kind} {resource.name}: {second}\n")
                # Shared things that others have used meanwhile may stay.
                if not resource.kept:
                    left.insert(0, resource)
        message = error.message if isinstance(error, MlopsError) else ""
        self._deployment = replace(
            self._deployment,
            state=DeploymentState.FAILED,
            message=message,
            resources=tuple(left),
        )
        await self._save(self._deployment)


def _tag_value(text: str) -> str:
    """AWS's alphabet for tags, at most 256 characters."""
    return re.sub(r"[^\w .:/=+@-]", "_", text)[:256]
