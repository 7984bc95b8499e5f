"""Manifests as bytes: what is written, read, converted and refused."""

from __future__ import annotations

import json

import pytest

from jupyter_mlops.core import oci_shapes
from jupyter_mlops.core.errors import InvalidError, ManifestRejectedError, UnsupportedError
from jupyter_mlops.core.ports import Descriptor
from jupyter_mlops.core.snapshot import ARTIFACT_TYPE, CONFIG_TYPE, Member

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def oci_image(layer: str = oci_shapes.OCI_LAYER_GZIP, config: str = oci_shapes.OCI_CONFIG) -> bytes:
    return oci_shapes.image_manifest(Descriptor(config, A, 10), (Descriptor(layer, B, 20),))


def test_schema_2_names_the_same_blobs() -> None:
    kind, content = oci_shapes.to_schema2(oci_image())
    assert kind == oci_shapes.DOCKER_MANIFEST
    assert json.loads(content) == {
        "schemaVersion": 2,
        "mediaType": oci_shapes.DOCKER_MANIFEST,
        "config": {"mediaType": oci_shapes.DOCKER_CONFIG, "size": 10, "digest": A},
        "layers": [
            {
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "size": 20,
                "digest": B,
            }
        ],
    }
    # Once more: other bytes would be another digest.
    assert oci_shapes.to_schema2(content) == (kind, content)


def test_schema_2_of_a_manifest_that_names_no_type() -> None:
    document = json.loads(oci_image())
    del document["mediaType"]
    kind, content = oci_shapes.to_schema2(json.dumps(document).encode())
    assert kind == oci_shapes.DOCKER_MANIFEST and B in content.decode()


@pytest.mark.parametrize(
    "layer",
    [
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
    ],
)
def test_zstd_layers_have_no_name_in_schema_2(layer: str) -> None:
    with pytest.raises(UnsupportedError, match="compressed") as caught:
        oci_shapes.to_schema2(oci_image(layer))
    assert "gzip" in caught.value.hint


def test_what_is_no_image_is_not_converted() -> None:
    with pytest.raises(ManifestRejectedError, match="artifact"):
        oci_shapes.to_schema2(oci_image(config=CONFIG_TYPE))
    image = Descriptor(oci_shapes.OCI_MANIFEST, A, 1)
    with pytest.raises(InvalidError, match="list of images"):
        oci_shapes.to_schema2(oci_shapes.snapshot_index(image, image, {}))
    for content in (b"", b"[]", b"<html>"):
        with pytest.raises(InvalidError):
            oci_shapes.to_schema2(content)


def test_the_platform_is_chosen_and_attestations_are_not() -> None:
    def entry(digest: str, system: str, architecture: str) -> dict[str, object]:
        platform = {"os": system, "architecture": architecture}
        kind = oci_shapes.OCI_MANIFEST
        return {"mediaType": kind, "digest": digest, "size": 1, "platform": platform}

    entries = [entry(A, "unknown", "unknown"), entry(B, "linux", "arm64")]
    content = json.dumps({"manifests": [*entries, entry(C, "linux", "amd64")]}).encode()
    assert oci_shapes.choose_platform(content).digest == C
    assert oci_shapes.choose_platform(content, "arm64").digest == B
    with pytest.raises(UnsupportedError, match="linux/amd64") as caught:
        oci_shapes.choose_platform(json.dumps({"manifests": entries}).encode())
    assert caught.value.hint == "It is made for linux/arm64."


def test_a_snapshot_is_read_as_it_was_written() -> None:
    image = Descriptor(oci_shapes.OCI_MANIFEST, A, 1)
    members = (Member("lock", "pylock.toml", C, 3),)
    bundle = oci_shapes.bundle_manifest(Descriptor(CONFIG_TYPE, B, 2), members, image)
    document = json.loads(bundle)
    assert document["artifactType"] == ARTIFACT_TYPE
    assert document["layers"][0]["annotations"] == {
        "org.opencontainers.image.title": "pylock.toml",
        "io.jupyter-mlops.role": "lock",
    }
    shape = oci_shapes.read_bundle(bundle)
    assert (shape.config.digest, shape.subject.digest) == (B, A)
    index = oci_shapes.snapshot_index(image, shape.config, {"z": "1", "a": "2"})
    assert index == oci_shapes.snapshot_index(image, shape.config, {"a": "2", "z": "1"})
    read = oci_shapes.read_snapshot_index(index)
    assert (read.image.digest, read.bundle.digest) == (A, B)
    assert read.image.platform == {"architecture": "amd64", "os": "linux"}
    for other in (oci_image(), b'{"manifests": [{}]}', b"{}"):
        with pytest.raises(InvalidError):
            oci_shapes.read_snapshot_index(other)
        with pytest.raises(InvalidError):
            oci_shapes.read_bundle(other)
