"""Opening on another engine what was published from the first."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_mlops.core import image_ref, oci_shapes
from jupyter_mlops.core.bundle import identified
from jupyter_mlops.core.errors import (
    ConflictError,
    DigestMismatchError,
    NotFoundError,
)
from jupyter_mlops.core.layout import LABEL_KIND, LABEL_OWNER
from jupyter_mlops.core.ports import ContainerSpec, Engine, ImageConfig
from jupyter_mlops.core.snapshot import Snapshot
from jupyter_mlops.oci.registries import OciRegistries
from tests.parts.registry import RunningRegistry
from tests.parts.services import Recorder

if TYPE_CHECKING:
    from jupyter_mlops.wiring import Services

pytestmark = [pytest.mark.docker, pytest.mark.podman, pytest.mark.registry]


async def run_in(services: Services, image: str, script: str, tag: str = "") -> tuple[str, str]:
    """Run a shell script in a fresh container; returns its output, and the id of the image that
    is committed as ``tag``."""
    engine = await services.engines.engine()
    labels = {LABEL_KIND: "probe", LABEL_OWNER: services.settings.owner}
    container = await engine.create(
        ContainerSpec(
            image=image,
            name=f"tests-sharing-{id(script):x}",
            labels=labels,
            command=("sleep", "300"),
            entrypoint=(),
            network="none",
        )
    )
    try:
        await engine.start(container)
        code, text = await engine.exec(container, ["sh", "-c", script])
        assert code == 0
        made = ""
        if tag:
            kept = {**labels, LABEL_KIND: "snapshot"}
            made = await engine.commit(container, ImageConfig(labels=kept, tag=tag))
        return text, made
    finally:
        await engine.remove(container)


async def forget(services: Services, id: str) -> None:
    """Take an opened snapshot away again, whole."""
    if await services.store.snapshots.get(id) is not None:
        await services.snapshots.delete(id)
    assert await services.store.snapshots.get(id) is None


async def left_behind(services: Services, snapshot: Snapshot) -> list[str]:
    """Everything of a snapshot that is here."""
    engine: Engine = await services.engines.engine()
    found = [m.title for m in snapshot.members if services.blobs.path(m.digest).exists()]
    if await engine.image(snapshot.image) is not None:
        found.append("image")
    if await services.store.snapshots.get(snapshot.id) is not None:
        found.append("record")
    if (Path(services.kernel_specs.path) / f"mlops-{snapshot.id}").exists():
        found.append("kernel")
    return found


async def test_a_teammate_on_another_engine_gets_the_same_image_and_files(
    services: Services,
    teammate: Services,
    shared_snapshot: Snapshot,
    registry: RunningRegistry,
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    project = registry.project("two-engines")
    await services.sharing.publish(shared_snapshot.id, project, recorder)
    (entry,) = await teammate.sharing.catalogue(project)
    assert not entry.local

    directory = tmp_path / "opened"
    opened = await teammate.sharing.open(project, entry.id, recorder, directory)
    assert opened.id == shared_snapshot.id and opened.image == shared_snapshot.image
    assert opened.origin == f"{project}:{entry.id}" and opened.publications == ()
    assert [p.name for p in directory.iterdir()] == ["train.ipynb"]
    engine = await teammate.engines.engine()
    assert (await engine.info()).name == "podman"
    image = await engine.image(opened.ref)
    assert image is not None and image.id == shared_snapshot.image
    assert image.tags == (opened.ref,)
    assert (await run_in(teammate, opened.ref, "cat /opt/env/notes/hello.txt"))[0] == (
        "frozen with the kernel"
    )
    assert (Path(teammate.kernel_specs.path) / f"mlops-{opened.id}" / "kernel.json").is_file()
    assert (await teammate.snapshots.inventory(opened)) == (
        await services.snapshots.inventory(shared_snapshot)
    )
    (entry,) = await teammate.sharing.catalogue(project)
    assert entry.local

    # Again: nothing is fetched twice, and nothing is overwritten.
    again = await teammate.sharing.open(project, entry.id, Recorder(), tmp_path / "again")
    assert again == opened
    with pytest.raises(ConflictError, match="is not empty"):
        await teammate.sharing.open(project, entry.id, Recorder(), directory)

    # What was opened can be published further, as the same snapshot.
    other = registry.project("further")
    further = await teammate.sharing.publish(opened.id, other, recorder)
    (entry,) = await services.sharing.catalogue(other)
    assert entry.id == further.id == shared_snapshot.id
    await forget(teammate, opened.id)
    assert await left_behind(teammate, opened) == []


async def test_what_podman_made_opens_on_docker(
    services: Services,
    teammate: Services,
    shared_snapshot: Snapshot,
    registry: RunningRegistry,
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    project = registry.project("from-podman")
    await services.sharing.publish(shared_snapshot.id, project, recorder)
    parent = await teammate.sharing.open(project, shared_snapshot.id, recorder)
    tag = "mlops/snapshot/by-podman:latest"
    _, image = await run_in(teammate, parent.ref, "echo podman > /opt/env/notes/hello.txt", tag)
    made = identified(
        replace(parent, name="podman", image=image, revision_image=parent.image, ref=tag, origin="")
    )
    await teammate.store.snapshots.save(made)
    await teammate.sharing.publish(made.id, project, recorder)

    opened = await services.sharing.open(project, made.id, recorder, tmp_path / "opened")
    assert opened.image == image
    assert (await run_in(services, opened.ref, "cat /opt/env/notes/hello.txt"))[0] == "podman\n"
    assert {e.name for e in await services.sharing.catalogue(project)} == {"shared", "podman"}
    await forget(services, opened.id)
    assert await (await services.engines.engine()).image(image) is None
    await forget(teammate, made.id)
    await forget(teammate, parent.id)


async def test_what_cannot_be_opened(
    services: Services,
    teammate: Services,
    shared_snapshot: Snapshot,
    registry: RunningRegistry,
    recorder: Recorder,
) -> None:
    project = registry.project("broken")
    published = await services.sharing.publish(shared_snapshot.id, project, recorder)
    for id in ("s-0123456789abcdef", "latest", f"{published.id}.image"):
        with pytest.raises(NotFoundError, match="There is no snapshot"):
            await teammate.sharing.open(project, id, recorder)

    # A tag that was moved onto another snapshot is found out.
    client = OciRegistries(services.settings).registry(registry.host)
    ref = image_ref.parse(project)
    index = await client.manifest(ref.with_tag(published.id))
    assert index is not None
    moved = "s-0123456789abcdef"
    await client.put_manifest(ref.with_tag(moved), oci_shapes.OCI_INDEX, index.content)
    with pytest.raises(DigestMismatchError, match="another snapshot"):
        await teammate.sharing.open(project, moved, recorder)

    # A part is gone, or damaged, after the image has been fetched: nothing stays behind.
    lock = published.member("lock")
    assert lock is not None
    hexadecimal = lock.digest.removeprefix("sha256:")
    stored = next((registry.folder / "data").rglob(f"sha256/??/{hexadecimal}/data"))
    content = stored.read_bytes()
    stored.write_bytes(content + b"#")
    try:
        with pytest.raises(DigestMismatchError):
            await teammate.sharing.open(project, published.id, recorder)
    finally:
        stored.write_bytes(content)
    assert await left_behind(teammate, published) == []
    await client.close()


@pytest.mark.parametrize("phase", ["image", "files"])
async def test_cancelling_leaves_nothing_behind(
    services: Services,
    teammate: Services,
    shared_snapshot: Snapshot,
    registry: RunningRegistry,
    phase: str,
) -> None:
    project = registry.project("cancelled")
    await services.sharing.publish(shared_snapshot.id, project, Recorder())
    reached = asyncio.Event()
    recorder = Recorder(on_phase=lambda name: reached.set() if name == phase else None)
    opening = asyncio.create_task(
        teammate.sharing.open(project, shared_snapshot.id, recorder, None)
    )
    await reached.wait()
    await asyncio.sleep(0.2 if phase == "image" else 0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert await left_behind(teammate, shared_snapshot) == []


async def test_an_image_that_was_removed_by_hand_comes_back(
    services: Services,
    teammate: Services,
    shared_snapshot: Snapshot,
    registry: RunningRegistry,
    recorder: Recorder,
) -> None:
    project = registry.project("again")
    await services.sharing.publish(shared_snapshot.id, project, recorder)
    opened = await teammate.sharing.open(project, shared_snapshot.id, recorder)
    engine = await teammate.engines.engine()
    await engine.remove_image(opened.ref, force=True)
    with pytest.raises(NotFoundError, match="not on this engine any more"):
        await teammate.sharing.publish(opened.id, registry.project("elsewhere"), recorder)
    assert await teammate.sharing.open(project, opened.id, recorder) == opened
    assert await engine.image(opened.ref) is not None
    await forget(teammate, opened.id)
