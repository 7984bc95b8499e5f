"""A user's own Dockerfile as the base of environments."""

from __future__ import annotations

from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_mlops.core.errors import BuildFailedError, ConflictError, InvalidError, NotFoundError
from jupyter_mlops.core.layout import LABEL_KIND, LABEL_OWNER
from jupyter_mlops.services.imports.reading import read
from jupyter_mlops.wiring import Services
from tests.parts.engines import BASE_REF, OWNER
from tests.parts.services import Recorder, Tiny, tiny_spec

from .test_additions import command_line

pytestmark = pytest.mark.docker

TEXT = f"""FROM {BASE_REF}
COPY tool /usr/local/bin/tool
RUN chmod +x /usr/local/bin/tool && tool
USER 1000
ENTRYPOINT ["tool"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "my_base"
    made.mkdir()
    (made / "Dockerfile").write_text(TEXT)
    (made / "tool").write_text("#!/bin/sh\necho the tool runs\n")
    return made


async def test_an_environment_starts_from_a_dockerfile(
    services: Services, tiny_environment: Tiny, folder: Path
):
    recorder = Recorder()
    base = await services.environments.build_base("own-file", folder, recorder)
    try:
        assert "the tool runs" in recorder.text and recorder.phases == ["build"]
        assert base.origin == "Dockerfile in my_base" and base.size > 50_000_000
        engine = await services.engines.engine()
        image = await engine.image(base.ref)
        assert image and image.id == base.image
        assert (image.labels[LABEL_KIND], image.labels[LABEL_OWNER]) == ("base", OWNER)
        with pytest.raises(ConflictError, match="own-file"):
            await services.environments.build_base("own-file", folder, Recorder())
        spec = tiny_spec(services, name="on-file", base="own-file", setup="tool")
        recorder = Recorder()
        revision = await services.environments.build(spec, recorder)
        assert "the tool runs" in recorder.text and revision.base_image == base.image
        await services.environments.delete("on-file")
    finally:
        await services.environments.delete_base("own-file")
    assert await engine.image(base.ref) is None


async def test_what_is_wrong_is_named(services: Services, folder: Path, tmp_path: Path):
    with pytest.raises(NotFoundError, match="no Dockerfile at"):
        await services.environments.build_base("broken", tmp_path, Recorder())
    (folder / "Other.dockerfile").write_text(f"FROM {BASE_REF}\n\nRUN echo so far; nonsense\n")
    with pytest.raises(BuildFailedError) as error:
        await services.environments.build_base("broken", folder / "Other.dockerfile", Recorder())
    assert "of the Other.dockerfile (line 3) failed: RUN echo so far" in error.value.message
    assert "nonsense: not found" in error.value.message
    assert "broken" not in [base.name for base in await services.environments.bases()]
    with pytest.raises(InvalidError, match="makes a base image") as wrong:
        await read(folder / "Dockerfile", services.settings)
    assert f"base build {folder}" in wrong.value.hint


async def test_on_the_command_line(services_config: Config, folder: Path, debian_base: str):
    made = await command_line(services_config, "base", "build", str(folder))
    assert (made["name"], made["origin"]) == ("my-base", "Dockerfile in my_base")
    (operation, *_) = await command_line(services_config, "operation", "list")
    assert (operation["kind"], operation["state"]) == ("base", "succeeded")
    await command_line(services_config, "base", "delete", "my-base", "--yes")
    names = [base["name"] for base in await command_line(services_config, "base", "list")]
    assert "my-base" not in names
