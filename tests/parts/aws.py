"""AWS as moto's server speaks it, and a stand-in for SageMaker's hosting that runs containers.

moto accepts more than AWS does, and its endpoints are in service at once. The front before it is
stricter where our code depends on it (manifests, names taken, endpoints that are being made), and
can play the failures of which a real account would give one a month. Everything else is moto's
own: credentials and rights too, once ``enforce`` was called.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from .aws_account import ACCOUNT, REGION
from .aws_front import Front
from .aws_server import listen, moto
from .hosting import Hosting

pytest_plugins = ["tests.parts.model_image"]

ROLE = f"arn:aws:iam::{ACCOUNT}:role/sagemaker-runs"
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
    front = Front(moto())
    server = listen(front, 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
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
