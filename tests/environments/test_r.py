"""Packages of R: from the distribution, from a mirror of CRAN, or a sentence that says why not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_mlops.core.environment import EnvironmentSpec
from jupyter_mlops.core.errors import BuildFailedError, InvalidError
from jupyter_mlops.core.revision import Revision
from jupyter_mlops.services.build_steps.r import _fits, upstream
from jupyter_mlops.services.spec_file import parse_spec
from tests.parts.services import Recorder, Tiny, open_services

from .test_build import nothing_is_left

SPEC = EnvironmentSpec(name="more-r", base="tiny-r@active")


async def build(config: Config, url: str, spec: EnvironmentSpec) -> tuple[Revision, Recorder]:
    """With ``url`` as the mirror of CRAN."""
    changed = Config(config)
    changed.Mlops = Config({**config.Mlops, "cran_mirror": url})
    services = open_services(changed)
    recorder = Recorder()
    try:
        return await services.environments.build(spec, recorder, replace=True), recorder
    except BuildFailedError:
        await nothing_is_left(services, spec.name)
        raise
    finally:
        await services.close()


@pytest.mark.docker
async def test_r_comes_with_the_first_package(services_config: Config, r_environment: Tiny):
    revision = r_environment.revision
    assert revision.r.startswith("4.")
    assert r_environment.recorder.phases == [
        "resolve", "resolve", "prepare", "python", "r", "probe", "freeze"
    ]  # fmt: skip
    services = open_services(services_config)
    try:
        inventory = await services.environments.inventory(revision)
    finally:
        await services.close()
    assert inventory.r == revision.r
    packages = inventory.of("cran")
    # Those that belong to every R are there, those that R is made of are not packages.
    assert {"data.table", "IRkernel", "MASS", "survival"} <= packages.keys()
    assert not {"base", "stats", "utils"} & packages.keys()
    assert {"r-cran-data.table", "r-base-core"} <= inventory.of("deb").keys()
    assert packages["data.table"].source == ""


@pytest.mark.docker
@pytest.mark.timeout(600)
async def test_what_the_distribution_lacks_comes_from_the_mirror(
    services_config: Config, r_environment: Tiny, cran_mirror: str
):
    spec = replace(SPEC, r=("praise", "testAbove", "testPlain==1.0"))
    revision, _ = await build(services_config, cran_mirror, spec)
    services = open_services(services_config)
    try:
        packages = (await services.environments.inventory(revision)).of("cran")
        assert {name: packages[name].version for name in packages if name[:4] == "test"} == {
            "testAbove": "1.0",
            "testPlain": "1.0",
        }
        # The same again is the same revision; one more package is a layer on it.
        same, _ = await build(services_config, cran_mirror, spec)
        assert same.number == revision.number
        more, _ = await build(
            services_config, cran_mirror, replace(spec, r=(*spec.r, "testC>=1.0"))
        )
        assert more.number == revision.number + 1
        # It needs a compiler, which came by itself.
        packages = (await services.environments.inventory(more)).of("deb")
        assert "r-base-dev" in packages
        code = "stopifnot(testC::answer() == 42, testPlain::answer() == 41)"
        process = await asyncio.create_subprocess_exec(
            "docker", "run", "--rm", "--network=none", more.image, "Rscript", "-e", code
        )
        assert await process.wait() == 0
        await services.environments.delete(spec.name)
    finally:
        await services.close()


@pytest.mark.docker
@pytest.mark.timeout(600)
async def test_a_lock_brings_the_same_packages_again(
    services_config: Config, r_environment: Tiny, cran_mirror: str, tmp_path: Path
):
    """Also versions that are old by then: the newest testPlain is 2.0."""
    spec = replace(SPEC, r=("testAbove", "testPlain==1.0"))
    revision, _ = await build(services_config, cran_mirror, spec)
    services = open_services(services_config)
    try:
        before = await services.environments.inventory(revision)
        lock = tmp_path / "pylock.toml"
        lock.write_text(await services.environments.lock(revision))
        found = await services.environments.imported(lock)
        assert {"testPlain==1.0", "testAbove==1.0"} <= set(found.r)
        assert len(found.r) == len(before.of("cran")) == revision.r_packages
        await services.environments.delete(spec.name)
        # Nothing else says which packages: the base has none of R.
        again = EnvironmentSpec(name="locked-r", base="debian", python=found.python, r=found.r)
        revision, _ = await build(services_config, cran_mirror, again)
        after = await services.environments.inventory(revision)
        assert after.of("cran") == before.of("cran") and after.r == before.r
        await services.environments.delete(again.name)
    finally:
        await services.close()


@pytest.mark.docker
@pytest.mark.timeout(600)
async def test_a_dependency_comes_from_the_distribution(
    services_config: Config, r_environment: Tiny, cran_mirror: str
):
    revision, _ = await build(services_config, cran_mirror, replace(SPEC, r=("testPlain",)))
    services = open_services(services_config)
    try:
        inventory = await services.environments.inventory(revision)
        assert inventory.of("cran")["testPlain"].version == "2.0"
        assert "r-cran-praise" in inventory.of("deb")
        assert "r-base-dev" not in inventory.of("deb")
        await services.environments.delete(SPEC.name)
    finally:
        await services.close()


@pytest.mark.docker
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        ("noSuchThing", "has a package of R named 'noSuchThing'", "capital and small"),
        ("testplain", "has a package of R named 'testplain'", "Did you mean 'testPlain'?"),
        ("testPlain==7", "the version of testPlain that is asked for; it has 2.0", "version out"),
        (
            "praise==99.0",
            "of R named 'praise'. The distribution has",
            "capital and small",
        ),
        ("testBroken", "testBroken could not be installed, since a system library", "libxml2-dev"),
        ("testTypo", "testTypo could not be installed. It said: ", "the operation's log"),
    ],
)
async def test_what_cannot_be_installed_is_named(
    services_config: Config,
    r_environment: Tiny,
    cran_mirror: str,
    wanted: str,
    message: str,
    hint: str,
):
    with pytest.raises(BuildFailedError) as error:
        await build(services_config, cran_mirror, replace(SPEC, r=("data.table", wanted)))
    assert "in the step r: " in error.value.message
    assert message in error.value.message and hint in error.value.hint


@pytest.mark.docker
@pytest.mark.timeout(600)
async def test_a_mirror_that_does_not_answer(services_config: Config, r_environment: Tiny):
    spec = replace(SPEC, r=("notThere", "data.table==99.1"))
    with pytest.raises(BuildFailedError) as error:
        await build(services_config, "http://127.0.0.1:9", spec)
    assert "no notThere, data.table==99.1 (it has 1." in error.value.message
    assert "the CRAN mirror 127.0.0.1:9 does not answer" in error.value.message
    assert "Mlops.cran_mirror" in error.value.hint


@pytest.mark.docker
@pytest.mark.timeout(600)
async def test_a_password_of_the_mirror_is_nowhere(
    services_config: Config, r_environment: Tiny, cran_mirror: str
):
    secret = "s3cr3t-of-cran"
    url = cran_mirror.replace("://", f"://ada:{secret}@")
    spec = replace(SPEC, r=("testPlain==1.0", "testAbove"))
    revision, recorder = await build(services_config, url, spec)
    assert "****@" in recorder.text and secret not in recorder.text
    for command in (["image", "inspect"], ["history", "--no-trunc"], ["save"]):
        process = await asyncio.create_subprocess_exec(
            "docker", *command, revision.image, stdout=asyncio.subprocess.PIPE
        )
        found, _ = await process.communicate()
        assert found and secret.encode() not in found, command
    services = open_services(services_config)
    try:
        await services.environments.delete(SPEC.name)
    finally:
        await services.close()


def test_packages_of_r_in_a_specification():
    text = "name: a\nbase: debian\nr: [data.table, 'dplyr>=1.1', Matrix==1.7-1]\n"
    assert parse_spec(text).r == ("data.table", "dplyr>=1.1", "Matrix==1.7-1")
    plain = EnvironmentSpec(name="a", base="debian")
    assert plain.digest != replace(plain, r=("data.table",)).digest
    for wrong in ("r-cran-dplyr", "dplyr>1", "dplyr==", "tidyverse/dplyr", "1d"):
        with pytest.raises(InvalidError, match="not a package of R"):
            parse_spec(f"name: a\nbase: debian\nr: ['{wrong}']\n")


@pytest.mark.parametrize(
    ("text", "distribution", "fits"),
    [
        ("MASS", "cran 7.3-58.2-1", True),
        ("data.table==1.14.8", "cran 1.14.8+dfsg-1", True),
        ("Matrix==1.5-3", "cran 1.5-3-1", True),
        ("Matrix>=1.5.3", "cran 1:1.5-3-1", True),
        ("Matrix>=1.6", "cran 1.5-3-1", False),
        ("dplyr", "", False),
    ],
)
def test_versions_of_the_distribution(text: str, distribution: str, fits: bool):
    assert _fits(text, distribution) is fits
    assert upstream("1:1.14.8+dfsg-1") == "1.14.8"
