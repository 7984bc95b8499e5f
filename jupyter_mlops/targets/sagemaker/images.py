"""The image's way into ECR, and the one manifest format that SageMaker takes.

CreateModel accepts Docker's schema 2 only. Docker 29 and Podman push OCI manifests; ECR stores
them without a word, so what arrived is read back, rewritten where needed, and read back again.
Config and layers stay the blobs they are, but for layers that are not gzip: those are pushed anew.

An admin may name a ``registry_override`` (host:port): images then go there instead of to ECR,
and SageMaker is given that name. It is for AWS stand-ins and private mirrors of ECR.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from ...core.errors import (
    InvalidError,
    ManifestRejectedError,
    RegistryError,
    TargetError,
    UnsupportedError,
)
from ...core.image_ref import ImageRef
from ...core.model_package import ModelPackage
from ...core.oci_shapes import DOCKER_MANIFEST, choose_platform, image, is_index, to_schema2
from ...core.ports import Blobs, Credentials, Engine, Manifest, Progress, Registries, Registry
from .client import Aws
from .plain_words import MissingError
from .recompression import push_gzip


@dataclass(frozen=True)
class Place:
    """Where the image goes."""

    host: str
    repository: str
    override: bool

    def ref(self, tag: str = "", digest: str = "") -> ImageRef:
        return ImageRef(self.repository, self.host, tag, digest)


@dataclass(frozen=True)
class PushedImage:
    uri: str
    """``host/repository@sha256:…``: what SageMaker is given."""
    digest: str
    """Manifest digest."""
    converted: bool
    """Whether the engine's manifest had to be rewritten."""
    pushed: bool
    """False where the registry had it already."""


