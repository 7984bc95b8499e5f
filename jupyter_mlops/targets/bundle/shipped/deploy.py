#!/usr/bin/env python3
"""Deploy this folder to Amazon SageMaker. Needs Python 3.8 and boto3; no Docker, no other network.

    python3 deploy.py create --role arn:aws:iam::123456789012:role/NAME
    python3 deploy.py ask
    python3 deploy.py delete

Credentials, region, proxies and AWS_CA_BUNDLE are taken from where the AWS command line takes them.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import ssl
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

HERE = Path(__file__).resolve().parent
SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG2 = "application/vnd.docker.container.image.v1+json"
LAYER2 = "application/vnd.docker.image.rootfs.diff.tar.gzip"
CHUNK = 1024 * 1024


class Problem(Exception):
    """What happened, and what to do."""


# ------------------------------------------------------------------------------ the folder


def facts() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / "bundle.json").read_text("utf-8"))
    return found


def verify() -> None:
    """Compare every file with SHA256SUMS."""
    for line in (HERE / "SHA256SUMS").read_text("utf-8").splitlines():
        expected, _, name = line.partition("  ")
        hashed = hashlib.sha256()
        try:
            with (HERE / name).open("rb") as file:
                for chunk in iter(lambda: file.read(CHUNK), b""):
                    hashed.update(chunk)
        except OSError as error:
            raise Problem(f"{name} is missing. Copy the folder again.") from error
        if hashed.hexdigest() != expected:
            raise Problem(f"{name} has other bytes than it was written with. Copy it again.")
    say("The files are as they were written.")


class Layout:
    """The OCI layout in image.tar."""

    def __init__(self) -> None:
        self._tar = tarfile.open(HERE / "image.tar", "r:")  # noqa: SIM115 open to the end
        index = json.loads(self._read("index.json"))
        self.manifest = json.loads(self._blob(index["manifests"][0]["digest"]))

    def parts(self) -> list[dict[str, Any]]:
        """Layers, then the configuration."""
        return [*self.manifest["layers"], self.manifest["config"]]

    def open(self, digest: str) -> BinaryIO:
        file = self._tar.extractfile("blobs/" + digest.replace(":", "/", 1))
        assert file is not None
        return file  # type: ignore[return-value]

    def schema2(self) -> bytes:
        """The manifest in the one format that SageMaker takes; the same blobs."""
        config, layers = self.manifest["config"], self.manifest["layers"]
        document = {
            "schemaVersion": 2,
            "mediaType": SCHEMA2,
            "config": {"mediaType": CONFIG2, "size": config["size"], "digest": config["digest"]},
            "layers": [
                {"mediaType": LAYER2, "size": layer["size"], "digest": layer["digest"]}
                for layer in layers
            ],
        }
        return json.dumps(document, separators=(",", ":")).encode()

    def _blob(self, digest: str) -> bytes:
        return self.open(digest).read()

    def _read(self, name: str) -> bytes:
        file = self._tar.extractfile(name)
        assert file is not None
        return file.read()


# ---------------------------------------------------------------------------- the registry


class Registry:
    """One repository, by the OCI distribution API."""

    def __init__(self, host: str, repository: str, user: str, password: str) -> None:
        local = host.split(":")[0] in ("127.0.0.1", "localhost")
        self._base = f"{'http' if local else 'https'}://{host}/v2/{repository}"
        self.name = f"{host}/{repository}"
        self._login = base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""
        handlers: list[Any] = [urllib.request.ProxyHandler({})] if local else []
        bundle = os.environ.get("AWS_CA_BUNDLE")
        if bundle:
            context = ssl.create_default_context(cafile=bundle)
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

    def push(self, layout: Layout, tag: str) -> str:
        """Send what is missing; returns the verified digest of the manifest."""
        for part in layout.parts():
            self._put_blob(part["digest"], part["size"], layout)
        content = layout.schema2()
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self._call("PUT", f"/manifests/{tag}", content, {"Content-Type": SCHEMA2})
        # A push that was answered with "created" proves nothing: look.
        back = self._call("GET", f"/manifests/{digest}", None, {"Accept": SCHEMA2})
        if back.headers.get_content_type() != SCHEMA2 or back.read() != content:
            raise Problem(
                f"{self.name} does not keep the manifest as it was sent, and SageMaker takes only "
                "Docker's schema 2. Use a registry that keeps it, such as ECR."
            )
        return digest

    def _put_blob(self, digest: str, size: int, layout: Layout) -> None:
        if self._call("HEAD", f"/blobs/{digest}", None, {}, missing=True) is not None:
            return
        say(f"  sending {digest[:19]}… ({size / 1e6:.1f} MB)")
        place = self._location(self._call("POST", "/blobs/uploads/", b"", {}))
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        place = self._location(self._call("PATCH", place, layout.open(digest), headers))
        mark = "&" if "?" in place else "?"
        query = urllib.parse.urlencode({"digest": digest})
        self._call("PUT", f"{place}{mark}{query}", b"", {"Content-Length": "0"})

    def _location(self, answer: Any) -> str:
        return str(urllib.parse.urljoin(self._base, answer.headers["Location"]))

    def _call(
        self, method: str, path: str, body: Any, headers: dict[str, str], missing: bool = False
    ) -> Any:
        url = path if path.startswith("http") else self._base + path
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        # The login is for this registry; its storage elsewhere signs its own addresses.
        if self._login and urllib.parse.urlsplit(url).netloc in self._base:
            request.add_unredirected_header("Authorization", f"Basic {self._login}")
        try:
            return self._opener.open(request, timeout=300)
        except urllib.error.HTTPError as error:
            if error.code == 404 and missing:
                return None
            said = error.read(500).decode(errors="replace").strip()
            raise Problem(f"{self.name} refuses {method} ({error.code}): {said}") from None
        except OSError as error:
            raise Problem(f"{self.name} does not answer: {error}") from None


# ------------------------------------------------------------------------------------- AWS


class Account:
    """AWS as these credentials see it."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        try:
            import boto3
        except ImportError:
            raise Problem("boto3 is missing. Install it: pip install boto3") from None
        session: Any = boto3.session.Session
        self._session = session(
            region_name=arguments.region or None, profile_name=arguments.profile or None
        )
        self.region = self._session.region_name
        if not self.region:
            raise Problem("No region is known. Add --region, such as --region eu-west-1.")
        self.id = str(self.client("sts").get_caller_identity()["Account"])

    def client(self, service: str) -> Any:
        return self._session.client(service)

    def repository(self, name: str, host: str) -> Registry:
        """Our repository; of ECR, made if missing."""
        if host:
            user = os.environ.get("REGISTRY_USER", "")
            return Registry(host, name, user, os.environ.get("REGISTRY_PASSWORD", ""))
        ecr = self.client("ecr")
        try:
            ecr.describe_repositories(repositoryNames=[name])
        except ecr.exceptions.RepositoryNotFoundException:
            ecr.create_repository(repositoryName=name)
            say(f"Created the repository {name}.")
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        user, _, password = base64.b64decode(token).decode().partition(":")
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return Registry(f"{self.id}.dkr.ecr.{self.region}.{suffix}", name, user, password)

    def bucket(self, name: str) -> str:
        """The bucket for the model; made if missing."""
        name = name or f"sagemaker-{self.region}-{self.id}"
        s3 = self.client("s3")
        if name not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            place = {"LocationConstraint": self.region}
            more = {} if self.region == "us-east-1" else {"CreateBucketConfiguration": place}
            s3.create_bucket(Bucket=name, **more)
            say(f"Created the bucket {name}.")
        return name


