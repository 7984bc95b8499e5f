"""What looks like a secret stays on this machine until the user decides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_mlops.core.errors import SecretsFoundError
from jupyter_mlops.core.snapshot import Snapshot
from tests.parts.registry import RunningRegistry
from tests.parts.services import Recorder, Tiny, open_services, run_apart

from .conftest import freeze
from .test_scanning import AWS_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from traitlets.config import Config

    from jupyter_mlops.wiring import Services

pytestmark = [pytest.mark.docker, pytest.mark.registry]

PLANT = f"""
import os
key = "{AWS_KEY[:4]}" + "{AWS_KEY[4:]}"
open("/var/tmp/notes.txt", "w").write("use " + key)
os.makedirs("/opt/env/deploy")
open("/opt/env/deploy/server.key", "w").write('''{PRIVATE_KEY[:10]}''' + '''{PRIVATE_KEY[10:]}''')
print("connected with", key)
"""
DENIED = """
import os
os.makedirs("/opt/env/.aws")
open("/opt/env/.aws/credentials", "w").write("[default]")
"""
PLANTED = {"train.ipynb", "/var/tmp/notes.txt", "/opt/env/deploy/server.key"}


@pytest.fixture(scope="module")
def leaky(
    services_config: Config, tiny_environment: Tiny, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Snapshot]:
    """Snapshots with secrets: ``planted`` and ``denied``."""

    async def make() -> dict[str, Snapshot]:
        services = open_services(services_config)
        try:
            return {
                name: await freeze(services, tmp_path_factory.mktemp(name), name, cell)
                for name, cell in (("planted", PLANT), ("denied", DENIED))
            }
        finally:
            await services.close()

    made: dict[str, Snapshot] = run_apart(make())
    return made


def traces(registry: RunningRegistry, project: str) -> list[Path]:
    """What the registry has of a project, on its disk."""
    repositories = registry.folder / "data/docker/registry/v2/repositories"
    return list((repositories / project.partition("/")[2]).rglob("*"))


async def test_findings_name_file_line_and_kind_and_hide_the_secret(
    services: Services, leaky: dict[str, Snapshot]
) -> None:
    found = await services.sharing.findings(leaky["planted"].id)
    assert {f.path for f in found} == PLANTED
    rules = {f.path: f.rule for f in found}
    assert rules["train.ipynb"] == rules["/var/tmp/notes.txt"] == "AWS access key id"
    assert rules["/opt/env/deploy/server.key"] == "private key"
    assert all(AWS_KEY not in f.excerpt for f in found)
    assert await services.sharing.findings(leaky["planted"].id) == found
    assert await services.sharing.findings(leaky["planted"].name) == found


async def test_nothing_travels_until_each_file_is_allowed(
    services: Services, leaky: dict[str, Snapshot], registry: RunningRegistry, recorder: Recorder
) -> None:
    project, id = registry.project("leaky"), leaky["planted"].id
    for allow in ((), tuple(PLANTED - {"train.ipynb"})):
        with pytest.raises(SecretsFoundError) as caught:
            await services.sharing.publish(id, project, recorder, allow)
        assert {f.path for f in caught.value.findings} == PLANTED - set(allow)
        assert "train.ipynb" in caught.value.message and AWS_KEY not in str(caught.value)
    assert recorder.phases == ["check", "check"]
    assert traces(registry, project) == []
    assert (await services.snapshots.get(id)).publications == ()

    published = await services.sharing.publish(id, project, recorder, tuple(PLANTED))
    assert [p.project for p in published.publications] == [project]
    assert traces(registry, project)


async def test_files_that_never_travel_cannot_be_allowed(
    services: Services,
    leaky: dict[str, Snapshot],
    registry: RunningRegistry,
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    project, path = registry.project("denied"), "/opt/env/.aws/credentials"
    with pytest.raises(SecretsFoundError) as caught:
        await services.sharing.publish(leaky["denied"].id, project, recorder, (path,))
    assert path in caught.value.hint and "never travel" in caught.value.hint
    assert traces(registry, project) == []
    # A file travels too.
    file = tmp_path / "snapshot.tar"
    with pytest.raises(SecretsFoundError):
        await services.sharing.save(leaky["denied"].id, file, recorder, (path,))
    assert not file.exists()
