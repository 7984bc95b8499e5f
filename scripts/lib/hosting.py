"""What SageMaker's hosting does with an endpoint, on this machine: pull the image that CreateModel
named by its digest, unpack model.tar.gz read-only, run `serve`, pass one request on.

usage: hosting.py ENDPOINT SAMPLE EXPECTED   (AWS_ENDPOINT_URL and AWS_DEFAULT_REGION are set)
"""

from __future__ import annotations

import io
import json
import math
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import docker

SCHEMA_2 = "application/vnd.docker.distribution.manifest.v2+json"


def main(endpoint: str, sample: str, expected: str) -> None:
    sagemaker = boto3.client("sagemaker")
    described = sagemaker.describe_endpoint(EndpointName=endpoint)
    assert described["EndpointStatus"] == "InService", described["EndpointStatus"]
    config = sagemaker.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    container = model["PrimaryContainer"]
    image = container["Image"]
    check_manifest(image)
    answer = ask(image, container["ModelDataUrl"], Path(sample).read_bytes())
    want = json.loads(Path(expected).read_text())
    assert same(answer, want), f"{answer} is not {want}"
    print(f"InService; {image.split('@')[1][:19]}… is schema 2, pulled, and predicts the same")


def check_manifest(image: str) -> None:
    name, digest = image.split("@")
    host, _, repository = name.partition("/")
    request = urllib.request.Request(
        f"http://{host}/v2/{repository}/manifests/{digest}", headers={"Accept": SCHEMA_2}
    )
    with urllib.request.urlopen(request) as response:
        assert response.headers["Content-Type"] == SCHEMA_2, response.headers["Content-Type"]


def ask(image: str, model: str, body: bytes) -> object:
    client = docker.from_env()
    client.images.pull(image)
    bucket, _, key = model.removeprefix("s3://").partition("/")
    archive = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            tar.extractall(folder, filter="data")
        # Containers read it as root of their own.
        Path(folder).chmod(0o755)
        running = client.containers.run(
            image,
            "serve",
            detach=True,
            read_only=True,
            tmpfs={"/tmp": ""},
            ports={"8080/tcp": ("127.0.0.1", None)},
            mounts=[docker.types.Mount("/opt/ml/model", folder, type="bind", read_only=True)],
        )
        try:
            running.reload()
            port = running.attrs["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"]
            return invoke(f"http://127.0.0.1:{port}", body)
        finally:
            running.remove(force=True)


def invoke(url: str, body: bytes) -> object:
    until = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{url}/ping", timeout=2) as response:
                if response.status == 200:
                    break
        except (urllib.error.URLError, OSError):
            if time.monotonic() > until:
                raise
        time.sleep(0.1)
    request = urllib.request.Request(
        f"{url}/invocations", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def same(a: object, b: object) -> bool:
    """Equal, with room for the last digit of floats."""
    if isinstance(a, float) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-9)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b


if __name__ == "__main__":
    main(*sys.argv[1:])
