"""Shapes of the OCI image specification as pure functions: bytes in, bytes or records out.

Manifests are compared and addressed by their bytes, so everything written here is canonical:
the same input always gives the same bytes and the same digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import InvalidError, ManifestRejectedError, UnsupportedError
from .ports import Descriptor
from .snapshot import ARTIFACT_TYPE, CONFIG_TYPE, Member

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"

ACCEPT = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)
"""All are asked for always: registry 2.8 says 404 for a manifest of a type not asked for."""

_INDEXES = (OCI_INDEX, DOCKER_LIST)
_SCHEMA2 = {
    OCI_MANIFEST: DOCKER_MANIFEST,
    OCI_CONFIG: DOCKER_CONFIG,
    OCI_LAYER: "application/vnd.docker.image.rootfs.diff.tar",
    OCI_LAYER_GZIP: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip": (
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    ),
}

ROLE = "io.jupyter-mlops.role"
TITLE = "org.opencontainers.image.title"
IMAGE_ROLE, BUNDLE_ROLE = "image", "bundle"


def digest(content: bytes) -> str:
    """``sha256:<hex>``."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def encode(document: Mapping[str, Any]) -> bytes:
    """Canonical JSON; key order is kept, because readers of manifests expect the usual one."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def decode(content: bytes) -> dict[str, Any]:
    """A manifest's JSON object; raises InvalidError."""
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise InvalidError("What the registry holds there is not a manifest.")
    return document


def media_type(content: bytes) -> str:
    """The type that a manifest says or shows it has."""
    document = decode(content)
    if document.get("mediaType"):
        return str(document["mediaType"])
    return OCI_INDEX if "manifests" in document else OCI_MANIFEST


def descriptor(document: Mapping[str, Any]) -> Descriptor:
    """Read a descriptor; raises InvalidError."""
    try:
        return Descriptor(
            media_type=document["mediaType"],
            digest=document["digest"],
            size=document["size"],
            annotations=document.get("annotations") or {},
            platform=document.get("platform"),
        )
    except (KeyError, TypeError):
        raise InvalidError("A manifest describes one of its parts incompletely.") from None


def describe(value: Descriptor) -> dict[str, Any]:
    """A descriptor as JSON."""
    document: dict[str, Any] = {
        "mediaType": value.media_type,
        "digest": value.digest,
        "size": value.size,
    }
    if value.platform:
        document["platform"] = dict(value.platform)
    if value.annotations:
        document["annotations"] = dict(value.annotations)
    return document


# ------------------------------------------------------------------------------- images


@dataclass(frozen=True)
class ImageShape:
    """The parts of one runnable image."""

    config: Descriptor
    """Its digest is the image id."""
    layers: tuple[Descriptor, ...]


def is_index(content: bytes) -> bool:
    return media_type(content) in _INDEXES


def image(content: bytes) -> ImageShape:
    """Read an image manifest of either kind; raises InvalidError for anything else."""
    document = decode(content)
    if is_index(content) or "config" not in document:
        raise InvalidError("This is a list of images, not one image.")
    return ImageShape(
        descriptor(document["config"]),
        tuple(descriptor(layer) for layer in document.get("layers", ())),
    )


def image_manifest(config: Descriptor, layers: tuple[Descriptor, ...]) -> bytes:
    """An OCI image manifest."""
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": describe(config),
            "layers": [describe(layer) for layer in layers],
        }
    )


def choose_platform(
    content: bytes, architecture: str = "amd64", system: str = "linux"
) -> Descriptor:
    """The image for one platform out of an index. Attestations have the platform
    ``unknown/unknown`` and so are never chosen. Raises UnsupportedError, naming what there is."""
    found = []
    for entry in decode(content).get("manifests", ()):
        platform = entry.get("platform") or {}
        name = f"{platform.get('os', 'unknown')}/{platform.get('architecture', 'unknown')}"
        if name == f"{system}/{architecture}":
            return descriptor(entry)
        if "unknown" not in name:
            found.append(name)
    raise UnsupportedError(
        f"The image is not made for {system}/{architecture}.",
        f"It is made for {', '.join(found)}." if found else "",
    )