def upload(account: Account, arguments: argparse.Namespace) -> dict[str, str]:
    """Image and model to AWS, where they are not there yet; returns where they are."""
    known = facts()
    registry = account.repository(arguments.repository, arguments.registry)
    say(f"Pushing the image to {registry.name}")
    digest = registry.push(Layout(), known["package"])
    bucket = account.bucket(arguments.bucket)
    key = f"jupyter-mlops/{known['package']}/{known['model']['digest'][7:23]}/model.tar.gz"
    say(f"Uploading the model to s3://{bucket}/{key}")
    account.client("s3").upload_file(str(HERE / "model.tar.gz"), bucket, key)
    return {"ImageUri": f"{registry.name}@{digest}", "ModelDataUrl": f"s3://{bucket}/{key}"}


def create(account: Account, arguments: argparse.Namespace) -> None:
    sagemaker = account.client("sagemaker")
    name, known = arguments.name, facts()
    if status(sagemaker, name):
        raise Problem(
            f"There is an endpoint {name} already. Choose another --name, or delete that one."
        )
    where = upload(account, arguments)
    own = f"{name}-{uuid.uuid4().hex[:8]}"[-63:].lstrip("-")
    tags = [
        {"Key": f"io.jupyter-mlops.{key}", "Value": value}
        for key, value in (
            ("package", known["package"]),
            ("snapshot", known["snapshot"]),
            ("image", known["package_image"]),
        )
    ]
    variant: dict[str, Any] = {"VariantName": "main", "ModelName": own}
    if arguments.serverless:
        variant["ServerlessConfig"] = {
            "MemorySizeInMB": arguments.serverless,
            "MaxConcurrency": 5,
        }
    else:
        variant["InstanceType"] = arguments.instance_type
        variant["InitialInstanceCount"] = arguments.instance_count
    container = {"Image": where["ImageUri"], "ModelDataUrl": where["ModelDataUrl"]}
    undo: list[Callable[[], Any]] = []
    try:
        say(f"Creating the endpoint {name}")
        sagemaker.create_model(
            ModelName=own,
            ExecutionRoleArn=arguments.role,
            PrimaryContainer=container,
            Tags=tags,
        )
        undo.append(lambda: sagemaker.delete_model(ModelName=own))
        sagemaker.create_endpoint_config(
            EndpointConfigName=own, ProductionVariants=[variant], Tags=tags
        )
        undo.append(lambda: sagemaker.delete_endpoint_config(EndpointConfigName=own))
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=own, Tags=tags)
        undo.append(lambda: sagemaker.delete_endpoint(EndpointName=name))
        wait(sagemaker, name, arguments.poll)
    except BaseException:
        say("Removing what was created")
        for step in reversed(undo):
            try:
                step()
            except Exception as error:
                say(f"  not removed: {error}")
        raise
    say(f"The endpoint {name} is in service. Ask it: python3 deploy.py ask --name {name}")


