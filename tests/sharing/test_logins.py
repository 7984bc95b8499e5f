"""Registries that want a login, that refuse, and that go away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_mlops.core.errors import RegistryDeniedError, RegistryUnavailableError
from jupyter_mlops.core.snapshot import Snapshot
from jupyter_mlops.oci.registries import OciRegistries
from jupyter_mlops.services.sharing import Sharing
from tests.parts.registry import RunningRegistry, start_registry
from tests.parts.services import Recorder

from .test_open import forget

if TYPE_CHECKING:
    from jupyter_mlops.wiring import Services

pytestmark = [pytest.mark.docker, pytest.mark.podman, pytest.mark.registry]


def sharing_as(services: Services, registry: RunningRegistry, password: str) -> Sharing:
    """The sharing of somebody whose configuration has this login."""
    login = {registry.host: (registry.user, password)} if password else {}
    settings = replace(services.settings, registry_credentials=login)
    return Sharing(
        settings=settings,
        store=services.store,
        engines=services.engines,
        blobs=services.blobs,
        snapshots=services.snapshots,
        registries=OciRegistries(settings),
        kernel_specs=services.kernel_specs,
    )


@pytest.fixture(autouse=True)
def nobody_has_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))


@pytest.mark.parametrize("kind", ["auth_registry", "token_registry"])
async def test_engine_and_client_log_in_with_what_is_configured(
    kind: str,
    request: pytest.FixtureRequest,
    services: Services,
    teammate: Services,
    shared_snapshot: Snapshot,
    recorder: Recorder,
) -> None:
    door: RunningRegistry = request.getfixturevalue("registry")
    registry: RunningRegistry = request.getfixturevalue(kind)
    # Through the open door first, so that only little has to go through the guarded one.
    await services.sharing.publish(shared_snapshot.id, door.project(kind), Recorder())
    project = registry.project(kind)
    for password in ("", "wrong"):
        outsider = sharing_as(services, registry, password)
        with pytest.raises(RegistryDeniedError):
            await outsider.publish(shared_snapshot.id, project, recorder)
        with pytest.raises(RegistryDeniedError):
            await outsider.catalogue(project)
    assert "image" not in recorder.phases

    await sharing_as(services, registry, registry.password).publish(
        shared_snapshot.id, project, recorder
    )
    with pytest.raises(RegistryDeniedError):
        await sharing_as(teammate, registry, "").open(project, shared_snapshot.id, recorder)
    member = sharing_as(teammate, registry, registry.password)
    assert [e.id for e in await member.catalogue(project)] == [shared_snapshot.id]
    opened = await member.open(project, shared_snapshot.id, recorder)
    assert opened.image == shared_snapshot.image
    await member.publish(opened.id, project, recorder)
    await forget(teammate, opened.id)
    assert registry.password not in recorder.text


@pytest.mark.parametrize("phase", ["image", "bundle"])
async def test_a_registry_that_stops_in_the_middle(
    phase: str,
    services: Services,
    shared_snapshot: Snapshot,
    registry: RunningRegistry,
    tmp_path: Path,
) -> None:
    await services.sharing.publish(shared_snapshot.id, registry.project("stops"), Recorder())
    second = start_registry(tmp_path / "second", data=registry.folder / "data")
    project = second.project("stops")
    recorder = Recorder(on_phase=lambda name: second.stop() if name == phase else None)
    try:
        with pytest.raises(RegistryUnavailableError) as caught:
            await services.sharing.publish(shared_snapshot.id, project, recorder)
    finally:
        second.stop()
    assert second.host in caught.value.message
    assert recorder.phases[-1] == phase
    snapshot = await services.snapshots.get(shared_snapshot.id)
    assert project not in [p.project for p in snapshot.publications]
    engine = await services.engines.engine()
    assert await engine.image(f"{project}:{shared_snapshot.id}.image") is None
