"""Deleting: what may go, and what space is said to come back before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.errors import ConflictError, NotFoundError
from jupyter_mlops.core.revision import Revision
from jupyter_mlops.wiring import Services
from tests.parts.live_notebook import LiveNotebook
from tests.parts.services import Recorder, Tiny, tiny_spec

from .test_podman import on_podman, service  # noqa: F401


async def sizes(services: Services, revision: Revision) -> tuple[int, int]:
    """Bytes of a revision's image, and of its base."""
    engine = await services.engines.engine()
    image, base = await engine.image(revision.image), await engine.image(revision.base_image)
    assert image and base
    return image.size, base.size


async def gone(services: Services, *revisions: Revision) -> bool:
    engine = await services.engines.engine()
    return not any([await engine.image(revision.image) for revision in revisions])


async def shared_layers(services: Services) -> None:
    """What the engine itself says of whole images is what is said of layers."""
    environments, deleting = services.environments, services.environments.deleting
    first = await environments.build(tiny_spec(services, name="space"), Recorder())
    whole, base = await sizes(services, first)
    home = services.settings.data / "homes" / "space"
    home.mkdir(parents=True)
    (home / "history").write_bytes(b"x" * 1_000_000)
    alone = await deleting.of_environment("space")
    assert alone.revisions == ("space@1",) and alone.environments == ("space",)
    assert alone.shared == pytest.approx(base, rel=0.02)
    assert 1_000_000 <= alone.home < 1_100_000
    assert alone.freed - alone.home == pytest.approx(whole - base, rel=0.02)
    with pytest.raises(ConflictError, match=r"Revision 1 of space .*: it is the active one"):
        await deleting.of_revision("space", 1)

    # The second revision is the first and one small layer.
    more = tiny_spec(services, name="space", python=("humanize", "six"))
    second = await environments.build(more, Recorder(), replace=True)
    small = (await sizes(services, second))[0] - whole
    old = await deleting.of_revision("space", 1)
    assert old.freed == 0 and old.shared == pytest.approx(whole, rel=0.02)
    assert (await deleting.carry_out(old)).freed == 0
    with pytest.raises(NotFoundError):
        await environments.revision("space", 1)
    assert {f.name for f in services.kernel_specs.path.glob("mlops-space*")} == {
        "mlops-space", "mlops-space.r2"
    }  # fmt: skip

    # The third begins from the base: the second's layers go, and the first's with them.
    less = tiny_spec(services, name="space", python=("six",))
    third = await environments.build(less, Recorder(), replace=True)
    plan = await deleting.of_old("space")
    assert plan.revisions == ("space@2",) and not plan.environments and not plan.kept
    assert plan.freed == pytest.approx(whole - base + small, rel=0.02)
    done = await deleting.carry_out(plan)
    assert (done.freed, done.shared) == (plan.freed, plan.shared)
    assert await gone(services, first, second)
    assert not (await deleting.of_old("space")).revisions

    plan = await deleting.of_environment("space")
    done = await deleting.carry_out(plan)
    assert done == plan
    assert await gone(services, third) and not home.exists()
    for revision in (second, third):
        for digest in (revision.lock, revision.inventory):
            assert not services.blobs.path(digest).exists()
    assert (await environments.bases())[0].name == "debian"
    engine = await services.engines.engine()
    assert await engine.image(third.base_image)


@pytest.mark.docker
async def test_shared_layers(services: Services, tiny_environment: Tiny):
    await shared_layers(services)
    # Blobs that another revision has, too, are still there.
    await services.environments.inventory(tiny_environment.revision)


@pytest.mark.podman
async def test_shared_layers_on_podman(on_podman: Services):  # noqa: F811
    await shared_layers(on_podman)


@pytest.mark.docker
async def test_what_is_needed_stays(
    services: Services, services_config: Any, tiny_environment: Tiny, tmp_path: Path
):
    environments, deleting = services.environments, services.environments.deleting
    first = await environments.build(tiny_spec(services, name="kept"), Recorder())
    file = tmp_path / "work.ipynb"
    async with LiveNotebook(services, services_config, file, "mlops-kept") as notebook:
        await notebook.run("open('/opt/env/data', 'wb').write(b'x' * 3_000_000)")
        with pytest.raises(ConflictError, match="A kernel of it runs"):
            await deleting.of_environment("kept")
        more = tiny_spec(services, name="kept", python=("humanize", "six"))
        second = await environments.build(more, Recorder(), replace=True)
        with pytest.raises(ConflictError, match=r"Revision 1 of kept .*: a kernel of it runs"):
            await deleting.of_revision("kept", 1)
        snapshot = await services.snapshots.create(notebook.kernel_id, "of-kept", "", Recorder())
    child = tiny_spec(services, name="on-kept", base="kept@2", python=(), variables={})
    await environments.build(child, Recorder())
    less = tiny_spec(services, name="kept", python=("six",))
    third = await environments.build(less, Recorder(), replace=True)

    old = await deleting.of_old("kept")
    assert not old.revisions and old.freed == old.shared == 0
    assert [(k.revision, k.reason) for k in old.kept] == [
        ("kept@2", "on-kept starts from it"),
        ("kept@1", "the snapshot of-kept was made from it"),
    ]
    with pytest.raises(ConflictError, match="on-kept starts from it"):
        await deleting.of_environment("kept")
    everything = await deleting.of_old()
    assert not {"kept@1", "kept@2", "kept@3"} & set(everything.revisions)

    await environments.delete("on-kept")
    assert (await deleting.of_old("kept")).revisions == ("kept@2",)
    # The whole environment may go: the snapshot has all layers of the first revision.
    plan = await deleting.of_environment("kept")
    whole, base = await sizes(services, first)
    small = (await sizes(services, second))[0] - whole
    fresh = (await sizes(services, third))[0] - base
    assert plan.freed - plan.home == pytest.approx(fresh + small, rel=0.02)
    assert plan.shared == pytest.approx(whole, rel=0.02)
    done = await deleting.carry_out(plan)
    assert done == plan
    engine = await services.engines.engine()
    assert await engine.image(snapshot.image)
    await services.snapshots.delete(snapshot.id)
    assert await gone(services, first)
