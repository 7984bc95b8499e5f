"""What SageMaker does and moto does not, on moto's own records."""

from __future__ import annotations

from typing import Any

from moto.sagemaker.models import sagemaker_backends

from .aws_account import ACCOUNT, REGION


def _backend() -> Any:
    return sagemaker_backends[ACCOUNT][REGION]


def update_endpoint(asked: dict[str, Any], fails: bool) -> dict[str, Any]:
    """The endpoint has the new configuration at the end, or the old one again."""
    backend = _backend()
    endpoint = backend.endpoints[asked["EndpointName"]]
    if not fails:
        endpoint.endpoint_config_name = asked["EndpointConfigName"]
    return {"EndpointArn": endpoint.arn}


def known_config(name: str) -> bool:
    return name in _backend().endpoint_configs


def delete_model_package(asked: dict[str, Any]) -> bool:
    """False where there is none."""
    backend = _backend()
    arn = backend.model_package_name_mapping.get(asked["ModelPackageName"])
    return backend.model_packages.pop(arn, None) is not None


def delete_model_package_group(asked: dict[str, Any]) -> None:
    _backend().model_package_groups.pop(asked["ModelPackageGroupName"])


def end_transform_job(name: str, status: str, reason: str = "") -> None:
    """moto's are completed at once."""
    job = _backend().transform_jobs[name]
    job.transform_job_status, job.failure_reason = status, reason
