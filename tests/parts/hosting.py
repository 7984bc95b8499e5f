"""A stand-in for SageMaker's hosting: it runs the container that CreateModel named."""

from __future__ import annotations

import contextlib
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
        self._images: set[str] = set()

    def ask(self, endpoint: str, body: bytes, content_type: str, accept: str) -> httpx.Response:
        """A request to an endpoint, which goes to the model of its configuration."""
        model = self._config(endpoint)["ProductionVariants"][0]["ModelName"]
        return self.ask_model(model, body, content_type, accept)

    def ask_model(self, model: str, body: bytes, content_type: str, accept: str) -> httpx.Response:
        if model not in self._running:
            self._running[model] = self._start(model)
        url = self._running[model]
        headers = {"Content-Type": content_type, "Accept": accept or "*/*"}
        return httpx.post(f"{url}/invocations", content=body, headers=headers, timeout=60)

    def ask_later(
        self, endpoint: str, location: str, content_type: str, accept: str
    ) -> tuple[str, str]:
        """The answer goes to a file in S3; returns where it and a failure would be."""
        s3 = self._aws.client("s3")
        output = self._config(endpoint)["AsyncInferenceConfig"]["OutputConfig"]
        bucket, _, key = location.removeprefix("s3://").partition("/")
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        answer = self.ask(endpoint, body, content_type, accept)
        file = f"{key.rsplit('/', 1)[1]}.out"
        good, bad = f"{output['S3OutputPath']}/{file}", f"{output['S3FailurePath']}/{file}"
        written = good if answer.status_code < 400 else bad
        bucket, _, key = written.removeprefix("s3://").partition("/")
        s3.put_object(Bucket=bucket, Key=key, Body=answer.content)
        return good, bad

    def transform(self, job: str) -> None:
        """What a transform job does: every object of its input is sent to its model."""
        s3 = self._aws.client("s3")
        described = self._aws.client("sagemaker").describe_transform_job(TransformJobName=job)
        source = described["TransformInput"]
        prefix = source["DataSource"]["S3DataSource"]["S3Uri"].removeprefix("s3://")
        into = described["TransformOutput"]["S3OutputPath"].removeprefix("s3://")
        bucket, _, folder = prefix.partition("/")
        for found in s3.list_objects_v2(Bucket=bucket, Prefix=folder)["Contents"]:
            body = s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
            answer = self.ask_model(described["ModelName"], body, source["ContentType"], "")
            answer.raise_for_status()
            out_bucket, _, out = into.partition("/")
            key = f"{out}/{found['Key'].rsplit('/', 1)[1]}.out"
            s3.put_object(Bucket=out_bucket, Key=key, Body=answer.content)

    def _config(self, endpoint: str) -> dict[str, Any]:
        sagemaker = self._aws.client("sagemaker")
        name = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
        found: dict[str, Any] = sagemaker.describe_endpoint_config(EndpointConfigName=name)
        return found

    def _start(self, model: str) -> str:
        described = self._aws.client("sagemaker").describe_model(ModelName=model)[
            "PrimaryContainer"
        ]
        image = described["Image"]
        self._docker.images.pull(image)
        self._images.add(image)
        folder = self._unpack(described["ModelDataUrl"], model)
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
        for image in self._images:
            # The name goes with the last tag of its repository, which the target may have removed.
            with contextlib.suppress(docker.errors.ImageNotFound):
                self._docker.images.remove(image, force=True)
        for kept in (self._running, self._containers, self._images):
            kept.clear()
        self._docker.close()
