"""Amazon SageMaker: a model package as an endpoint there."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

from ...core.deployment import Deployment, DeploymentState, Invocation, Plan, Policy
from ...core.errors import InvalidError, MlopsError, UnsupportedError
from ...core.model_package import ModelPackage
from ...core.ports import Blobs, EngineProvider, Progress, Registries, Target
from ...core.settings import Settings
from . import asynchronous, batch, client, model_registry, options, planning, sizes, updating
from .client import Aws
from .creation import create
from .endpoints import LOG_GROUP, Endpoints
from .images import Images
from .job import Job
from .log_following import follow
from .options import Options
from .policies import policies
from .prices import Prices

_OWN_SETTINGS = (
    "profile",
    "endpoint_url",
    "registry_override",
    "poll_seconds",
    "prices",
    "price_unit",
)
_FALLBACK_REGION = "us-east-1"
"""Where to ask who we are while no region is chosen."""


class SageMakerTarget(Target):
    """``settings.targets["sagemaker"]`` may hold ``profile``, ``endpoint_url`` (of AWS or a
    stand-in), ``registry_override`` (``host:port`` instead of ECR's), ``poll_seconds``,
    ``prices`` (of an hour, by instance type) and ``price_unit``, and a default for every option of
    the form."""

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
        self._prices = Prices(own.get("prices", {}), str(own.get("price_unit", "USD")))
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
        size = self._blobs.size(package.model)
        return planning.plan(package, name, chosen, place, size, self._prices)

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
        return self._priced(await create(await self._job(package, deployment, progress, save)))

    async def update(
        self,
        package: ModelPackage,
        deployment: Deployment,
        options: Mapping[str, Any],
        progress: Progress,
        save: Callable[[Deployment], Any],
    ) -> Deployment:
        job = await self._job(package, deployment, progress, save, options)
        return self._priced(await updating.update(job, dict(options)))

    async def roll_back(
        self,
        package: ModelPackage,
        deployment: Deployment,
        progress: Progress,
        save: Callable[[Deployment], Any],
    ) -> Deployment:
        previous = deployment.details.get("previous") or {}
        options = previous.get("options", deployment.options)
        job = await self._job(package, deployment, progress, save, options)
        return self._priced(await updating.roll_back(job))

    async def _job(
        self,
        package: ModelPackage,
        deployment: Deployment,
        progress: Progress,
        save: Callable[[Deployment], Any],
        options: Mapping[str, Any] | None = None,
    ) -> Job:
        chosen = Options.model_validate(dict(options or deployment.options))
        return Job(
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
            generation=int(deployment.details.get("generation", 1)),
        )

    async def review(self, deployment: Deployment, approved: bool, note: str) -> Deployment:
        if not deployment.can_review:
            return await super().review(deployment, approved, note)
        return await model_registry.review(
            self._aws(_region(deployment)), deployment, approved, note
        )

    async def describe(self, deployment: Deployment) -> Deployment:
        kinds = {resource.kind for resource in deployment.resources}
        aws = self._aws(_region(deployment))
        if "transform-job" in kinds:
            return self._priced(await batch.describe(aws, deployment))
        if "model-package" in kinds:
            return self._priced(await model_registry.describe(aws, deployment))
        if "endpoint" not in kinds:
            return deployment
        return self._priced(*await self._endpoints(_region(deployment)).state(deployment))

    def _priced(self, deployment: Deployment, instances: int = 0) -> Deployment:
        """With what an hour costs, while it costs something."""
        billed = deployment.state in (DeploymentState.RUNNING, DeploymentState.REGISTERED)
        chosen = Options.model_validate(deployment.options)
        return replace(deployment, cost=self._prices.hourly(chosen, instances) if billed else "")

    async def invoke(
        self, deployment: Deployment, body: bytes, content_type: str, accept: str
    ) -> Invocation:
        chosen = Options.model_validate(deployment.options)
        if not chosen.is_endpoint:
            raise UnsupportedError(
                f"{deployment.name} is a {chosen.thing}: it answers no requests.",
                deployment.message,
            )
        sizes.check_request(len(body), chosen)
        aws = self._aws(_region(deployment))
        started = time.perf_counter()
        if chosen.kind == "async":
            answer = await asynchronous.invoke(
                aws, deployment, body, content_type, accept, self._poll_seconds
            )
        else:
            answer = await aws.invoke(deployment.name, body, content_type, accept)
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
        progress.phase("delete", f"Removing {deployment.name} and what belongs to it")
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

    def follow_logs(self, deployment: Deployment) -> AsyncIterator[str]:
        aws = self._aws(_region(deployment))
        for resource in deployment.resources:
            if resource.kind == "transform-job":
                return follow(aws, batch.LOG_GROUP, f"{resource.name}/", self._poll_seconds)
        return follow(aws, f"{LOG_GROUP}/{deployment.name}", "", self._poll_seconds)

    async def logs(self, deployment: Deployment, tail: int = 200) -> str:
        endpoints = self._endpoints(_region(deployment))
        for resource in deployment.resources:
            if resource.kind == "transform-job":
                return await endpoints.job_log(resource.name, tail)
        return await endpoints.log(deployment.name, tail)

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