def status(sagemaker: Any, name: str) -> str:
    """Of an endpoint; empty where there is none."""
    from botocore.exceptions import ClientError

    try:
        return str(sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"])
    except ClientError as error:
        if "not find" in str(error) or "NotFound" in str(error):
            return ""
        raise


def wait(sagemaker: Any, name: str, seconds: float) -> None:
    while True:
        seen = sagemaker.describe_endpoint(EndpointName=name)
        if seen["EndpointStatus"] == "InService":
            return
        if seen["EndpointStatus"] not in ("Creating", "Updating", "SystemUpdating"):
            reason = seen.get("FailureReason", "no reason was given")
            raise Problem(
                f"The endpoint {name} is {seen['EndpointStatus']}: {reason} Its log is in "
                f"CloudWatch, /aws/sagemaker/Endpoints/{name}."
            )
        time.sleep(seconds)


def ask(account: Account, arguments: argparse.Namespace) -> None:
    sample = facts()["sample"]
    answer = account.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=arguments.name,
        Body=(HERE / sample["file"]).read_bytes(),
        ContentType=sample["content_type"],
        Accept=sample["accept"],
    )
    sys.stdout.buffer.write(answer["Body"].read() + b"\n")


def delete(account: Account, arguments: argparse.Namespace) -> None:
    """Endpoint, configuration and model. Image and model file stay: others may use them."""
    sagemaker, name = account.client("sagemaker"), arguments.name
    if not status(sagemaker, name):
        raise Problem(f"There is no endpoint {name} in {account.region}.")
    config = sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    sagemaker.delete_endpoint(EndpointName=name)
    sagemaker.delete_endpoint_config(EndpointConfigName=config)
    for variant in variants:
        sagemaker.delete_model(ModelName=variant["ModelName"])
    say(f"Deleted the endpoint {name}. Its image and model.tar.gz stay in ECR and S3.")


