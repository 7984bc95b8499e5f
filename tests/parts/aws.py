"""AWS as moto's server speaks it, and a stand-in for SageMaker's hosting that runs containers.

moto accepts more than AWS does, and its endpoints are in service at once. The front before it is
stricter where our code depends on it (manifests, names taken, endpoints that are being made), and
can play the failures of which a real account would give one a month. Everything else is moto's
own: credentials and rights too, once ``enforce`` was called.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

pytest_plugins = ["tests.parts.model_image"]

REGION = "eu-west-1"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/sagemaker-runs"
SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json"
MANIFESTS = (
    f"{SCHEMA2}, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.oci.image.index.v1+json"
)
LABEL = "io.jupyter-mlops.kind"
_KEYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_ENDPOINT_URL",
)


@dataclass
class Front:
    """What stands before moto. A test sets the attributes; ``reset`` clears them."""

    app: Any
    url: str = ""
    statuses: list[str] = field(default_factory=lambda: ["InService"])
    """What a new endpoint says, describe after describe; the last one stays."""
    failure_reason: str = ""
    refuse_manifests: bool = False
    """Refuse every image as CreateModel refuses an OCI manifest."""
    forbidden: set[str] = field(default_factory=set)
    """Actions of SageMaker that are answered with AWS's "access denied"."""
    hosting: Hosting | None = None
    calls: list[str] = field(default_factory=list)
    """Actions of SageMaker in the order they came."""
    _endpoints: dict[str, list[str]] = field(default_factory=dict)

    def reset(self) -> None:
        self.statuses = ["InService"]
        self.failure_reason = ""
        self.refuse_manifests = False
        self.forbidden = set()
        self.hosting = None
        self.calls.clear()
        self._endpoints.clear()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/endpoints/") and path.endswith("/invocations") and self.hosting:
            return self._invoke(path.split("/")[2], environ, start_response)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if not target.startswith("SageMaker."):
            return self.app(environ, start_response)
        action = target.partition(".")[2]
        self.calls.append(action)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if action in self.forbidden:
            said = f"User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: "
            said += f"sagemaker:{action} on resource: *"
            denied = {"__type": "AccessDeniedException", "message": said}
            return _answer(start_response, 400, denied)
        refusal = self._refusal(action, json.loads(body or b"{}"))
        if refusal:
            return _answer(
                start_response, 400, {"__type": "ValidationException", "message": refusal}
            )
        if action == "DescribeEndpoint":
            return self._describe(environ, start_response)
        if action == "CreateEndpoint":
            self._endpoints[json.loads(body)["EndpointName"]] = list(self.statuses)
        if action == "DeleteEndpoint":
            self._endpoints.pop(json.loads(body)["EndpointName"], None)
        return self.app(environ, start_response)

    def _refusal(self, action: str, asked: dict[str, Any]) -> str:
        """What AWS says where moto says nothing."""
        if action == "CreateModel":
            image = asked["PrimaryContainer"]["Image"]
            kind = "application/vnd.oci.image.manifest.v1+json"
            if not self.refuse_manifests:
                kind = manifest_type(image)
            if kind != SCHEMA2:
                return (
                    f"Unsupported manifest media type {kind} for image {image}. Ensure that "
                    "valid manifest media type is used for specified image."
                )
        if action == "CreateEndpoint" and asked["EndpointName"] in self._endpoints:
            return f'Cannot create already existing endpoint "{asked["EndpointName"]}".'
        if action == "DeleteEndpoint" and self._status(asked["EndpointName"]) == "Creating":
            return "Cannot update in-progress endpoint."
        return ""

    def _status(self, name: str) -> str:
        return self._endpoints.get(name, ["InService"])[0]

    def _describe(self, environ: dict[str, Any], start_response: Any) -> Any:
        head: list[Any] = []
        content = b"".join(self.app(environ, lambda *given: head.extend(given)))
        if not head[0].startswith("200"):
            start_response(*head)
            return [content]
        answer = json.loads(content)
        name = answer["EndpointName"]
        answer["EndpointStatus"] = self._status(name)
        if answer["EndpointStatus"] == "Failed":
            answer["FailureReason"] = self.failure_reason
        if len(self._endpoints.get(name, ())) > 1:
            self._endpoints[name].pop(0)
        return _answer(start_response, 200, answer)

    def _invoke(self, name: str, environ: dict[str, Any], start_response: Any) -> Any:
        assert self.hosting is not None
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        answer = self.hosting.ask(
            name, body, environ.get("CONTENT_TYPE", ""), environ.get("HTTP_ACCEPT", "")
        )
        if answer.status_code >= 400:
            error = {
                "OriginalStatusCode": answer.status_code,
                "OriginalMessage": answer.text[:2048],
                "Message": f"Received error ({answer.status_code}) from {name}",
            }
            return _answer(start_response, 424, error, [("x-amzn-errortype", "ModelError")])
        headers = [("Content-Type", answer.headers["content-type"])]
        start_response("200 OK", headers)
        return [answer.content]


