"""The image that arrives is in the one format that SageMaker takes, or it is refused."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from jupyter_mlops.core.errors import (
    ManifestRejectedError,
)
from jupyter_mlops.core.image_ref import ImageRef, parse
from jupyter_mlops.core.oci_shapes import (
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    digest,
)
from jupyter_mlops.core.ports import Manifest, Registry
from tests.parts.aws import Aws, Hosting
from tests.parts.model_image import archive
from tests.parts.sagemaker_bench import NOTHING, SAMPLE, Bench, left, manifest_of, pushed_tags

pytestmark = [pytest.mark.aws, pytest.mark.docker, pytest.mark.registry]


@contextmanager
def committed_by_podman(layer: bytes, folder: Path) -> Iterator[str]:
    """An image that Podman committed itself: it pushes such ones as OCI."""
    file = folder / "image.tar"
    loaded = f"localhost/mlops/loaded-{uuid.uuid4().hex[:8]}:latest"
    ref = loaded.replace("loaded", "committed")
    file.write_bytes(archive(loaded, layer))

    def podman(*arguments: str) -> str:
        done = subprocess.run(["podman", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    podman("load", "-q", "-i", str(file))
    container = podman("create", loaded, "serve")
    podman("commit", "-q", "--format", "oci", container, ref)
    podman("rm", container)
    yield "sha256:" + podman("inspect", "-t", "image", "-f", "{{.Id}}", ref)
    podman("rmi", "-f", ref, loaded)


@pytest.fixture
def podman_image(model_layer: bytes, tmp_path: Path) -> Iterator[str]:
    with committed_by_podman(model_layer, tmp_path) as image:
        yield image


@pytest.fixture
def fresh_podman_image(model_layer: bytes, tmp_path: Path) -> Iterator[str]:
    """One that Podman has not compressed yet: it reuses what it knows of older ones."""
    buffer = io.BytesIO(model_layer)
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        entry = tarfile.TarInfo("random")
        entry.size = 4096
        tar.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    with committed_by_podman(buffer.getvalue(), tmp_path) as image:
        yield image


@pytest.mark.podman
async def test_podmans_oci_manifest_is_converted(
    aws: Aws, hosting: Hosting, make_bench: Callable[..., Bench], podman_image: str
) -> None:
    bench = make_bench(podman_image, "podman")
    deployment = await bench.deploy()
    assert deployment.details["manifest_converted"] is True

    package = await bench.package()
    pushed = await manifest_of(bench, f"{bench.host}/{bench.repository}:{package.id}")
    assert pushed.media_type == OCI_MANIFEST
    named = await manifest_of(bench, deployment.details["image"])
    assert named.media_type == DOCKER_MANIFEST
    before, after = json.loads(pushed.content), json.loads(named.content)
    assert [x["digest"] for x in before["layers"]] == [x["digest"] for x in after["layers"]]

    # Docker pulls the converted manifest by digest, and what it runs answers.
    answer = await bench.target.invoke(deployment, SAMPLE, "application/json", "application/json")
    assert json.loads(answer.body)["predictions"] == [6, 14]

    again = await bench.deploy("again")
    assert "The registry has this image already." in bench.watch.messages
    assert again.details["image"] == deployment.details["image"]


@pytest.mark.podman
async def test_layers_that_docker_cannot_read_are_compressed_anew(
    aws: Aws, hosting: Hosting, make_bench: Callable[..., Bench], fresh_podman_image: str
) -> None:
    """Podman compressed with zstd: such a push is accepted by every registry, and never runs."""
    bench = make_bench(fresh_podman_image, "podman")
    package = await bench.package()
    seed = f"{bench.host}/{bench.repository}:seed"
    zstd = ("--tls-verify=false", "--compression-format", "zstd")
    await anyio.run_process(["podman", "push", "-q", *zstd, fresh_podman_image, seed])
    # The engine's own push finds zstd layers there and reuses them.
    deployment = await bench.deploy()
    pushed = await manifest_of(bench, f"{bench.host}/{bench.repository}:{package.id}")
    assert "zstd" in pushed.content.decode()
    named = await manifest_of(bench, deployment.details["image"])
    assert named.media_type == DOCKER_MANIFEST
    assert all(
        layer["mediaType"].endswith(".gzip") for layer in json.loads(named.content)["layers"]
    )
    # Docker pulls it by digest, and what it runs answers.
    answer = await bench.target.invoke(deployment, SAMPLE, "application/json", "application/json")
    assert json.loads(answer.body)["predictions"] == [6, 14]
    assert not any(bench.settings.data.rglob("image.tar"))


async def test_an_index_with_an_attestation(
    aws: Aws, hosting: Hosting, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What BuildKit builds, and Docker with containerd's images pushes: a list of the image and of
    a statement on how it was built."""
    engine = await bench.engines.engine()
    registry = bench.registries.registry(bench.host)
    push = engine.push

    async def push_index(ref: str, *arguments: Any) -> str:
        plain = await registry.manifest(parse(ref).with_digest(await push(ref, *arguments)))
        assert plain is not None
        statement = await put_attestation(registry, parse(ref), plain.digest)
        entries = [
            (plain, {"architecture": "amd64", "os": "linux"}),
            (statement, {"architecture": "unknown", "os": "unknown"}),
        ]
        index = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                {
                    "mediaType": entry.media_type,
                    "digest": entry.digest,
                    "size": len(entry.content),
                    "platform": platform,
                }
                for entry, platform in entries
            ],
        }
        return await registry.put_manifest(parse(ref), OCI_INDEX, json.dumps(index).encode())

    monkeypatch.setattr(engine, "push", push_index)
    deployment = await bench.deploy()
    named = await manifest_of(bench, deployment.details["image"])
    assert named.media_type == DOCKER_MANIFEST
    answer = await bench.target.invoke(deployment, SAMPLE, "application/json", "application/json")
    assert json.loads(answer.body)["predictions"] == [6, 14]


async def put_attestation(registry: Registry, ref: ImageRef, subject: str) -> Manifest:
    """As BuildKit writes them: an image of one layer, a statement of in-toto's."""
    statement = json.dumps({"_type": "https://in-toto.io/Statement/v0.1", "subject": []}).encode()
    config = json.dumps({"architecture": "unknown", "os": "unknown"}).encode()
    for content in (statement, config):
        await registry.put_blob(ref, digest(content), content)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": digest(config), "size": len(config)},
        "layers": [
            {
                "mediaType": "application/vnd.in-toto+json",
                "digest": digest(statement),
                "size": len(statement),
                "annotations": {"vnd.docker.reference.digest": subject},
            }
        ],
    }
    content = json.dumps(manifest).encode()
    written = await registry.put_manifest(ref.with_tag("statement"), OCI_MANIFEST, content)
    return Manifest(OCI_MANIFEST, written, content)


async def test_a_manifest_that_sagemaker_rejects(aws: Aws, bench: Bench) -> None:
    aws.front.refuse_manifests = True
    with pytest.raises(ManifestRejectedError) as caught:
        await bench.deploy()
    assert "Unsupported manifest media type" in caught.value.message
    assert "schema 2" in caught.value.hint
    assert left(aws) == NOTHING
    assert await pushed_tags(bench) == []
