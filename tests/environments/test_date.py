"""Packages as the index had them on a day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from traitlets.config import Config

from jupyter_mlops.core.environment import EnvironmentSpec
from jupyter_mlops.core.errors import BuildFailedError, InvalidError, UnsatisfiableError
from jupyter_mlops.wiring import Services
from tests.parts.services import Recorder, Tiny, open_services, tiny_spec

from . import test_index
from .test_additions import command_line

DAY = "2024-01-15"
"""humanize 4.9.0 was there, 4.10.0 came in July."""


def test_dates_in_a_specification():
    from jupyter_mlops.services.spec_file import parse_spec, validated

    spec = parse_spec("name: a\nbase: b\ndate: 2024-01-15\n")
    assert spec.date == parse_spec("name: a\nbase: b\ndate: '2024-01-15'\n").date == DAY
    undated = replace(spec, date="")
    assert undated.digest != spec.digest != replace(spec, date="2024-01-16").digest
    # As it was before there were dates.
    assert undated.digest == (
        "sha256:8d68ca673d507f3a2a0722ed4d0140b2ccaef3b17fefac43f422fe99b3e8798a"
    )
    for wrong in ("yesterday", "2024-1-5", "20240115", "2024-02-30", "2024-01-15 10:00:00"):
        with pytest.raises(InvalidError, match="is no date"):
            parse_spec(f"name: a\nbase: b\ndate: {wrong!r}\n")
    tomorrow = (datetime.now(timezone.utc) + timedelta(days=1)).date().isoformat()
    with pytest.raises(InvalidError, match="has not come yet"):
        validated(EnvironmentSpec("a", "b", date=tomorrow))


@pytest.mark.docker
@pytest.mark.timeout(300)
async def test_a_day_on_the_real_index(
    services: Services, services_config: Config, tiny_environment: Tiny
):
    environments = services.environments
    first = await environments.build(tiny_spec(services, name="dated", date=DAY), Recorder())
    packages = (await environments.inventory(first)).of("pypi")
    assert packages["humanize"].version == "4.9.0"
    newest = (await environments.inventory(tiny_environment.revision)).of("pypi")
    assert newest["humanize"].version != "4.9.0"

    # The date is kept: a build that looks for newer versions finds none.
    assert (await environments.get("dated")).spec.date == DAY
    upgraded = await command_line(services_config, "env", "build", "dated", "--upgrade")
    assert upgraded["number"] == 1
    with pytest.raises(UnsatisfiableError) as caught:
        spec = tiny_spec(services, name="dated", date=DAY, python=("humanize>=4.10",))
        await environments.build(spec, Recorder(), replace=True)
    assert "humanize" in caught.value.message and DAY in caught.value.hint

    # Another date is another resolution; without one, versions are those of now.
    spec = tiny_spec(services, name="dated", date=DAY)
    await environments.build(spec, Recorder(), replace=True)
    now = await command_line(services_config, "env", "build", "dated", "--date", "now")
    assert now["number"] == 2 and now["spec"]["date"] == ""
    later = await environments.inventory(await environments.revision("dated"))
    assert later.of("pypi")["humanize"].version == newest["humanize"].version
    await environments.delete("dated")


@pytest.fixture
def index() -> Iterator[str]:
    """An index whose pages are HTML, which has no room for upload times."""
    yield from test_index.serve()


@pytest.mark.docker
async def test_an_index_without_upload_times(
    services_config: Config, tiny_environment: Tiny, index: str
):
    account = f"{test_index.USER}:{test_index.PASSWORD}"
    services = open_services(
        test_index.with_index(services_config, f"http://{account}@{index}/simple")
    )
    try:
        spec = tiny_spec(services, name="timeless", date=DAY)
        with pytest.raises(BuildFailedError, match="does not tell when its files") as caught:
            await services.environments.build(spec, Recorder())
        assert DAY in caught.value.message and "index that gives upload times" in caught.value.hint
        assert not isinstance(caught.value, UnsatisfiableError)
        await services.environments.delete("timeless")
    finally:
        await services.close()