class Images:
    """One deployment's dealings with ECR and the registry."""

    def __init__(self, aws: Aws, registries: Registries, blobs: Blobs, override: str = "") -> None:
        self._aws = aws
        self._registries = registries
        self._blobs = blobs
        self._override = override

    def place(self, account: str, repository: str) -> Place:
        """Which registry the account's images are in."""
        if self._override:
            return Place(self._override, repository, True)
        suffix = "amazonaws.com.cn" if self._aws.region.startswith("cn-") else "amazonaws.com"
        host = f"{account}.dkr.ecr.{self._aws.region}.{suffix}"
        return Place(host, repository, False)

    async def find_repository(self, repository: str) -> bool:
        """Whether ECR has it."""
        try:
            await self._aws.call("ecr", "describe_repositories", repositoryNames=[repository])
        except MissingError:
            return False
        return True

    async def create_repository(self, repository: str, tags: list[dict[str, str]]) -> None:
        await self._aws.call("ecr", "create_repository", repositoryName=repository, tags=tags)

    async def credentials(self, place: Place) -> Credentials | None:
        """A token of ECR for this push; for an override, what is known of that registry."""
        # Asked for also with an override: it shows a missing right before anything is pushed.
        answer = await self._aws.call("ecr", "get_authorization_token")
        if place.override:
            return await self._registries.registry(place.host).credentials()
        try:
            token = answer["authorizationData"][0]["authorizationToken"]
            user, _, password = base64.b64decode(token).decode().partition(":")
        except (KeyError, IndexError, ValueError):
            raise TargetError("ECR gave no usable token for a push.") from None
        return Credentials(user, password)

    async def push(
        self,
        engine: Engine,
        package: ModelPackage,
        place: Place,
        architecture: str,
        progress: Progress,
    ) -> PushedImage:
        """Push what is missing; returns an image whose manifest is verified to be schema 2."""
        credentials = await self.credentials(place)
        registry = self._registries.registry(place.host, credentials)
        try:
            return await self._push(
                engine, registry, credentials, package, place, architecture, progress
            )
        finally:
            await registry.close()

    async def _push(
        self,
        engine: Engine,
        registry: Registry,
        credentials: Credentials | None,
        package: ModelPackage,
        place: Place,
        architecture: str,
        progress: Progress,
    ) -> PushedImage:
        plain, ready = (place.ref(tag=tag) for tag in _tags(package))
        for ref in (ready, plain):
            present = await registry.manifest(ref)
            if present is not None and _holds(present, package):
                progress.update("The registry has this image already.")
                # A push that was killed leaves its name behind.
                await engine.remove_image(str(plain))
                return _pushed(place, present, converted=ref is ready, pushed=False)
        await engine.tag(package.image, str(plain))
        try:
            reported = await engine.push(str(plain), credentials, progress.log)
        finally:
            await engine.remove_image(str(plain))
        try:
            return await self._verified(
                engine, registry, place, reported, architecture, ready, progress
            )
        except BaseException:
            await self.withdraw(package, place)
            raise

    async def _verified(
        self,
        engine: Engine,
        registry: Registry,
        place: Place,
        reported: str,
        architecture: str,
        ready: ImageRef,
        progress: Progress,
    ) -> PushedImage:
        arrived = await self._read_back(registry, place, reported)
        if is_index(arrived.content):
            one = choose_platform(arrived.content, architecture)
            arrived = await self._read_back(registry, place, one.digest)
        if arrived.media_type == DOCKER_MANIFEST:
            return _pushed(place, arrived, converted=False, pushed=True)
        progress.update("Rewriting the image's manifest in the format that SageMaker takes")
        try:
            _, content = to_schema2(arrived.content)
        except UnsupportedError:
            progress.update("Compressing the image's layers with gzip, which SageMaker reads")
            found = image(arrived.content).config.digest
            packed = await push_gzip(
                engine, self._registries.files, self._blobs, registry, ready, found
            )
            _, content = to_schema2(packed)
        return await self._rewritten(registry, place, content, ready)

    async def _rewritten(
        self, registry: Registry, place: Place, content: bytes, ready: ImageRef
    ) -> PushedImage:
        """Put a manifest of schema 2, and see that the registry keeps it as it is."""
        written = await registry.put_manifest(ready, DOCKER_MANIFEST, content)
        back = await self._read_back(registry, place, written)
        if back.media_type != DOCKER_MANIFEST or back.content != content:
            raise ManifestRejectedError(
                f"The registry {place.host} does not keep the manifest as it was sent: it says "
                f"{back.media_type}.",
                "SageMaker takes Docker's schema 2 only; use one that keeps it, such as ECR.",
            )
        return _pushed(place, back, converted=True, pushed=True)

    async def _read_back(self, registry: Registry, place: Place, digest: str) -> Manifest:
        """A push that was answered with "created" proves nothing: look."""
        found = await registry.manifest(place.ref(digest=digest))
        if found is None:
            raise RegistryError(
                f"The image was pushed to {place.host}/{place.repository}, but it is not there.",
                "Try again; if it happens again, look at the registry's log.",
            )
        return found

    async def withdraw(self, package: ModelPackage, place: Place) -> None:
        """Take this package's push away again. The image stays where another package has the
        same: what runs may have it by its digest. Never raises for what is gone already."""
        if place.override:
            await self._delete_manifests(package, place)
            return
        # ECR deletes an image with its last tag.
        await self._aws.call(
            "ecr",
            "batch_delete_image",
            repositoryName=place.repository,
            imageIds=[{"imageTag": tag} for tag in _tags(package)],
        )

    async def _delete_manifests(self, package: ModelPackage, place: Place) -> None:
        """The registry's own protocol deletes by digest only, with every tag."""
        registry = self._registries.registry(place.host)
        ours = _tags(package)
        try:
            digests: dict[str, str] = {}
            for tag in await registry.tags(place.ref()):
                present = await registry.manifest(place.ref(tag=tag))
                if present is not None:
                    digests[tag] = present.digest
            others = {digest for tag, digest in digests.items() if tag not in ours}
            for digest in {digests[tag] for tag in ours if tag in digests} - others:
                await registry.delete(place.ref(digest=digest))
        except UnsupportedError:
            pass  # Some registries forbid deleting; then an unused manifest stays there.
        finally:
            await registry.close()


def _tags(package: ModelPackage) -> tuple[str, str]:
    """The engine's own push, and the manifest for SageMaker: a tag each, so that this also works
    in repositories whose tags cannot be moved."""
    return package.id, f"{package.id}-sagemaker"


def _holds(manifest: Manifest, package: ModelPackage) -> bool:
    """Whether this is the package's image, in the format that SageMaker takes."""
    if manifest.media_type != DOCKER_MANIFEST:
        return False
    try:
        return image(manifest.content).config.digest == package.image
    except InvalidError:
        return False


def _pushed(place: Place, manifest: Manifest, *, converted: bool, pushed: bool) -> PushedImage:
    return PushedImage(
        uri=str(place.ref(digest=manifest.digest)),
        digest=manifest.digest,
        converted=converted,
        pushed=pushed,
    )
