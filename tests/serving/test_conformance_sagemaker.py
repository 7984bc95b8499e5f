"""SageMaker's endpoint as boto3 and sagemaker-core ask it.

moto keeps the endpoint, and the stand-in for SageMaker's hosting runs its image: this machine's
Python with the serving layer.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from ..parts.aws import REGION, Aws, Hosting
from ..parts.registry import RunningRegistry
from .conftest import asked_by

pytestmark = [pytest.mark.docker, pytest.mark.registry, pytest.mark.aws]

HANDLER = """
def model_fn(folder):
    return 2

def predict_fn(data, model):
    return [model * sum(row) for row in data]
"""
CLIENT = """
    import json
    from sagemaker.core.resources import Endpoint

    # Not Endpoint.get: moto describes endpoints without what it insists on.
    endpoint = Endpoint(endpoint_name="sums")
    given = {"content_type": "application/json", "accept": "application/json"}
    answer = endpoint.invoke(body=b"[[1, 2], [3, 4]]", **given)
    table = endpoint.invoke(body=b"1,2\\n3,4\\n", content_type="text/csv", accept="text/csv")
    try:
        said = ""
        endpoint.invoke(body=b"[[1, 2", **given)
    except Exception as error:
        said = str(error)
    print(json.dumps({
        "body": json.loads(answer.body.read()),
        "content_type": answer.content_type,
        "table": table.body.read().decode(),
        "error": said,
    }))
"""


@pytest.fixture(scope="module")
def image(registry: RunningRegistry, serving_image: str) -> Iterator[str]:
    """Its name in the registry, by digest."""
    client = docker.from_env()
    ref = f"{registry.host}/conformance/serving:1"
    client.images.get(serving_image).tag(ref)
    client.images.push(ref)
    digests = client.images.get(ref).attrs["RepoDigests"]
    yield next(digest for digest in digests if digest.startswith(registry.host))
    client.images.remove(ref)
    client.close()


@pytest.fixture
def endpoint(aws: Aws, hosting: Hosting, image: str) -> str:
    """In service, by the name ``sums``."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        entry = tarfile.TarInfo("code/inference.py")
        entry.size = len(HANDLER)
        tar.addfile(entry, io.BytesIO(HANDLER.encode()))
    s3 = aws.client("s3")
    where = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket="models", CreateBucketConfiguration=where)
    s3.put_object(Bucket="models", Key="sums.tar.gz", Body=out.getvalue())
    sagemaker = aws.client("sagemaker")
    sagemaker.create_model(
        ModelName="sums",
        ExecutionRoleArn=aws.role,
        PrimaryContainer={"Image": image, "ModelDataUrl": "s3://models/sums.tar.gz"},
    )
    variant = {
        "VariantName": "all",
        "ModelName": "sums",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }
    sagemaker.create_endpoint_config(EndpointConfigName="sums", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="sums", EndpointConfigName="sums")
    return "sums"


def test_boto3_and_sagemaker_core(aws: Aws, endpoint: str, clients: Path, tmp_path: Path) -> None:
    runtime = aws.client("sagemaker-runtime")

    def invoke(body: bytes, content_type: str = "application/json", **more: Any) -> Any:
        return runtime.invoke_endpoint(
            EndpointName=endpoint, Body=body, ContentType=content_type, **more
        )

    answer = invoke(b'{"instances": [[1, 2], [3, 4]]}')
    assert answer["ContentType"] == "application/json"
    assert json.loads(answer["Body"].read()) == [6, 14]
    answer = invoke(b"1,2\n3,4\n", "text/csv", Accept="application/jsonlines")
    assert (answer["ContentType"], answer["Body"].read()) == (
        "application/jsonlines",
        b"6.0\n14.0\n",
    )
    with pytest.raises(runtime.exceptions.ModelError) as refused:
        invoke(b"[[1, 2")
    said = refused.value.response
    assert said["OriginalStatusCode"] == 400
    assert said["OriginalMessage"].startswith('{"error": "The body is not JSON')
    with pytest.raises(runtime.exceptions.ModelError) as refused:
        invoke(b"x", "image/png")
    assert refused.value.response["OriginalStatusCode"] == 415

    said = asked_by(
        clients,
        CLIENT,
        HOME=str(tmp_path),
        AWS_ENDPOINT_URL=aws.url,
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
    )
    assert said["body"] == [6, 14]
    assert said["content_type"] == "application/json"
    assert said["table"] == "6.0\n14.0\n"
    assert "400" in said["error"], said
