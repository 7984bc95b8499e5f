"""What an endpoint is told: machines, capture, asynchronous answers, and how it is updated."""

from __future__ import annotations

from typing import Any

from .names import FOLDER, bucket_name
from .options import Options

VARIANT = "main"


def prefix(options: Options, objects: str, part: str) -> str:
    """Where AWS itself writes for a deployment: ``s3://bucket/jupyter-mlops/NAME/part``."""
    return f"s3://{bucket_name(options)}/{FOLDER}/{objects}/{part}"


def config(options: Options, name: str) -> dict[str, Any]:
    """Parameters of CreateEndpointConfig for a model of the same name."""
    return {
        "EndpointConfigName": name,
        "ProductionVariants": [_variant(options, name)],
        **_capture(options, name),
        **_asynchronous(options, name),
    }


def _variant(options: Options, model: str) -> dict[str, Any]:
    variant: dict[str, Any] = {"VariantName": VARIANT, "ModelName": model}
    if options.kind == "serverless":
        variant["ServerlessConfig"] = {
            "MemorySizeInMB": options.memory,
            "MaxConcurrency": options.concurrency,
        }
    else:
        variant["InstanceType"] = options.instance_type
        variant["InitialInstanceCount"] = options.instance_count
    return variant


def _capture(options: Options, name: str) -> dict[str, Any]:
    if not options.capture:
        return {}
    return {
        "DataCaptureConfig": {
            "EnableCapture": True,
            "InitialSamplingPercentage": options.capture,
            "DestinationS3Uri": prefix(options, name, "capture"),
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        }
    }


def _asynchronous(options: Options, name: str) -> dict[str, Any]:
    if options.kind != "async":
        return {}
    return {
        "AsyncInferenceConfig": {
            "OutputConfig": {
                "S3OutputPath": prefix(options, name, "answers"),
                "S3FailurePath": prefix(options, name, "failures"),
            }
        }
    }


def rollout(options: Options) -> dict[str, Any]:
    """Parameters of UpdateEndpoint: how SageMaker moves requests to the new instances, and when
    it goes back by itself. Nothing for serverless endpoints, which have no instances."""
    if options.kind == "serverless":
        return {}
    size = {"Type": "CAPACITY_PERCENT", "Value": options.rollout_percent}
    wait = options.rollout_wait
    if options.rollout == "rolling":
        policy: dict[str, Any] = {
            "RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": wait}
        }
    else:
        routing: dict[str, Any] = {
            "Type": options.rollout.upper().replace("-", "_"),
            "WaitIntervalInSeconds": wait,
        }
        if options.rollout == "canary":
            routing["CanarySize"] = size
        if options.rollout == "linear":
            routing["LinearStepSize"] = size
        policy = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    if options.rollback_alarms:
        alarms = [{"AlarmName": name} for name in options.rollback_alarms]
        policy["AutoRollbackConfiguration"] = {"Alarms": alarms}
    return {"DeploymentConfig": policy}
