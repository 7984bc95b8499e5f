"""Secrets: in a kernel's process, and nowhere else."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from traitlets.config import Config

from jupyter_mlops.core.errors import InvalidError, NotFoundError
from jupyter_mlops.kernels.secret_values import secret_values
from jupyter_mlops.wiring import Services
from tests.parts.live_notebook import LiveNotebook
from tests.parts.searching import texts
from tests.parts.services import Recorder, open_services

SPEC = """
name: keys
base: tiny@active
secrets: [WANDB_API_KEY, DB_PASSWORD]
"""
DIGEST = (
    "import hashlib, os\n"
    "def digest(name): return hashlib.sha256(os.environ[name].encode()).hexdigest()\n"
)


def test_where_values_come_from(tmp_path: Path):
    file = tmp_path / "password"
    file.write_text("of two\nlines\n")
    places = {"A": "env:SOURCE", "B": f"file:{file}", "C": "env:ABSENT", "D": "hunter2"}
    places |= {"E": f"file:{tmp_path}/none", "F": "env:EMPTY", "G": "env:"}
    server = {"SOURCE": "one", "EMPTY": "", "H": "not for kernels"}
    assert secret_values(["A", "B"], places, server) == {"A": "one", "B": "of two\nlines"}
    assert secret_values([], places, server) == {}
    for name, kind, said in (
        ("C", NotFoundError, "variable ABSENT, which is not set"),
        ("E", NotFoundError, "none, which cannot be read: No such file"),
        ("F", InvalidError, "is empty"),
        ("H", NotFoundError, "this server does not have"),
        ("D", InvalidError, "neither 'env:NAME' nor 'file:PATH'"),
        ("G", InvalidError, "neither 'env:NAME' nor 'file:PATH'"),
    ):
        with pytest.raises(kind, match=said) as error:
            secret_values(["A", name], places, server)
        assert name in error.value.message and error.value.hint
        # What is written where a place belongs may be the value itself.
        assert "hunter2" not in str(error.value)


class Values:
    """Two secrets of this test: one in the server's environment, one in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.variable, self.password = secrets.token_hex(16), secrets.token_hex(16)
        file.write_text(self.password + "\n")

    def found_in(self, chunks: Iterable[bytes]) -> list[str]:
        """Which of them, and of the mark that a search must find, are there."""
        wanted = {"variable": self.variable, "password": self.password, "mark": MARK}
        found: set[str] = set()
        tail = b""
        for chunk in chunks:
            whole = tail + chunk
            found |= {name for name, value in wanted.items() if value.encode() in whole}
            tail = whole[-64:]
        return sorted(found)


MARK = secrets.token_hex(16)


@pytest.fixture
def values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Values:
    values = Values(tmp_path / "password")
    monkeypatch.setenv("WANDB_OF_SERVER", values.variable)
    return values


@pytest.fixture(
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("podman", marks=pytest.mark.podman),
    ]
)
def config(request: pytest.FixtureRequest, values: Values) -> Config:
    """Of services that have the environment ``tiny``."""
    there = {
        "docker": ("services_config", "tiny_environment"),
        "podman": ("podman_config", "tiny_environment_podman"),
    }
    names = there[request.param]
    config = Config(request.getfixturevalue(names[0]))
    request.getfixturevalue(names[1])
    config.Mlops.secrets = {
        "WANDB_API_KEY": "env:WANDB_OF_SERVER",
        "DB_PASSWORD": f"file:{values.file}",
    }
    return config


@pytest.fixture
def services(config: Config, jp_asyncio_loop: Any) -> Iterator[Services]:
    made = open_services(config)
    yield made
    jp_asyncio_loop.run_until_complete(made.close())


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_a_secret_is_in_the_process_alone(
    services: Services,
    config: Config,
    values: Values,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.DEBUG)
    recorder = Recorder()
    await services.environments.build(
        services.environments.parse_spec(SPEC), recorder, replace=True
    )
    project = tmp_path / "project"
    project.mkdir()
    (project / "note.txt").write_text(MARK)
    engine: Any = await services.engines.engine()
    client = docker.DockerClient(engine.connection.url)
    async with LiveNotebook(services, config, project / "a.ipynb", "mlops-keys") as notebook:
        assert await notebook.run(DIGEST, "digest('WANDB_API_KEY')") == repr(sha(values.variable))
        assert await notebook.run("digest('DB_PASSWORD')") == repr(sha(values.password))
        child = "!python -c 'import os; print(len(os.environ[\"DB_PASSWORD\"]))'"
        assert await notebook.run(child) == str(len(values.password))
        assert await notebook.run("'WANDB_OF_SERVER' in os.environ") == "False"
        first = "open('/proc/1/environ').read().count(os.environ['DB_PASSWORD'])"
        assert await notebook.run(first) == "0"
        await notebook.run(f"open('/opt/env/mark', 'w').write({MARK!r}); print()")

        record = await services.kernels.record(notebook.kernel_id)
        container = client.containers.get(record.container)
        snapshot = await services.snapshots.create(notebook.kernel_id, "keys", "", recorder)
        image = client.images.get(snapshot.image)
        places = {
            "inspect": [json.dumps([container.attrs, image.attrs]).encode()],
            "history": [json.dumps(image.history()).encode()],
            "container's log": [container.logs()],
            "save": image.save(),
            "data": texts(services.settings.data),
            "runtime": texts(services.settings.runtime),
            "logs": [caplog.text.encode(), recorder.text.encode()],
        }
        found = {place: values.found_in(chunks) for place, chunks in places.items()}
        # The mark is what shows that the search finds what is there; nbclient logs cells.
        marked = {"save", "data", "logs"}
        assert found == {place: ["mark"] if place in marked else [] for place in places}
    client.close()
    await services.snapshots.delete(snapshot.id)


@pytest.mark.parametrize(
    "config", [pytest.param("docker", marks=pytest.mark.docker)], indirect=True
)
async def test_a_secret_that_is_missing_is_named(
    services: Services, config: Config, values: Values, tmp_path: Path
):
    await services.environments.build(
        services.environments.parse_spec(SPEC), Recorder(), replace=True
    )
    values.file.unlink()
    with pytest.raises(NotFoundError, match=r"secret DB_PASSWORD .* cannot be read"):
        async with LiveNotebook(services, config, tmp_path / "a.ipynb", "mlops-keys"):
            pass
    assert await services.kernels.list() == []

    # It is looked up at each start, and nothing is built for a change of names.
    values.file.write_text("changed")
    async with LiveNotebook(services, config, tmp_path / "a.ipynb", "mlops-keys") as notebook:
        assert await notebook.run(DIGEST, "digest('DB_PASSWORD')") == repr(sha("changed"))
    less = services.environments.parse_spec(SPEC.replace(", DB_PASSWORD", ""))
    revision = await services.environments.build(less, Recorder(), replace=True)
    assert revision.number == 1
    async with LiveNotebook(services, config, tmp_path / "a.ipynb", "mlops-keys") as notebook:
        seen = "import os\n[name in os.environ for name in ('WANDB_API_KEY', 'DB_PASSWORD')]"
        assert await notebook.run(seen) == "[True, False]"
