"""Freezing a kernel that lives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
import tomllib

from jupyter_mlops.core.bundle import bundle_config, snapshot_from_config
from jupyter_mlops.core.errors import ConflictError, InvalidError, KernelDeadError
from jupyter_mlops.core.layout import LABEL_ENVIRONMENT, LABEL_KERNEL, LABEL_KIND
from jupyter_mlops.core.snapshot import MEDIA_TYPES
from jupyter_mlops.services.bundles import TITLES
from jupyter_mlops.wiring import Services
from tests.parts.live_notebook import LiveNotebook
from tests.parts.services import Recorder, Tiny

from .conftest import Traces

pytestmark = pytest.mark.docker
Open = Callable[..., LiveNotebook]

PLANT = """
import os, pathlib
for folder in ("/tmp", "/run", "/dev/shm", os.path.expanduser("~"), ".", "/var/tmp"):
    name = folder.strip("/").replace("/", "-") if folder != "." else "workspace"
    pathlib.Path(folder, "planted").write_text("PLANTED" + folder)
pathlib.Path("/opt/env/kept.txt").write_text("kept")
"""


async def test_what_a_snapshot_holds_and_what_it_does_not(
    services: Services, tiny_environment: Tiny, open_notebook: Open, traces: Traces, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / ".env").write_text("TOKEN=PLANTED")
    (project / "data.csv").write_text("1,2")
    recorder = Recorder()
    async with open_notebook(project / "work.ipynb") as notebook:
        await notebook.run("x = 41", "%pip install -q tabulate", PLANT)
        await notebook.run(
            "import threading, time\n"
            "ticks = []\n"
            "def tick():\n"
            "    while True: ticks.append(time.time()); time.sleep(0.01)\n"
            "threading.Thread(target=tick, daemon=True).start()"
        )
        preview = await services.snapshots.preview(notebook.kernel_id)
        container = (await services.kernels.record(notebook.kernel_id)).container
        snapshot = await services.snapshots.create(
            notebook.kernel_id, "whole", "for the team", recorder
        )
        # The kernel is where it was, and goes on.
        assert traces.container(container).status == "running"
        assert await notebook.run("x + 1") == "42"
        before = await notebook.run("before = len(ticks); before")
        after = await notebook.run("time.sleep(0.5); len(ticks)")
        assert int(after) > int(before)

    assert recorder.phases == ["freeze", "inventory", "files", "bundle"]
    assert [(c.name, c.before) for c in snapshot.drift.added] == [("tabulate", "")]
    assert preview.drift == snapshot.drift
    assert {e.path for e in preview.files if e.included} == {"data.csv", "planted", "work.ipynb"}
    assert preview.size < preview.cap

    # The record.
    revision = tiny_environment.revision
    assert (snapshot.environment, snapshot.revision) == ("tiny", revision.number)
    assert (snapshot.base_image, snapshot.revision_image) == (revision.base_image, revision.image)
    assert snapshot.ref == f"mlops/snapshot/{snapshot.id}:latest"
    assert (snapshot.note, snapshot.variables) == ("for the team", {"TINY": "yes"})
    assert snapshot.workspace.notebooks == ("work.ipynb",)
    assert snapshot.workspace.files == 3
    assert snapshot.workspace.skipped == (".env: may hold private settings",)
    assert 0 < snapshot.size < 10_000_000
    assert await services.snapshots.get("whole") == snapshot
    assert await services.snapshots.get(snapshot.id) == snapshot
    assert f"mlops-{snapshot.id}" in traces.specs()

    # The image.
    image = traces.inspect(snapshot.image)
    config = image["Config"]
    assert snapshot.ref in image["RepoTags"]
    assert not config.get("Volumes") and not config.get("Entrypoint")
    assert config["User"] == "0:0", "Not the uid of the kernel's user"
    assert config["Labels"][LABEL_KIND] == "snapshot"
    assert config["Labels"][LABEL_ENVIRONMENT] == "tiny"
    assert not config["Labels"].get(LABEL_KERNEL), "The kernel it was made of is no part of it"
    names = {entry.partition("=")[0] for entry in config["Env"]}
    assert names == {"PATH", "VIRTUAL_ENV", "TINY"}
    layer = traces.top_layer(snapshot.image)
    assert "opt/env/kept.txt" in layer
    assert any(path.endswith("site-packages/tabulate.py") or "tabulate/" in path for path in layer)
    planted = [path for path, content in layer.items() if b"PLANTED" in content]
    assert planted == ["var/tmp/planted"], "Only /var/tmp is part of the image"
    assert not [path for path in layer if path.startswith(("run/", "tmp/", "dev/"))]
    version = next(c.after for c in snapshot.drift.added)
    assert version in traces.run(
        snapshot.image, "python", "-c",
        "from importlib.metadata import version; print(version('tabulate'))",
        user="7777:0", network_mode="none",
    )  # fmt: skip


async def test_the_bundle(
    services: Services, open_notebook: Open, traces: Traces, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "data.csv").write_text("1,2")
    for command in (
        ["init", "-q"],
        ["remote", "add", "origin", "https://me:s3cret@git.example.org/team/project.git"],
        ["add", "data.csv"],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "first"],
    ):
        await anyio.run_process(["git", *command], cwd=project)
    async with open_notebook(project / "work.ipynb") as notebook:
        await notebook.run("%pip install -q tabulate", "print('hello')")
        snapshot = await services.snapshots.create(
            notebook.kernel_id, "bundled", "", Recorder(), ["work.ipynb.bak"]
        )
    assert [m.role for m in snapshot.members] == list(TITLES)
    assert set(TITLES) == set(MEDIA_TYPES)
    contents = {m.role: await services.snapshots.member(snapshot, m.role) for m in snapshot.members}
    for member in snapshot.members:
        assert member.size == len(contents[member.role])

    # The id is the same wherever it is read.
    elsewhere = snapshot_from_config(bundle_config(snapshot))
    assert elsewhere == replace(snapshot, ref="")

    inventory = await services.snapshots.inventory(snapshot)
    version = inventory.of("pypi")["tabulate"].version
    lock = tomllib.loads(contents["lock"].decode())
    assert lock["lock-version"] == "1.0"
    locked = {p["name"]: p for p in lock["packages"]}
    assert locked["tabulate"]["version"] == version
    assert all(wheel["hashes"]["sha256"] for wheel in locked["tabulate"]["wheels"])
    assert "tool" not in lock, "Everything was found on the index"

    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    bill = json.loads(contents["sbom"])
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(contents["sbom"].decode()) is None
    parts = {part.get("purl") for part in bill["components"]}
    assert f"pkg:pypi/tabulate@{version}" in parts
    assert any(part and part.startswith("pkg:deb/debian/libc6@") for part in parts)

    statement = json.loads(contents["provenance"])
    subjects = {s["name"]: s["digest"]["sha256"] for s in statement["subject"]}
    assert f"sha256:{subjects['image']}" == snapshot.image
    assert f"sha256:{subjects['workspace.tar.gz']}" == snapshot.member("workspace").digest
    sources = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    git = snapshot.workspace.git
    assert {s["name"] for s in sources} == {"environment", "base", "project"}
    assert (git.remote, git.dirty) == ("https://git.example.org/team/project.git", True)
    assert len(git.commit) == 40
    assert not any(b"s3cret" in content for content in contents.values())

    recorded = json.loads(contents["outputs"])
    assert [(n["path"], len(n["cells"])) for n in recorded] == [("work.ipynb", 2)]
    assert snapshot.image in contents["readme"].decode()

    there = tmp_path / "there"
    await services.snapshots.unpack(snapshot, there)
    assert sorted(f.name for f in there.iterdir()) == ["data.csv", "work.ipynb"]


async def test_a_file_without_our_software(
    services: Services, open_notebook: Open, traces: Traces, tmp_path: Path
) -> None:
    """REPRODUCING.md tells the truth: its commands, typed as they are."""
    async with open_notebook(tmp_path / "project/sub/work.ipynb") as notebook:
        await notebook.run("%pip install -q tabulate", "import tabulate; print('made it', 6 * 7)")
        snapshot = await services.snapshots.create(notebook.kernel_id, "plain", "", Recorder())
    text = (await services.snapshots.member(snapshot, "readme")).decode()
    blocks = text.split("## Run it")[1].split("## Without")[0]
    commands = [line[7:] for line in blocks.split("\n") if line.startswith("       ")]
    unpack = next(line for line in commands if line.startswith("mkdir project"))
    run = "\n".join(commands[commands.index("cat > /tmp/run_notebook.py <<'EOF'") :])
    script = f"set -e\n{unpack}\n{run}".replace("IMAGE", snapshot.image)
    script = script.replace("/tmp/run_notebook.py", str(tmp_path / "run_notebook.py"))
    files = await services.snapshots.member(snapshot, "workspace")
    (tmp_path / "workspace.tar.gz").write_bytes(files)
    (tmp_path / "project").rename(tmp_path / "mine")
    answer = await anyio.run_process(["bash", "-c", script], cwd=tmp_path, check=False)
    assert answer.returncode == 0, answer.stderr.decode()
    assert "made it 42" in answer.stdout.decode()


async def test_a_snapshot_of_a_snapshot(
    services: Services, open_notebook: Open, tmp_path: Path
) -> None:
    async with open_notebook(tmp_path / "a/one.ipynb") as notebook:
        await notebook.run("%pip install -q tabulate")
        first = await services.snapshots.create(notebook.kernel_id, "first", "", Recorder())
    async with open_notebook(tmp_path / "b/two.ipynb", f"mlops-{first.id}") as notebook:
        assert await notebook.run("import tabulate; 1") == "1"
        await notebook.run("%pip uninstall -q -y tabulate", "%pip install -q toolz")
        with pytest.raises(ConflictError, match="1 kernel runs"):
            await services.snapshots.delete("first")
        second = await services.snapshots.create(notebook.kernel_id, "second", "", Recorder())
        running = await services.snapshots.diff("second", f"kernel:{notebook.kernel_id}")
    assert running.empty
    assert (second.environment, second.revision) == (first.environment, first.revision)
    assert (second.base_image, second.revision_image) == (first.base_image, first.image)
    changed = await services.snapshots.diff(first.id, "second")
    assert changed == second.drift
    assert [c.name for c in changed.added] == ["toolz"]
    assert [c.name for c in changed.removed] == ["tabulate"]
    from_revision = await services.snapshots.diff(f"tiny@{first.revision}", "second")
    assert from_revision == await services.snapshots.diff("tiny", "second")
    assert [c.name for c in from_revision.added] == ["toolz"]
    lock = (await services.snapshots.member(second, "lock")).decode()
    assert 'name = "toolz"' in lock and "tabulate" not in lock


async def test_list_and_delete(
    services: Services, open_notebook: Open, traces: Traces, tmp_path: Path
) -> None:
    for old in await services.snapshots.list():
        await services.snapshots.delete(old.id)
    async with open_notebook(tmp_path / "p/work.ipynb") as notebook:
        await notebook.run("1")
        before = traces.images(), traces.blobs(), traces.specs()
        for name in ("one", "two", "three"):
            # Files that no other test packs: blobs are shared.
            (tmp_path / "p/name.txt").write_text(f"{tmp_path} {name}")
            await services.snapshots.create(notebook.kernel_id, name, f"Note of {name}", Recorder())
        with pytest.raises(ConflictError, match="called one already"):
            await services.snapshots.create(notebook.kernel_id, "one", "", Recorder())
        with pytest.raises(InvalidError, match="name of a snapshot"):
            await services.snapshots.create(notebook.kernel_id, "One Two", "", Recorder())
    names = [s.name for s in await services.snapshots.list()]
    assert sorted(names) == ["one", "three", "two"]
    first, *rest = await services.snapshots.list()
    assert [s.id for s in await services.snapshots.list(limit=1)] == [first.id]
    assert await services.snapshots.list(after=first.id) == rest
    assert [s.name for s in await services.snapshots.list(query="note of TWO")] == ["two"]
    assert await services.snapshots.list(query="nothing like it") == []
    await services.snapshots.delete("two")
    assert len(traces.images() - before[0]) == 2
    for name in ("one", "three"):
        await services.snapshots.delete(name)
    assert (traces.images(), traces.blobs(), traces.specs()) == before
    assert await services.snapshots.list() == []


async def test_two_at_once_and_one_that_was_killed_before(
    services: Services, open_notebook: Open, traces: Traces, tmp_path: Path
) -> None:
    async with open_notebook(tmp_path / "p/work.ipynb") as notebook:
        await notebook.run("x = 1")
        # What a process that is killed in the middle of a freeze leaves.
        container = traces.container((await services.kernels.record(notebook.kernel_id)).container)
        container.pause()
        first, second = await asyncio.gather(
            *(
                services.snapshots.create(notebook.kernel_id, name, "", Recorder())
                for name in ("left", "right")
            )
        )
        assert await notebook.run("x") == "1"
    assert first.image != second.image
    assert {first.image, second.image} <= traces.images()


# ------------------------------------------------------------------------------ failures


async def test_a_dead_kernel(services: Services, open_notebook: Open, tmp_path: Path) -> None:
    async with open_notebook(tmp_path / "p/work.ipynb") as notebook:
        kernel = notebook.kernel_id
    with pytest.raises(KernelDeadError) as caught:
        await services.snapshots.create(kernel, "dead", "", Recorder())
    assert "while the kernel lives" in caught.value.hint
    with pytest.raises(KernelDeadError):
        await services.snapshots.preview(kernel)


async def test_a_container_that_was_killed(
    services: Services, open_notebook: Open, traces: Traces, tmp_path: Path
) -> None:
    async with open_notebook(tmp_path / "p/work.ipynb") as notebook:
        record = await services.kernels.record(notebook.kernel_id)
        traces.container(record.container).kill()
        with pytest.raises(KernelDeadError, match="does not run any more"):
            await services.snapshots.create(notebook.kernel_id, "dead", "", Recorder())
    assert await services.snapshots.list(query="dead") == []


async def test_too_many_bytes_are_refused_before_anything_is_made(
    services: Services, open_notebook: Open, traces: Traces, tmp_path: Path
) -> None:
    async with open_notebook(tmp_path / "p/work.ipynb") as notebook:
        with (tmp_path / "p/huge.bin").open("wb") as file:
            file.truncate(services.settings.workspace_cap + 1)
        before = traces.all()
        recorder = Recorder()
        with pytest.raises(InvalidError, match=r"huge\.bin"):
            await services.snapshots.create(notebook.kernel_id, "big", "", recorder)
        assert traces.all() == before
        assert recorder.phases == ["freeze"]
        # Excluding it helps.
        snapshot = await services.snapshots.create(
            notebook.kernel_id, "small", "", Recorder(), ["huge.bin"]
        )
        assert snapshot.workspace.skipped == ("huge.bin: you excluded it",)


async def test_a_failure_in_the_middle_leaves_nothing(
    services: Services, open_notebook: Open, traces: Traces, tmp_path: Path
) -> None:
    async with open_notebook(tmp_path / "p/work.ipynb") as notebook:
        fragile = tmp_path / "p/fragile.txt"
        fragile.write_text("here")
        before = traces.all()
        recorder = Recorder(on_phase=lambda name: fragile.unlink() if name == "files" else None)
        with pytest.raises(InvalidError, match=r"fragile\.txt changed or vanished"):
            await services.snapshots.create(notebook.kernel_id, "broken", "", recorder)
        assert traces.all() == before
        assert await notebook.run("1 + 1") == "2"
    assert await services.snapshots.list(query="broken") == []


@pytest.mark.parametrize("moment", ["commit", "inventory", "files", "bundle"])
async def test_cancelling_leaves_nothing(
    moment: str, services: Services, open_notebook: Open, traces: Traces, tmp_path: Path
) -> None:
    async with open_notebook(tmp_path / "p/work.ipynb") as notebook:
        await notebook.run("open('/opt/env/large', 'wb').write(bytes(60_000_000)); 1")
        before = traces.all()
        container = (await services.kernels.record(notebook.kernel_id)).container
        recorder = Recorder(on_phase=lambda name: work.cancel() if name == moment else None)
        work = asyncio.ensure_future(
            services.snapshots.create(notebook.kernel_id, "never", "", recorder)
        )
        if moment == "commit":
            while traces.container(container).status != "paused":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert traces.container(container).status == "running"
        assert traces.all() == before
        assert await notebook.run("1 + 1") == "2"
    assert await services.snapshots.list(query="never") == []
