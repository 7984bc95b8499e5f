"""Snapshots in files: for machines that share no network."""

from __future__ import annotations

import filecmp
import json
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_mlops.core.errors import ConflictError, InvalidError, MlopsError, NotFoundError
from jupyter_mlops.core.snapshot import Snapshot
from tests.parts.engines import ensure
from tests.parts.services import Recorder, open_services, run_apart

from .conftest import command
from .test_open import forget, left_behind, run_in

if TYPE_CHECKING:
    from traitlets.config import Config

    from jupyter_mlops.wiring import Services

pytestmark = [pytest.mark.docker, pytest.mark.podman]


@pytest.fixture(scope="module")
def saved(
    services_config: Config, shared_snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    file = tmp_path_factory.mktemp("saved") / "snapshot.tar"

    async def save() -> None:
        services = open_services(services_config)
        try:
            await services.sharing.save(shared_snapshot.id, file, Recorder())
        finally:
            await services.close()

    run_apart(save())
    return file


async def test_a_file_brings_a_snapshot_to_another_engine(
    services: Services,
    teammate: Services,
    shared_snapshot: Snapshot,
    saved: Path,
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    loaded = await teammate.sharing.load(saved, recorder)
    assert (loaded.id, loaded.image) == (shared_snapshot.id, shared_snapshot.image)
    assert loaded.origin == "file:snapshot.tar"
    said, _ = await run_in(teammate, loaded.ref, "cat /opt/env/notes/hello.txt")
    assert said == "frozen with the kernel"
    await teammate.snapshots.unpack(loaded, tmp_path / "files")
    assert (tmp_path / "files" / "train.ipynb").is_file()
    # Loaded once more, it stays what it was; saved again, it is the same file.
    assert await teammate.sharing.load(saved, recorder) == loaded
    copy = tmp_path / "copy.tar"
    await teammate.sharing.save(loaded.id, copy, recorder)
    assert filecmp.cmp(copy, saved, shallow=False)
    await forget(teammate, loaded.id)
    assert await left_behind(teammate, loaded) == []


def test_skopeo_reads_it(saved: Path, shared_snapshot: Snapshot, tmp_path: Path) -> None:
    source = f"oci-archive:{saved}:{shared_snapshot.id}"
    index = json.loads(command("skopeo", "inspect", "--raw", source))
    assert [m["platform"]["os"] for m in index["manifests"]] == ["linux", "unknown"]
    command("skopeo", "copy", "--all", "--preserve-digests", source, f"oci:{tmp_path / 'copy'}:x")
    config = command("skopeo", "inspect", "--config", "--raw", source)
    assert json.loads(config)["rootfs"]["diff_ids"]


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_engines_read_it_without_us(
    engine: str,
    saved: Path,
    shared_snapshot: Snapshot,
    teammate_config: Config,
    short_folder: Path,
    services_config: Config,
) -> None:
    del services_config
    ref = f"mlops/snapshot/{shared_snapshot.id}:latest"
    program = [engine]
    if engine == "podman":
        root = short_folder / "alone"
        program += ["--root", str(root), "--runroot", f"{root}-run", "--storage-driver", "overlay"]
    said = command(*program, "load", "-i", str(saved))
    assert shared_snapshot.id in said
    found = command(*program, "image", "inspect", "--format", "{{.Id}}", ref).strip()
    assert found.removeprefix("sha256:") == shared_snapshot.image.removeprefix("sha256:")
    if engine == "podman":
        command(*program, "rmi", "--all", "--force")
        ensure("remove_store", str(root))
        shutil.rmtree(f"{root}-run", ignore_errors=True)


@pytest.fixture
def wrong_files(saved: Path, tmp_path: Path) -> list[Path]:
    """No archive, an empty one, half a snapshot, and one with a changed bit."""
    text = tmp_path / "text.tar"
    text.write_text("hello")
    empty = tmp_path / "empty.tar"
    tarfile.open(empty, "w").close()
    half = tmp_path / "half.tar"
    content = saved.read_bytes()
    half.write_bytes(content[: len(content) // 2])
    damaged = tmp_path / "damaged.tar"
    middle = len(content) // 2
    damaged.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    return [text, empty, half, damaged]


async def test_files_that_are_no_snapshots(
    teammate: Services,
    shared_snapshot: Snapshot,
    wrong_files: list[Path],
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    for file in wrong_files:
        with pytest.raises(MlopsError) as caught:
            await teammate.sharing.load(file, recorder)
        assert file.name in caught.value.message
        assert await left_behind(teammate, shared_snapshot) == []
    with pytest.raises(NotFoundError):
        await teammate.sharing.load(tmp_path / "missing.tar", recorder)
    assert not list((Path(teammate.settings.data) / "blobs" / "scratch").iterdir())


async def test_where_to_save(
    services: Services, shared_snapshot: Snapshot, recorder: Recorder, tmp_path: Path
) -> None:
    taken = tmp_path / "taken.tar"
    taken.write_text("keep me")
    with pytest.raises(ConflictError, match="already"):
        await services.sharing.save(shared_snapshot.id, taken, recorder)
    assert taken.read_text() == "keep me"
    with pytest.raises(NotFoundError, match="does not exist"):
        await services.sharing.save(shared_snapshot.id, tmp_path / "no" / "x.tar", recorder)
    with pytest.raises((InvalidError, NotFoundError)):
        await services.sharing.save("s-0123456789abcdef", tmp_path / "x.tar", recorder)
