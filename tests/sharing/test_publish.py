"""Publishing to Debian's docker-registry, and what others find there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from jupyter_mlops.core import image_ref, oci_shapes
from jupyter_mlops.core.bundle import bundle_config, snapshot_from_config
from jupyter_mlops.core.errors import InvalidError, RegistryUnavailableError
from jupyter_mlops.core.snapshot import Snapshot
from jupyter_mlops.oci.registries import OciRegistries
from tests.parts.registry import RunningRegistry, free_port
from tests.parts.services import Recorder

from .conftest import command

if TYPE_CHECKING:
    from jupyter_mlops.wiring import Services

pytestmark = [pytest.mark.docker, pytest.mark.registry]


async def test_a_published_snapshot_is_an_index_of_image_and_bundle(
    services: Services, shared_snapshot: Snapshot, registry: RunningRegistry, recorder: Recorder
) -> None:
    project = registry.project("shape")
    snapshot = await services.sharing.publish(shared_snapshot.id, project, recorder)
    (published,) = (p for p in snapshot.publications if p.project == project)
    assert recorder.phases == ["check", "image", "bundle", "verify"]

    client, ref = OciRegistries(services.settings).registry(registry.host), image_ref.parse(project)
    id = snapshot.id
    assert await client.tags(ref) == [id, f"{id}.bundle", f"{id}.image"]
    index = await client.manifest(ref.with_tag(id))
    assert index is not None and index.digest == published.digest
    document = json.loads(index.content)
    assert [m["platform"]["os"] for m in document["manifests"]] == ["linux", "unknown"]
    assert all("artifactType" not in m for m in document["manifests"])
    assert document["annotations"]["org.opencontainers.image.title"] == "shared"
    bundle = await client.manifest(ref.with_tag(f"{id}.bundle"))
    image = await client.manifest(ref.with_tag(f"{id}.image"))
    assert bundle is not None and image is not None
    shape = oci_shapes.read_bundle(bundle.content)
    assert shape.subject.digest == image.digest
    assert [m.digest for m in shape.members] == [m.digest for m in snapshot.members]
    config = await client.read_blob(ref, shape.config.digest)
    assert config == bundle_config(snapshot)
    assert snapshot_from_config(config).id == id
    await client.close()

    again = await services.sharing.publish(snapshot.id, project, recorder)
    assert [p.digest for p in again.publications if p.project == project] == [index.digest]
    assert len(again.publications) == len(snapshot.publications)


@pytest.mark.parametrize("suffix", ["", ".image"])
async def test_docker_alone_pulls_and_runs_it(
    services: Services,
    shared_snapshot: Snapshot,
    registry: RunningRegistry,
    recorder: Recorder,
    suffix: str,
) -> None:
    project = registry.project("plain")
    await services.sharing.publish(shared_snapshot.id, project, recorder)
    ref = f"{project}:{shared_snapshot.id}{suffix}"
    try:
        command("docker", "pull", "-q", ref)
        said = command(
            *("docker", "run", "--rm", "--network", "none", ref),
            *("cat", "/opt/env/notes/hello.txt"),
        )
    finally:
        command("docker", "rmi", ref)
    assert said == "frozen with the kernel"


async def test_the_catalogue_lists_what_was_published(
    services: Services, shared_snapshot: Snapshot, registry: RunningRegistry, recorder: Recorder
) -> None:
    project = registry.project("catalogue")
    assert await services.sharing.catalogue(project) == []
    await services.sharing.publish(shared_snapshot.id, project, recorder)
    for _ in range(2):
        (entry,) = await services.sharing.catalogue(project)
        assert (entry.id, entry.name, entry.note) == (shared_snapshot.id, "shared", "a note")
        assert (entry.environment, entry.revision) == ("tiny", 1)
        assert (entry.owner, entry.created) == (shared_snapshot.owner, shared_snapshot.created)
        assert entry.files == 1 and entry.local


async def test_where_to_publish(
    services: Services, shared_snapshot: Snapshot, recorder: Recorder
) -> None:
    for wrong in ("", "team/churn", "registry.example.com/team/churn:tag", "Team!/x"):
        with pytest.raises(InvalidError):
            await services.sharing.publish(shared_snapshot.id, wrong, recorder)
    nowhere = f"127.0.0.1:{free_port()}/team/churn"
    with pytest.raises(RegistryUnavailableError, match="does not answer"):
        await services.sharing.publish(shared_snapshot.id, nowhere, recorder)
    with pytest.raises(RegistryUnavailableError):
        await services.sharing.catalogue(nowhere)
    snapshot = await services.snapshots.get(shared_snapshot.id)
    assert all(nowhere != p.project for p in snapshot.publications)
    engine = await services.engines.engine()
    assert await engine.image(f"{nowhere}:{shared_snapshot.id}.image") is None
