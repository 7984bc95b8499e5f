"""An environment with R, and packages of R made by the tests themselves."""

from __future__ import annotations

import functools
import io
import json
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path

import pytest
from traitlets.config import Config

from .engines import run_apart
from .services import Tiny, built

SYSTEM = """#!/bin/sh
echo '* deb: libxml2-dev (Debian, Ubuntu, etc)'
exit 1
"""
"""A script of a package that asks for a system library."""
SPEC = """
name: tiny-r
base: debian
r: [data.table]
"""


@pytest.fixture(scope="session")
def r_environment(services_config: Config) -> Tiny:
    """R from the distribution with one package, built once a session; as ``tiny_environment``."""
    return run_apart(built(services_config, SPEC))


@pytest.fixture(scope="session")
def r_environment_podman(podman_config: Config) -> Tiny:
    """The same on Podman."""
    return run_apart(built(podman_config, SPEC))


def source_package(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    code: str = "answer <- function() 42",
    imports: str = "",
    c: str = "",
    configure: str = "",
    repository: str = "CRAN",
) -> Path:
    """``name_version.tar.gz``, as CRAN gives packages out. ``c`` is a C file to be compiled,
    ``configure`` a shell script; without ``repository`` it is somebody's own."""
    fields = {
        "Package": name,
        "Version": version,
        "Title": "Made For a Test",
        "Author": "Ada",
        "Maintainer": "Ada <ada@example.com>",
        "Description": "Nothing.",
        "License": "MIT",
        "Imports": imports,
        "NeedsCompilation": "yes" if c else "no",
        "Repository": repository,
    }
    files = {
        "DESCRIPTION": "".join(f"{key}: {value}\n" for key, value in fields.items() if value),
        "NAMESPACE": 'exportPattern("^[a-z]+")\n' + (f"useDynLib({name})\n" if c else ""),
        "R/code.R": code + "\n",
        "src/code.c": c,
        "configure": configure,
    }
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}_{version}.tar.gz"
    with tarfile.open(target, "w:gz") as tar:
        for path, text in files.items():
            if text:
                member = tarfile.TarInfo(f"{name}/{path}")
                member.size = len(text.encode())
                member.mode = 0o755 if path == "configure" else 0o644
                tar.addfile(member, io.BytesIO(text.encode()))
    return target


def index(contrib: Path, older: Sequence[Path] = ()) -> None:
    """Write ``PACKAGES`` over the packages in ``src/contrib``; ``older`` are moved to where CRAN
    keeps those that are not the newest."""
    for file in older:
        archive = contrib / "Archive" / file.name.partition("_")[0]
        archive.mkdir(parents=True, exist_ok=True)
        file.rename(archive / file.name)
    listed = ("Package", "Version", "Imports", "Depends", "License", "NeedsCompilation")
    stanzas = []
    for file in sorted(contrib.glob("*.tar.gz")):
        with tarfile.open(file) as tar:
            member = tar.extractfile(f"{file.name.partition('_')[0]}/DESCRIPTION")
            assert member is not None
            lines = member.read().decode().splitlines()
        stanzas.append("\n".join(line for line in lines if line.partition(":")[0] in listed))
    (contrib / "PACKAGES").write_text("\n\n".join(stanzas) + "\n")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def cran_mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a small CRAN, as containers reach it."""
    folder = tmp_path_factory.mktemp("cran")
    contrib = folder / "src" / "contrib"
    source_package(contrib, "testPlain", "2.0", imports="praise")
    older = source_package(contrib, "testPlain", "1.0", code="answer <- function() 41")
    source_package(contrib, "testAbove", imports="testPlain (>= 1.0)")
    source_package(contrib, "testBroken", configure=SYSTEM)
    source_package(contrib, "testTypo", code="answer <- function( {")
    source_package(
        contrib,
        "testC",
        c="#include <R.h>\nvoid twice(double *x) { *x *= 2; }\n",
        code="answer <- function() .C('twice', 21)[[1]]",
    )
    index(contrib, [older])
    handler = functools.partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("0.0.0.0", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    answer = subprocess.run(
        ["docker", "network", "inspect", "bridge"], check=True, capture_output=True
    )
    (network,) = json.loads(answer.stdout)
    yield f"http://{ip_network(network['IPAM']['Config'][0]['Subnet'])[1]}:{server.server_port}"
    server.shutdown()
    server.server_close()