def to_schema2(content: bytes) -> tuple[str, bytes]:
    """Turn one image's manifest into Docker schema 2: ``(media type, bytes)``.

    Config and layers stay the blobs they are; only their types get other names. A manifest that
    is schema 2 already is returned as it is, since other bytes would be another digest. Raises
    InvalidError for an index (see ``choose_platform``) and UnsupportedError for layers that
    Docker's format has no name for.
    """
    document = decode(content)
    if media_type(content) == DOCKER_MANIFEST:
        return DOCKER_MANIFEST, content
    shape = image(content)
    layers = []
    for layer in shape.layers:
        kind = _SCHEMA2.get(layer.media_type, layer.media_type)
        if kind not in _SCHEMA2.values():
            raise UnsupportedError(
                f"A layer of the image is compressed in a way that Docker's image format does "
                f"not know ({layer.media_type}).",
                "Push the image with gzip compression: in containers.conf set "
                'compression_format = "gzip", or push it with Docker.',
            )
        layers.append({"mediaType": kind, "size": layer.size, "digest": layer.digest})
    if shape.config.media_type not in (OCI_CONFIG, DOCKER_CONFIG):
        raise ManifestRejectedError(
            f"This is not an image but an artifact of type {shape.config.media_type}."
        )
    if document.get("schemaVersion") != 2:
        raise ManifestRejectedError("The image has a manifest of an outdated kind.")
    return DOCKER_MANIFEST, encode(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": {
                "mediaType": DOCKER_CONFIG,
                "size": shape.config.size,
                "digest": shape.config.digest,
            },
            "layers": layers,
        }
    )


# ---------------------------------------------------------------------------- snapshots


@dataclass(frozen=True)
class BundleShape:
    """The parts of a bundle."""

    config: Descriptor
    subject: Descriptor
    """The image's manifest."""
    members: tuple[Descriptor, ...]


def bundle_manifest(config: Descriptor, members: tuple[Member, ...], subject: Descriptor) -> bytes:
    """The bundle: an OCI artifact whose subject is the image."""
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": ARTIFACT_TYPE,
            "config": describe(config),
            "layers": [
                describe(
                    Descriptor(
                        member.media_type,
                        member.digest,
                        member.size,
                        {TITLE: member.title, ROLE: member.role},
                    )
                )
                for member in members
            ],
            "subject": describe(Descriptor(subject.media_type, subject.digest, subject.size)),
        }
    )


def read_bundle(content: bytes) -> BundleShape:
    """Raises InvalidError where this is no bundle of a snapshot."""
    document = decode(content)
    config = descriptor(document.get("config") or {})
    if document.get("artifactType") != ARTIFACT_TYPE or config.media_type != CONFIG_TYPE:
        raise InvalidError("This is not a snapshot's bundle.")
    return BundleShape(
        config,
        descriptor(document.get("subject") or {}),
        tuple(descriptor(layer) for layer in document.get("layers", ())),
    )


@dataclass(frozen=True)
class SnapshotShape:
    """The parts of a snapshot's index."""

    image: Descriptor
    bundle: Descriptor
    annotations: Mapping[str, str]


def snapshot_index(image: Descriptor, bundle: Descriptor, annotations: Mapping[str, str]) -> bytes:
    """The index: engines take the image by its platform and skip the bundle.

    The children carry no ``artifactType``: copying tools drop it and so change the index.
    """
    image_platform = image.platform or {"architecture": "amd64", "os": "linux"}
    unknown = {"architecture": "unknown", "os": "unknown"}
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "artifactType": ARTIFACT_TYPE,
            "manifests": [
                describe(
                    Descriptor(
                        image.media_type,
                        image.digest,
                        image.size,
                        {ROLE: IMAGE_ROLE},
                        image_platform,
                    )
                ),
                describe(
                    Descriptor(
                        bundle.media_type,
                        bundle.digest,
                        bundle.size,
                        {ROLE: BUNDLE_ROLE},
                        unknown,
                    )
                ),
            ],
            "annotations": {key: annotations[key] for key in sorted(annotations)},
        }
    )


def read_snapshot_index(content: bytes) -> SnapshotShape:
    """Raises InvalidError where this is no snapshot."""
    document = decode(content)
    parts = {
        entry.annotations.get(ROLE): entry
        for entry in map(descriptor, document.get("manifests") or ())
    }
    if IMAGE_ROLE not in parts or BUNDLE_ROLE not in parts:
        raise InvalidError("This is not a snapshot.")
    return SnapshotShape(parts[IMAGE_ROLE], parts[BUNDLE_ROLE], document.get("annotations") or {})