def bring(account: Account, arguments: argparse.Namespace) -> None:
    """``upload``: for CloudFormation, or by hand."""
    values = {**upload(account, arguments), "RoleArn": arguments.role}
    listed = [{"ParameterKey": k, "ParameterValue": v} for k, v in values.items() if v]
    text = json.dumps(listed, indent=2) + "\n"
    if arguments.parameters:
        Path(arguments.parameters).write_text(text, "utf-8")
        say(f"The template's parameters are in {arguments.parameters}.")
    else:
        sys.stdout.write(text)


# ------------------------------------------------------------------------- the command line


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parse() -> argparse.Namespace:
    name = facts()["name"]
    top = argparse.ArgumentParser(description="Deploy this folder to Amazon SageMaker.")
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND", required=True)

    def verb(named: str, help: str, run: Callable[..., None]) -> argparse.ArgumentParser:
        parser = verbs.add_parser(named, help=help, description=help)
        parser.set_defaults(run=run)
        parser.add_argument("--region", default="")
        parser.add_argument("--profile", default="")
        return parser

    verbs.add_parser("check", help="compare the files with SHA256SUMS").set_defaults(run=None)
    making = verb("create", "bring image and model to AWS, and create an endpoint", create)
    bringing = verb("upload", "bring image and model to AWS, for cloudformation.json", bring)
    asking = verb("ask", "send the sample request to the endpoint", ask)
    deleting = verb("delete", "delete the endpoint, its configuration and its model", delete)
    for parser in (making, asking, deleting):
        parser.add_argument("--name", default=name, help=f"of the endpoint (default: {name})")
    for parser in (making, bringing):
        parser.add_argument("--bucket", default="", help="default: sagemaker-REGION-ACCOUNT")
        parser.add_argument("--repository", default="sagemaker-mlops", help="in Amazon ECR")
        parser.add_argument(
            "--registry",
            default="",
            metavar="HOST",
            help="instead of ECR; its login is in REGISTRY_USER and REGISTRY_PASSWORD",
        )
    role = "ARN of the role that SageMaker runs the model with"
    making.add_argument("--role", required=True, help=role)
    making.add_argument("--instance-type", default="ml.m5.large")
    making.add_argument("--instance-count", type=int, default=1)
    making.add_argument("--serverless", type=int, default=0, metavar="MB", help="its memory")
    making.add_argument("--poll", type=float, default=10, help="seconds between looks")
    bringing.add_argument("--role", default="", help=role)
    bringing.add_argument("--parameters", default="", metavar="FILE", help="default: print them")
    return top.parse_args()


def fail(message: object) -> NoReturn:
    say(f"deploy.py: {message}")
    sys.exit(1)


def main() -> None:
    arguments = parse()
    try:
        verify()
        if arguments.run is not None:
            arguments.run(Account(arguments), arguments)
    except Problem as problem:
        fail(problem)
    except KeyboardInterrupt:
        fail("interrupted; what had been created was removed.")
    except Exception as error:
        # boto3's own words name the action and the resource.
        if type(error).__module__.partition(".")[0] not in ("botocore", "boto3"):
            raise
        fail(error)


if __name__ == "__main__":
    main()
