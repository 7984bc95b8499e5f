"""The registry client against Debian's docker-registry."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from jupyter_mlops.core import image_ref, oci_shapes
from jupyter_mlops.core.errors import (
    DigestMismatchError,
    ManifestRejectedError,
    NotFoundError,
    RegistryDeniedError,
    RegistryError,
    RegistryUnavailableError,
)
from jupyter_mlops.core.image_ref import ImageRef
from jupyter_mlops.core.ports import Credentials, Descriptor
from jupyter_mlops.core.settings import Settings
from jupyter_mlops.oci.client import RegistryClient
from jupyter_mlops.oci.registries import OciRegistries
from tests.parts.registry import RunningRegistry, free_port
from tests.parts.token_server import REFRESH_TOKEN

from .conftest import changed

pytestmark = pytest.mark.registry


def repository(registry: RunningRegistry, name: str) -> ImageRef:
    return image_ref.parse(registry.project(name))


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


async def put_artifact(client: RegistryClient, ref: ImageRef, content: bytes) -> str:
    """A manifest with one layer; returns its digest."""
    config = b"{}"
    for blob in (config, content):
        await client.put_blob(ref, digest_of(blob), blob)
    manifest = oci_shapes.image_manifest(
        Descriptor(oci_shapes.OCI_CONFIG, digest_of(config), len(config)),
        (Descriptor(oci_shapes.OCI_LAYER, digest_of(content), len(content)),),
    )
    return await client.put_manifest(ref, oci_shapes.OCI_MANIFEST, manifest)


async def test_blobs_travel_both_ways_and_arrive_whole(
    registry: RunningRegistry, registries: OciRegistries, tmp_path: Path
) -> None:
    client, ref = registries.registry(registry.host), repository(registry, "blobs")
    content = os.urandom(5_000_001)
    source, digest = tmp_path / "source", digest_of(content)
    source.write_bytes(content)
    assert not await client.has_blob(ref, digest)
    await client.put_blob(ref, digest, source)
    assert await client.has_blob(ref, digest)
    await client.put_blob(ref, digest, source)
    await client.blob(ref, digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content
    assert await client.read_blob(ref, digest) == content
    with pytest.raises(RegistryError, match="larger"):
        await client.read_blob(ref, digest, limit=1000)
    await client.put_blob(ref, digest_of(b""), b"")
    assert await client.read_blob(ref, digest_of(b"")) == b""
    await client.close()
    assert await client.has_blob(ref, digest)
    await client.close()


async def test_a_blob_with_other_bytes_than_its_digest_is_refused_on_the_way_up(
    registry: RunningRegistry, registries: OciRegistries
) -> None:
    client, ref = registries.registry(registry.host), repository(registry, "wrong")
    with pytest.raises(DigestMismatchError, match="not what its digest says"):
        await client.put_blob(ref, digest_of(b"this"), b"that")
    assert not await client.has_blob(ref, digest_of(b"this"))
    assert not await client.has_blob(ref, digest_of(b"that"))


async def test_a_blob_that_the_registry_has_damaged_never_appears(
    registry: RunningRegistry, registries: OciRegistries, tmp_path: Path
) -> None:
    client, ref = registries.registry(registry.host), repository(registry, "damaged")
    content = b"x" * 100_000
    digest = digest_of(content)
    await client.put_blob(ref, digest, content)
    hexadecimal = digest.removeprefix("sha256:")
    stored = next((registry.folder / "data").rglob(f"sha256/??/{hexadecimal}/data"))
    stored.write_bytes(b"y" + content[1:])
    try:
        with pytest.raises(DigestMismatchError):
            await client.blob(ref, digest, tmp_path / "copy")
        with pytest.raises(DigestMismatchError):
            await client.read_blob(ref, digest)
    finally:
        stored.write_bytes(content)
    assert not (tmp_path / "copy").exists() and not (tmp_path / "copy.part").exists()


async def test_what_is_not_there(
    registry: RunningRegistry, registries: OciRegistries, tmp_path: Path
) -> None:
    client, ref = registries.registry(registry.host), repository(registry, "nothing")
    assert await client.manifest(ref.with_tag("latest")) is None
    assert await client.manifest(ref.with_digest(digest_of(b"nothing"))) is None
    assert await client.tags(ref) == []
    with pytest.raises(NotFoundError, match="has lost a part"):
        await client.blob(ref, digest_of(b"nothing"), tmp_path / "copy")
    await client.delete(ref.with_tag("latest"))


async def test_manifests_keep_their_bytes_and_tags_are_sorted(
    registry: RunningRegistry, registries: OciRegistries
) -> None:
    client, ref = registries.registry(registry.host), repository(registry, "manifests")
    digests = {}
    for tag in ("b", "c", "a"):
        digests[tag] = await put_artifact(client, ref.with_tag(tag), tag.encode())
    assert await client.tags(ref) == ["a", "b", "c"]
    by_tag = await client.manifest(ref.with_tag("a"))
    by_digest = await client.manifest(ref.with_digest(digests["a"]))
    assert by_tag is not None and by_tag == by_digest
    assert digest_of(by_tag.content) == digests["a"]
    assert by_tag.media_type == oci_shapes.OCI_MANIFEST
    index = oci_shapes.snapshot_index(
        Descriptor(by_tag.media_type, by_tag.digest, len(by_tag.content)),
        Descriptor(by_tag.media_type, digests["b"], len(by_tag.content)),
        {"note": "ä"},
    )
    await client.put_manifest(ref.with_tag("index"), oci_shapes.OCI_INDEX, index)
    found = await client.manifest(ref.with_tag("index"))
    assert found is not None and found.content == index
    await client.delete(ref.with_digest(digests["c"]))
    assert await client.manifest(ref.with_tag("c")) is None


async def test_a_manifest_without_its_blobs_is_rejected(
    registry: RunningRegistry, registries: OciRegistries
) -> None:
    client, ref = registries.registry(registry.host), repository(registry, "rejected")
    missing = Descriptor(oci_shapes.OCI_CONFIG, digest_of(b"nowhere"), 7)
    manifest = oci_shapes.image_manifest(missing, ())
    with pytest.raises(ManifestRejectedError, match="MANIFEST_BLOB_UNKNOWN"):
        await client.put_manifest(ref.with_tag("x"), oci_shapes.OCI_MANIFEST, manifest)


async def test_a_blob_of_another_repository_is_mounted(
    registry: RunningRegistry, registries: OciRegistries
) -> None:
    client = registries.registry(registry.host)
    source, target = repository(registry, "from"), repository(registry, "to")
    await client.put_blob(source, digest_of(b"shared"), b"shared")
    assert await client.mount_blob(target, digest_of(b"shared"), source)
    assert await client.has_blob(target, digest_of(b"shared"))
    assert not await client.mount_blob(target, digest_of(b"unknown"), source)


async def test_nobody_answers(registries: OciRegistries) -> None:
    ref = image_ref.parse(f"127.0.0.1:{free_port()}/team/x:y")
    with pytest.raises(RegistryUnavailableError, match="does not answer") as caught:
        await registries.registry(ref.registry).manifest(ref)
    assert "address" in caught.value.hint


async def test_https_is_spoken_to_hosts_that_are_not_listed(
    registry: RunningRegistry, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = registry.host.rpartition(":")[2]
    host = f"registry.test:{port}"
    from jupyter_mlops.oci import transport

    assert not transport.is_plain(settings, host)
    assert transport.is_plain(settings, "[::1]:5000")
    assert transport.is_plain(settings, "localhost")
    listed = changed(settings, insecure_registries=(host,))
    assert listed.registry(host)._transport.plain
    monkeypatch.setattr(transport, "is_plain", lambda settings, host: False)
    refused = OciRegistries(settings).registry(registry.host)
    with pytest.raises(RegistryUnavailableError, match="does not speak HTTPS"):
        await refused.tags(repository(registry, "x"))


async def test_passwords(auth_registry: RunningRegistry, settings: Settings) -> None:
    host, ref = auth_registry.host, repository(auth_registry, "basic")
    nobody = OciRegistries(settings).registry(host)
    with pytest.raises(RegistryDeniedError, match="does not let you") as caught:
        await nobody.tags(ref)
    assert f"docker login {host}" in caught.value.hint
    wrong = OciRegistries(settings).registry(host, Credentials("team", "wrong"))
    with pytest.raises(RegistryDeniedError):
        await wrong.put_blob(ref, digest_of(b"x"), b"x")
    right = changed(
        settings, registry_credentials={host: (auth_registry.user, auth_registry.password)}
    ).registry(host)
    await put_artifact(right, ref.with_tag("one"), b"one")
    assert await right.tags(ref) == ["one"]
    assert await right.credentials() == Credentials(auth_registry.user, auth_registry.password)
    assert auth_registry.password not in repr(await right.credentials())


async def test_tokens(token_registry: RunningRegistry, settings: Settings) -> None:
    host, ref = token_registry.host, repository(token_registry, "tokens")
    login = Credentials(token_registry.user, token_registry.password)
    member = OciRegistries(settings).registry(host, login)
    await put_artifact(member, ref.with_tag("one"), b"one")
    assert await member.tags(ref) == ["one"]
    other = repository(token_registry, "tokens2")
    assert await member.mount_blob(other, digest_of(b"one"), ref)
    await member.delete(ref.with_tag("one"))
    public = image_ref.parse(f"{host}/public/data:one")
    await put_artifact(member, public, b"one")

    nobody = OciRegistries(settings).registry(host)
    assert await nobody.tags(public) == ["one"]
    with pytest.raises(RegistryDeniedError, match="does not let you read"):
        await nobody.tags(ref)
    with pytest.raises(RegistryDeniedError, match="does not let you write"):
        await nobody.put_blob(public, digest_of(b"two"), b"two")
    wrong = OciRegistries(settings).registry(host, Credentials("team", "wrong"))
    with pytest.raises(RegistryDeniedError, match="does not accept the login of 'team'"):
        await wrong.tags(ref)
    refreshed = OciRegistries(settings).registry(host, Credentials("<token>", REFRESH_TOKEN))
    assert await refreshed.has_blob(other, digest_of(b"one"))
