"""A package that cannot be compiled: what is missing, and which distribution package has it."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from jupyter_mlops.core.errors import BuildFailedError
from jupyter_mlops.services.build_steps.missing_parts import missing
from jupyter_mlops.wiring import Services
from tests.parts.services import Recorder, Tiny, tiny_spec

from .test_build import nothing_is_left


@pytest.mark.parametrize(
    ("line", "what", "apt"),
    [
        ("a.c:9:10: fatal error: Python.h: No such file or directory", "Python.h", "python3-dev"),
        (
            "src/lxml/etree.c:96:10: fatal error: libxml/xmlversion.h: No such file or directory",
            "libxml/xmlversion.h",
            "libxml2-dev",
        ),
        ("c/_cffi_backend.c:15:10: fatal error: ffi.h: No such file", "ffi.h", "libffi-dev"),
        ("fatal error: 'openssl/ssl.h' file not found", "openssl/ssl.h", "libssl-dev"),
        ("b.c:1:1: fatal error: of/nobody.h: No such file or directory", "of/nobody.h", ""),
        ("Error: pg_config executable not found.", "pg_config", "libpq-dev"),
        ("/bin/sh: 1: mysql_config: not found", "mysql_config", "default-libmysqlclient-dev"),
        ("sh: 1: xml2-config: command not found", "xml2-config", "libxml2-dev"),
        ("No package 'libffi' found", "libffi", "libffi-dev"),
        ("Package cairo was not found in the pkg-config search path.", "cairo", "libcairo2-dev"),
        ("/usr/bin/ld: cannot find -lpq: No such file or directory", "the library pq", "libpq-dev"),
        (
            "error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory",
            "a compiler",
            "build-essential, python3-dev",
        ),
        (
            "error: command 'gcc' failed: No such file or directory",
            "a compiler",
            "build-essential, python3-dev",
        ),
        ("../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc']]", "a compiler",
         "build-essential, python3-dev"),
    ],
)  # fmt: skip
def test_what_is_missing(line: str, what: str, apt: str):
    found = missing(["running build_ext", line, "error: command 'gcc' failed with exit code 1"])
    assert found is not None
    assert (found.what, found.line, ", ".join(found.apt)) == (what, line, apt)
    assert (f"apt: [{apt}]" if apt else "packages.debian.org") in found.hint


def test_nothing_is_missing():
    lines = [
        "copying not found.py -> build",
        "a.c:3:1: error: unknown type name 'foo'",
        "error: command '/usr/bin/gcc' failed with exit code 1",
        "ModuleNotFoundError: No module named 'imp'",
    ]
    assert missing(lines) is None


@pytest.mark.docker
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("package", "apt", "what", "brings"),
    [
        ("psycopg2==2.9.10", (), "pg_config", "libpq-dev"),
        ("psutil==5.4.8", ("gcc", "libc6-dev"), "Python.h", "python3-dev"),
    ],
)
async def test_a_real_compilation(
    services: Services,
    tiny_environment: Tiny,
    fresh_cache: str,
    package: str,
    apt: tuple[str, ...],
    what: str,
    brings: str,
):
    spec = tiny_spec(services, name="lacking", python=(package, "ipykernel<7"), apt=apt)
    with pytest.raises(BuildFailedError, match=rf"{package.partition('=')[0]}.*compiled") as caught:
        await services.environments.build(spec, Recorder())
    message, hint = caught.value.message, caught.value.hint
    assert f"since {what} is missing. It said: " in message
    assert what in message.partition("It said: ")[2]
    assert f"apt: [{brings}]" in hint, hint
    assert ("build-essential" in hint) == (not apt)
    await nothing_is_left(services, "lacking")

    # What the hint says helps.
    more = (*apt, brings) if apt else (brings, "build-essential", "python3-dev")
    revision = await services.environments.build(
        tiny_spec(services, name="lacking", python=(package, "ipykernel<7"), apt=more), Recorder()
    )
    packages = (await services.environments.inventory(revision)).of("pypi")
    assert packages[package.partition("=")[0]].version == package.partition("==")[2]
    # A wheel that was compiled here is not for another distribution.
    look = ["docker", "run", "--rm", "-v", f"{fresh_cache}:/cache:ro", revision.image, "ls"]
    kept = await asyncio.to_thread(subprocess.check_output, [*look, "/cache/uv"], text=True)
    assert kept.split() == ["debian-bookworm"]
    await services.environments.delete("lacking")
