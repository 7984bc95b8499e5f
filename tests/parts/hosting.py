"""A stand-in for SageMaker's hosting: it runs the container that CreateModel named."""

from __future__ import annotations

import io
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import httpx

if TYPE_CHECKING:
    from .aws import Aws

LABEL = "io.jupyter-mlops.kind"


class Hosting:
    """What SageMaker does with an endpoint: pulls the model's image by digest, unpacks its
    model.tar.gz, runs ``serve`` with the model read-only, and passes requests on."""

    def __init__(self, aws: Aws, folder: Path) -> None:
        self._aws = aws
        self._folder = folder
        self._docker = docker.from_env()
        self._running: dict[str, str] = {}
        self._containers: list[Any] = []
        self._images: list[str] = []

    def ask(self, endpoint: str, body: bytes, content_type: str, accept: str) -> httpx.Response:
        if endpoint not in self._running:
            self._running[endpoint] = self._start(endpoint)
        url = self._running[endpoint]
        headers = {"Content-Type": content_type, "Accept": accept or "*/*"}
        return httpx.post(f"{url}/invocations", content=body, headers=headers, timeout=60)

    def _start(self, endpoint: str) -> str:
        sagemaker = self._aws.client("sagemaker")
        config = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
        variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)
        model = variants["ProductionVariants"][0]["ModelName"]
        described = sagemaker.describe_model(ModelName=model)["PrimaryContainer"]
        image = described["Image"]
        self._docker.images.pull(image)
        self._images.append(image)
        folder = self._unpack(described["ModelDataUrl"], endpoint)
        container = self._docker.containers.create(
            image,
            "serve",
            labels={LABEL: "test-hosting"},
            environment=described.get("Environment", {}),
            mounts=[docker.types.Mount("/opt/ml/model", str(folder), type="bind", read_only=True)],
            ports={"8080/tcp": ("127.0.0.1", None)},
            read_only=True,
            tmpfs={"/tmp": ""},
        )
        self._containers.append(container)
        container.start()
        url = self._url(container)
        self._wait(container, url)
        return url

    def _unpack(self, url: str, endpoint: str) -> Path:
        bucket, _, key = url.removeprefix("s3://").partition("/")
        archive = self._aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        folder = self._folder / endpoint
        folder.mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            tar.extractall(folder, filter="data")
        return folder

    def _url(self, container: Any) -> str:
        container.reload()
        port = container.attrs["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"]
        return f"http://127.0.0.1:{port}"

    def _wait(self, container: Any, url: str) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                if httpx.get(f"{url}/ping", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"no /ping within 60 s:\n{container.logs().decode()}")

    def close(self) -> None:
        for container in self._containers:
            container.remove(force=True)
        for image in dict.fromkeys(self._images):
            self._docker.images.remove(image, force=True)
        for kept in (self._running, self._containers, self._images):
            kept.clear()
        self._docker.close()