def _answer(
    start_response: Any, status: int, body: dict[str, Any], headers: list[Any] | None = None
) -> list[bytes]:
    content = json.dumps(body).encode()
    kind = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(content)))]
    start_response(f"{status} {'OK' if status == 200 else 'Error'}", kind + (headers or []))
    return [content]


def manifest_type(image: str) -> str:
    """The media type that the registry has for ``host/repository@digest``."""
    name, _, digest = image.partition("@")
    host, _, repository = name.partition("/")
    answer = httpx.get(
        f"http://{host}/v2/{repository}/manifests/{digest}", headers={"Accept": MANIFESTS}
    )
    answer.raise_for_status()
    return answer.headers["content-type"]


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
        for image in self._images:
            self._docker.images.remove(image, force=True)
        for kept in (self._running, self._containers, self._images):
            kept.clear()
        self._docker.close()


@dataclass
class Aws:
    """moto's server behind its front."""

    url: str
    front: Front
    region: str = REGION
    account: str = ACCOUNT
    role: str = ROLE

    def client(self, service: str, **options: Any) -> Any:
        import boto3

        session = boto3.session.Session(
            aws_access_key_id="testing", aws_secret_access_key="testing", region_name=self.region
        )
        return session.client(service, endpoint_url=self.url, **options)

    def settings(self, registry_host: str, **more: Any) -> dict[str, Any]:
        """For ``Settings.targets["sagemaker"]``."""
        return {
            "endpoint_url": self.url,
            "registry_override": registry_host,
            "region": self.region,
            "role": self.role,
            "poll_seconds": 0.05,
            **more,
        }

    def user(self, *actions: str) -> tuple[str, str]:
        """Access key and secret of a new user with these rights, as IAM holds them."""
        iam = self.client("iam")
        name = f"user-{time.monotonic_ns()}"
        iam.create_user(UserName=name)
        allowed = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        iam.put_user_policy(
            UserName=name,
            PolicyName="rights",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
        )
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def enforce(self) -> None:
        """From now on moto checks signatures and rights."""
        httpx.post(f"{self.url}/moto-api/reset-auth", content="0").raise_for_status()

    def reset(self) -> None:
        httpx.post(f"{self.url}/moto-api/reset-auth", content="inf").raise_for_status()
        httpx.post(f"{self.url}/moto-api/reset").raise_for_status()
        self.front.reset()
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sagemaker.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        self.client("iam").create_role(
            RoleName=self.role.rsplit("/", 1)[1], AssumeRolePolicyDocument=json.dumps(trust)
        )


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Aws]:
    """moto's server on a free port, in a thread of this process."""
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    class Quiet(MotoRequestHandler):
        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            pass

    front = Front(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, front, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    front.url = f"http://127.0.0.1:{server.server_port}"
    yield Aws(front.url, front)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def aws(
    moto_server: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Aws:
    """An empty AWS account with one role, and credentials for it in the environment."""
    for key in _KEYS:
        monkeypatch.delenv(key, raising=False)
    nothing = tmp_path_factory.mktemp("aws") / "none"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(nothing))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nothing))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("NO_PROXY", _with_loopback(os.environ.get("NO_PROXY", "")))
    moto_server.reset()
    return moto_server


def _with_loopback(hosts: str) -> str:
    return ",".join(filter(None, (hosts, "127.0.0.1", "localhost")))


@pytest.fixture
def hosting(aws: Aws, tmp_path: Path) -> Iterator[Hosting]:
    """Endpoints answer by running their container."""
    stand_in = Hosting(aws, tmp_path / "hosting")
    aws.front.hosting = stand_in
    yield stand_in
    stand_in.close()
