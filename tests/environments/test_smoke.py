"""Smoke notebooks: what they decide, and environments that follow their parent."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from jupyter_mlops.core.environment import EnvironmentSpec
from jupyter_mlops.core.errors import (
    InvalidError,
    NotFoundError,
    SmokeFailedError,
    UnsatisfiableError,
)
from jupyter_mlops.core.layout import LABEL_ENVIRONMENT, LABEL_OWNER
from jupyter_mlops.core.operation import Operation, OperationState
from jupyter_mlops.core.ports import Progress
from jupyter_mlops.services.rebuilds import Rebuilds
from jupyter_mlops.wiring import Services
from tests.parts.services import Recorder, Tiny, tiny_spec
from tests.parts.waiting import wait_until

from .test_build import images

pytestmark = pytest.mark.docker

GOOD = ("import humanize, os", "print('files:', os.listdir('.'), humanize.naturalsize(5000))")
BAD = ("print('before')", "import no_such_module", "print('after')")


def write(folder: Path, *cells: str) -> str:
    """A notebook with these cells; returns its name."""
    nbformat.write(new_notebook(cells=[new_code_cell(c) for c in cells]), folder / "smoke.ipynb")
    return "smoke.ipynb"


async def with_smoke(
    services: Services, folder: Path, *cells: str, **fields: Any
) -> EnvironmentSpec:
    spec = tiny_spec(services, smoke=write(folder, *cells), **fields)
    return await services.environments.with_smoke(spec, folder)


async def nothing_runs(services: Services, name: str) -> None:
    engine = await services.engines.engine()
    assert await engine.list({LABEL_OWNER: services.settings.owner, LABEL_ENVIRONMENT: name}) == []
    assert not list((services.settings.data / "smoke").iterdir())


async def test_a_passing_notebook_makes_the_revision_active(
    services: Services, tiny_environment: Tiny, tmp_path: Path
):
    spec = await with_smoke(services, tmp_path, *GOOD, name="tested")
    recorder = Recorder()
    revision = await services.environments.build(spec, recorder)
    assert recorder.phases[-2:] == ["freeze", "smoke"]
    # In an empty folder, which holds nothing but the notebook.
    assert "-- cell 2\nfiles: ['smoke.ipynb'] 5.0 kB\n" in recorder.text
    assert revision.smoke and revision.smoke.passed and not revision.smoke.message
    assert revision.smoke.notebook == spec.smoke_notebook
    assert (await services.environments.get("tested")).active == 1
    assert (await services.environments.revision("tested")) == revision
    await nothing_runs(services, "tested")

    # The same again: neither built nor run. Another notebook: run, and not built.
    recorder = Recorder()
    await services.environments.build(spec, recorder, replace=True)
    assert recorder.phases == ["resolve"]
    other = await with_smoke(services, tmp_path, "print(1)", name="tested")
    recorder = Recorder()
    again = await services.environments.build(other, recorder, replace=True)
    assert recorder.phases == ["resolve", "smoke"] and again.number == 1
    await services.environments.delete("tested")


async def test_a_failing_notebook_leaves_what_was_active(
    services: Services, tiny_environment: Tiny, tmp_path: Path
):
    environments = services.environments
    await environments.build(tiny_spec(services, name="failing"), Recorder())
    spec = await with_smoke(services, tmp_path, *BAD, name="failing", python=("humanize", "six"))

    async def work(progress: Progress) -> dict[str, Any]:
        return (await services.rebuilds.build(spec, progress, replace=True)).result()

    with pytest.raises(SmokeFailedError) as caught:
        await services.operations.run("build", "failing", work)
    (operation,) = await services.operations.list(limit=1)
    assert operation.state is OperationState.FAILED and operation.error
    assert operation.error.code == "smoke_failed"
    assert operation.error.message == caught.value.message
    assert caught.value.message == (
        "Revision 2 of failing was built, but its smoke notebook failed. Code cell 2 of "
        "smoke.ipynb failed: ModuleNotFoundError: No module named 'no_such_module'. "
        "Revision 1 stays active."
    )
    assert "env activate failing 2" in caught.value.hint
    assert (operation.result["revision"], operation.result["previous"]) == (2, 1)
    assert [c["name"] for c in operation.result["changes"]["added"]] == ["six"]
    log, _ = await services.operations.log(operation.id)
    assert "+ six 1." in log and "-- cell 1\nbefore\n" in log
    assert "Traceback" in log and "after\n" not in log and "\x1b" not in log

    revision = await environments.revision("failing", 2)
    assert revision.smoke and not revision.smoke.passed
    assert "no_such_module" in revision.smoke.message
    assert (await environments.get("failing")).active == 1
    # It can be looked at, and used all the same.
    kernels = services.kernel_specs.path
    pinned = json.loads((kernels / "mlops-failing.r2" / "kernel.json").read_text())
    assert pinned["metadata"]["jupyter_mlops"]["digest"] == revision.image
    assert (await environments.activate("failing", 2)).active == 2
    await environments.activate("failing", 1)
    # Asked for again it is tried again; with a notebook that passes it becomes active.
    mended = await with_smoke(services, tmp_path, *GOOD, name="failing", python=spec.python)
    assert (await environments.build(mended, Recorder(), replace=True)).number == 2
    assert (await environments.get("failing")).active == 2
    await nothing_runs(services, "failing")
    await environments.delete("failing")


async def test_a_first_revision_that_fails_is_not_active(
    services: Services, tiny_environment: Tiny, tmp_path: Path
):
    spec = await with_smoke(services, tmp_path, "import os; os.kill(os.getpid(), 9)", name="first")
    with pytest.raises(SmokeFailedError, match=r"Code cell 1 of .* ended the kernel.* not active"):
        await services.environments.build(spec, Recorder())
    assert (await services.environments.get("first")).active == 0
    assert not (services.kernel_specs.path / "mlops-first").exists()
    await nothing_runs(services, "first")
    await services.environments.delete("first")


async def test_cancelled_while_the_notebook_runs(
    services: Services, tiny_environment: Tiny, tmp_path: Path
):
    spec = await with_smoke(services, tmp_path, "import time; time.sleep(1000)", name="slow")

    async def work(progress: Progress) -> dict[str, Any]:
        return (await services.rebuilds.build(spec, progress)).result()

    id = (await services.operations.start("build", "slow", work)).id

    async def runs() -> bool:
        return bool(await services.store.kernels.list(environment="slow"))

    await wait_until(runs, seconds=120)
    assert (await services.operations.cancel(id)).state.ended
    assert await images(services, "slow") == []
    assert not list(services.kernel_specs.path.glob("mlops-slow*"))
    with pytest.raises(NotFoundError):
        await services.environments.get("slow")
    await nothing_runs(services, "slow")


async def test_where_the_notebook_comes_from(
    services: Services, tiny_environment: Tiny, tmp_path: Path
):
    environments = services.environments
    text = "name: x\nbase: debian\nsmoke: {}\n"
    for path in ("/etc/smoke.ipynb", "../smoke.ipynb", "smoke.py"):
        with pytest.raises(InvalidError, match="not a notebook below"):
            environments.parse_spec(text.format(path))
    spec = environments.parse_spec(text.format("tests/smoke.ipynb"))
    with pytest.raises(InvalidError, match=f"looked for at {tmp_path}/tests/smoke.ipynb"):
        await environments.with_smoke(spec, tmp_path)
    (tmp_path / "tests").mkdir()
    for content, words in (("[]", "is not a notebook"), ('{"cells": []}', "no code cell")):
        (tmp_path / "tests/smoke.ipynb").write_text(content)
        with pytest.raises(InvalidError, match=words):
            await environments.with_smoke(spec, tmp_path)
    write(tmp_path / "tests", "1")
    taken = await environments.with_smoke(spec, tmp_path)
    # It was kept: later builds need no file. What is there now takes its place.
    assert await environments.with_smoke(taken, None) == taken
    (tmp_path / "tests/smoke.ipynb").unlink()
    assert await environments.with_smoke(taken, tmp_path) == taken
    write(tmp_path / "tests", "2")
    assert (await environments.with_smoke(taken, tmp_path)).smoke_notebook != taken.smoke_notebook


async def ended(services: Services, *ids: str) -> list[Operation]:
    async def all_ended() -> bool:
        return all([(await services.operations.get(id)).state.ended for id in ids])

    await wait_until(all_ended, seconds=300)
    return [await services.operations.get(id) for id in ids]


async def build(services: Services, spec: EnvironmentSpec, **how: bool) -> Operation:
    """As the server does it."""
    from jupyter_mlops.server import work

    operation = await services.operations.start(
        "build", spec.name, work.build(services, spec, replace=True)
    )
    return (await ended(services, operation.id))[0]


async def newest(services: Services, name: str, after: str) -> Operation:
    """The build of ``name`` that was started after the operation ``after``."""
    found: list[Operation] = []

    async def there() -> bool:
        operations = await services.operations.list(kind="build")
        ids = [operation.id for operation in operations]
        found[:] = [o for o in operations[: ids.index(after)] if o.subject == name]
        return bool(found)

    await wait_until(there, seconds=60)
    return (await ended(services, found[0].id))[0]


async def test_children_follow_their_parent(
    services: Services, tiny_environment: Tiny, tmp_path: Path
):
    environments = services.environments
    parent = tiny_spec(services, name="team", python=("humanize==4.6.0",), variables={})
    await environments.build(parent, Recorder())
    six = {"python": ("six",), "variables": {}}
    child = await with_smoke(
        services, tmp_path, "import six, humanize", name="team-child", base="team@active", **six
    )
    await environments.build(child, Recorder())
    grandchild = tiny_spec(
        services, name="team-grandchild", base="team-child@active", python=(), variables={}
    )
    await environments.build(grandchild, Recorder())
    # Holds with the parent's first revision only.
    strict = await with_smoke(
        services, tmp_path, "import humanize", "assert humanize.__version__ == '4.6.0'",
        name="strict", base="team@active", **six,
    )  # fmt: skip
    await environments.build(strict, Recorder())
    pinned = tiny_spec(services, name="pinned", base="team@1", **six)
    await environments.build(pinned, Recorder())
    # What was last asked for and could not be built is not what is built again.
    with pytest.raises(UnsatisfiableError):
        await environments.build(
            replace(child, python=("jupyter-mlops-has-no-such-package",)), Recorder(), replace=True
        )
    (tmp_path / "smoke.ipynb").unlink()

    newer = tiny_spec(services, name="team", python=("humanize==4.9.0",), variables={})
    operation = await build(services, newer)
    assert operation.state is OperationState.SUCCEEDED
    assert operation.result["summary"] == "1 changed"
    followed = await newest(services, "team-child", operation.id)
    assert followed.state is OperationState.SUCCEEDED
    assert followed.result == {
        "environment": "team-child",
        "revision": 2,
        "previous": 1,
        "summary": "1 changed",
        "changes": {
            "added": [],
            "removed": [],
            "changed": [
                {"ecosystem": "pypi", "name": "humanize", "before": "4.6.0", "after": "4.9.0"}
            ],
            "patched": [],
        },
    }
    assert [phase.name for phase in followed.phases][-1] == "smoke"
    log, _ = await services.operations.log(followed.id)
    assert "team-child starts from team@active, and that is revision 2 now\n" in log
    assert "~ humanize 4.6.0 → 4.9.0\n" in log
    assert (await environments.get("team-child")).active == 2
    assert (await environments.revision("team-child")).parent == "team@2"
    assert (await environments.get("team-child")).spec.python != (
        "six",
    )  # Still what was asked for.

    # Also what follows the follower.
    second = await newest(services, "team-grandchild", followed.id)
    assert second.state is OperationState.SUCCEEDED
    inventory = await environments.inventory(await environments.revision("team-grandchild"))
    assert inventory.of("pypi")["humanize"].version == "4.9.0"

    # Its notebook fails: there is a revision, and the one before stays active.
    refused = await newest(services, "strict", operation.id)
    assert (
        refused.error
        and "Code cell 2 of smoke.ipynb failed: AssertionError" in refused.error.message
    )
    assert refused.result["summary"] == "1 changed"
    assert (await environments.get("strict")).active == 1
    assert (await environments.revision("strict", 2)).parent == "team@2"
    assert (await environments.get("pinned")).active == 1
    assert len(await environments.revisions("pinned")) == 1

    # Back again: nothing has to be built.
    await environments.activate("team", 1)
    back = await services.rebuilds.follow("team")
    assert [o.subject for o in back] == ["team-child"]  # The others are built on it already.
    (returned,) = await ended(services, back[0].id)
    assert [phase.name for phase in returned.phases] == ["resolve"]
    assert (await environments.get("team-child")).active == 1
    await newest(services, "team-grandchild", returned.id)

    off = Rebuilds(
        replace(services.settings, rebuild_children=False), environments, services.operations
    )
    await environments.activate("team", 2)
    assert await off.follow("team") == []
    assert await services.rebuilds.followers("team") == ["strict", "team-child"]

    # A server that stops leaves its builds to the next one. What failed is not tried again.
    left = [o.id for o in await services.rebuilds.follow("team")]
    await services.operations.close()
    assert {o.state for o in await ended(services, *left)} == {OperationState.INTERRUPTED}
    again = await services.rebuilds.resume()
    assert [o.subject for o in again] == ["strict", "team-child"]
    states = [o.state for o in await ended(services, *(o.id for o in again))]
    assert states == [OperationState.FAILED, OperationState.SUCCEEDED]
    assert (await environments.get("team-child")).active == 2
    await newest(services, "team-grandchild", again[1].id)
    assert await services.rebuilds.resume() == []
    for name in ("pinned", "strict", "team-grandchild", "team-child", "team"):
        await environments.delete(name)
