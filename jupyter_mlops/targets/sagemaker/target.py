"""Amazon SageMaker: a model package as an endpoint there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ...core.deployment import Deployment, DeploymentState, Invocation, Plan, Policy, Resource
from ...core.errors import InvalidError, MlopsError
from ...core.model_package import ModelPackage
from ...core.ports import Blobs, EngineProvider, Progress, Registries, Target
from ...core.settings import Settings
from . import client, options
from .client import Aws
from .creation import create
from .endpoints import STATES, Endpoints
from .images import Images
from .job import Job
from .names import bucket_name
from .options import Options
from .policies import policies

_OWN_SETTINGS = ("profile", "endpoint_url", "registry_override", "poll_seconds")
_FALLBACK_REGION = "us-east-1"
"""Where to ask who we are while no region is chosen."""


class SageMakerTarget(Target):
    """``settings.targets["sagemaker"]`` may hold ``profile``, ``endpoint_url`` (of AWS or a
    stand-in), ``registry_override`` (``host:port`` instead of ECR's), ``poll_seconds``, and a
    default for every option of the form."""

    name = "sagemaker"
    title = "Amazon SageMaker"
    description = "An endpoint in your AWS account, from this very image."

    def __init__(
        self, settings: Settings, engines: EngineProvider, blobs: Blobs, registries: Registries
    ) -> None:
        own = settings.targets.get(self.name, {})
        unknown = sorted(set(own) - {*_OWN_SETTINGS, *Options.model_fields})
        if unknown:
            raise InvalidError(
                f"The setting targets['sagemaker'] has {unknown[0]!r}, which is not known.",
                f"Known: {', '.join((*_OWN_SETTINGS, *Options.model_fields))}.",
            )
        self._network = settings.network
        self._engines = engines
        self._blobs = blobs
        self._registries = registries
        self._profile = str(own.get("profile", ""))
        self._endpoint_url = str(own.get("endpoint_url", ""))
        self._override = str(own.get("registry_override", ""))
        self._poll_seconds = float(own.get("poll_seconds", 5))
        self._defaults = {k: v for k, v in own.items() if k in Options.model_fields}
        self._regions: dict[str, Aws] = {}

    # ------------------------------------------------------------------------- choices

    def options_schema(self) -> dict[str, Any]:
        return options.schema(self._known())

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return options.parse(given, self._known()).model_dump(mode="json")

    def _known(self) -> dict[str, Any]:
        region = self._defaults.get("region") or client.default_region(self._profile)
        return {**self._defaults, "region": region} if region else dict(self._defaults)

    async def check(self) -> list[str]:
        if not client.has_credentials(self._profile):
            return [
                "There are no AWS credentials here. Run `aws configure` or `aws sso login` in a "
                "terminal."
            ]
        try:
            region = self._known().get("region") or _FALLBACK_REGION
            await self._aws(region).call("sts", "get_caller_identity")
        except MlopsError as error:
            return [str(error)]
        return []

    async def plan(self, package: ModelPackage, name: str, options: Mapping[str, Any]) -> Plan:
        chosen = Options.model_validate(dict(options))
        place = self._images(chosen.region).place(chosen.account, chosen.repository)
        bucket = bucket_name(chosen)
        if chosen.kind == "serverless":
            machine = f"serverless, {chosen.memory} MB, at most {chosen.concurrency} at once"
            cost = "Billed by use."
        else:
            machine = f"{chosen.instance_count} x {chosen.instance_type}"
            cost = f"AWS bills {machine} for as long as the endpoint exists."
        megabytes = self._blobs.size(package.model) / 1e6
        return Plan(
            steps=(
                f"Push the image of {package.name} to {place.host}/{place.repository}",
                "Make sure its manifest is in the format that SageMaker takes",
                f"Upload model.tar.gz ({megabytes:.1f} MB) to the bucket {bucket}",
                f"Create the model with the role {chosen.role.rsplit('/', 1)[-1]}",
                f"Create the endpoint {name}: {machine}",
                "Wait until it answers",
            ),
            resources=(
                Resource("ecr-repository", chosen.repository, kept=True),
                Resource("ecr-image", str(place.ref(tag=package.id)), kept=True),
                Resource("s3-object", f"s3://{bucket}/jupyter-mlops/{name}-…/model.tar.gz"),
                Resource("model", f"{name}-…"),
                Resource("endpoint-config", f"{name}-…"),
                Resource("endpoint", name),
            ),
            cost=f"{cost} Prices: https://aws.amazon.com/sagemaker/pricing/",
        )

    def policies(self, name: str, options: Mapping[str, Any]) -> tuple[Policy, ...]:
        return policies(Options.model_validate(dict(options)), name)

    # ----------------------------------------------------------------------------- port

    async def deploy(
        self,
        package: ModelPackage,
        deployment: Deployment,
        progress: Progress,
        save: Callable[[Deployment], Any],
    ) -> Deployment:
        chosen = Options.model_validate(deployment.options)
        job = Job(
            aws=self._aws(chosen.region),
            images=self._images(chosen.region),
            endpoints=self._endpoints(chosen.region),
            engine=await self._engines.engine(),
            blobs=self._blobs,
            package=package,
            deployment=deployment,
            options=chosen,
            progress=progress,
            save=save,
            poll_seconds=self._poll_seconds,
        )
        return await create(job)

    async def describe(self, deployment: Deployment) -> Deployment:
        if not any(resource.kind == "endpoint" for resource in deployment.resources):
            return deployment
        seen = await self._endpoints(_region(deployment)).describe(deployment.name)
        if seen is None:
            return replace(
                deployment,
                state=DeploymentState.STOPPED,
                status="",
                message="The endpoint does not exist in AWS any more.",
            )
        status = str(seen["EndpointStatus"])
        state = STATES.get(status, deployment.state)
        message = str(seen.get("FailureReason") or "") if state is DeploymentState.FAILED else ""
        return replace(deployment, state=state, status=status, message=message)

    async def invoke(
        self, deployment: Deployment, body: bytes, content_type: str, accept: str
    ) -> Invocation:
        started = time.perf_counter()
        answer = await self._aws(_region(deployment)).invoke(
            deployment.name, body, content_type, accept
        )
        return Invocation(
            status=answer["status"],
            content_type=answer["content_type"],
            body=answer["body"],
            seconds=round(time.perf_counter() - started, 6),
        )

    async def delete(self, deployment: Deployment, progress: Progress) -> None:
        """Repository, image and bucket stay: other deployments use them."""
        endpoints = self._endpoints(_region(deployment))
        failures: list[MlopsError] = []
        progress.phase("delete", "Removing the endpoint and what belongs to it")
        for resource in reversed(deployment.resources):
            if resource.kept:
                continue
            try:
                await endpoints.remove(resource, progress)
            except MlopsError as error:
                progress.log(f"could not remove {resource.kind} {resource.name}: {error}\n")
                failures.append(error)
        if failures:
            raise failures[0]

    async def logs(self, deployment: Deployment, tail: int = 200) -> str:
        return await self._endpoints(_region(deployment)).log(deployment.name, tail)

    # ---------------------------------------------------------------------------- parts

    def _aws(self, region: str) -> Aws:
        if region not in self._regions:
            self._regions[region] = Aws(
                self._network,
                region=region,
                profile=self._profile,
                endpoint_url=self._endpoint_url,
            )
        return self._regions[region]

    def _images(self, region: str) -> Images:
        return Images(self._aws(region), self._registries, self._blobs, self._override)

    def _endpoints(self, region: str) -> Endpoints:
        return Endpoints(self._aws(region), self._poll_seconds)


def _region(deployment: Deployment) -> str:
    return str(deployment.options["region"])
