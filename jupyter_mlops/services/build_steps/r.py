"""Phase r: R itself, its Jupyter kernel, and packages of R.

Those of the distribution come first: they are compiled already and bring their system libraries.
The rest is installed from CRAN, or the mirror of it that is configured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...core.additions import r_name
from ...core.container_network import CRAN, without_credentials
from ...core.layout import R_LIBRARY, RUN_DIR
from . import apt
from .container import GUEST, BuildContainer
from .r_failures import r_failed

KERNEL = "IRkernel"
SCRIPT = f"{RUN_DIR}/cran.R"
R_ITSELF = ("r-base-core", "r-recommended", "r-cran-irkernel")
"""Distribution packages; the second has those that belong to every R."""
COMPILERS = "r-base-dev"

_LOOK = """
command -v R >/dev/null || { echo none; exit; }
dpkg-query -W r-base-core >/dev/null 2>&1 && echo distribution || echo own
"""

# A folder that the kernel's user can write to and that a freeze keeps, before all others. Which
# mirror there is may be a secret, so it is told to processes only.
_CONFIGURE = f"""
command -v R >/dev/null || exit 0
etc=$(R RHOME)/etc
mkdir -p {R_LIBRARY}
if ! grep -qs '^R_LIBS_USER={R_LIBRARY}$' "$etc/Renviron.site"; then
  echo 'R_LIBS_USER={R_LIBRARY}' >> "$etc/Renviron.site"
fi
if ! grep -qs CRAN_MIRROR "$etc/Rprofile.site"; then
  cat >> "$etc/Rprofile.site" <<'END'

local({{
  mirror <- Sys.getenv("CRAN_MIRROR")
  if (nzchar(mirror)) options(repos = c(CRAN = mirror))
  # Mirrors that have compiled packages want to know for what.
  about <- paste(getRversion(), R.version["platform"], R.version["arch"], R.version["os"])
  options(HTTPUserAgent = sprintf("R/%s R (%s)", getRversion(), about))
}})
END
fi
"""


async def configure(container: BuildContainer) -> None:
    """Where there is R: let it install into the environment, and know the mirror."""
    await container.run("r", _CONFIGURE)


async def install(container: BuildContainer, wanted: Sequence[str]) -> None:
    """Install packages of R and, where they are missing, R and its kernel. Raises
    BuildFailedError that names the package."""
    container.progress.log("Packages of R asked for: " + ", ".join(wanted) + "\n")
    _, kind, _ = await container.ask(_LOOK)
    rest, known = list(wanted), dict[str, str]()
    if kind.strip() == "own":
        # The distribution's packages would bring a second R.
        if KERNEL not in map(r_name, wanted):
            rest.append(KERNEL)
        await configure(container)
    else:
        known = await _of_distribution(container, [r_name(text) for text in wanted])
        rest = [text for text in wanted if not _fits(text, known.get(r_name(text), ""))]
        taken = [_package(r_name(text), known) for text in wanted if text not in rest]
        await apt.install(container, [*R_ITSELF, *taken], step="r", update=False)
        await configure(container)
    if rest:
        await _from_cran(container, rest, known, distribution=kind.strip() != "own")


async def _from_cran(
    container: BuildContainer, wanted: Sequence[str], known: Mapping[str, str], distribution: bool
) -> None:
    """``known``: the distribution's versions, for messages."""
    mirror = container.settings.network.cran_mirror or CRAN
    failed = r_failed(wanted, known, without_credentials(mirror))
    await container.write(SCRIPT, (GUEST / "cran.R").read_bytes())

    async def run(mode: str) -> str:
        return await container.run(
            "r",
            f'MAKEFLAGS=-j$(nproc) Rscript {SCRIPT} {mode} "$@"',
            *wanted,
            environment={"CRAN_MIRROR": mirror},
            on_line=on_line,
            failed=failed,
        )

    def on_line(line: str) -> None:
        found = re.match(r"\* installing \*\w+\* package .(\S+).", line)
        if found:
            container.progress.update(f"Installing {found[1]}")

    needed = _needed(await run("plan"))
    below = [name for name in needed if name not in map(r_name, wanted)]
    if distribution and below:
        there = await _of_distribution(container, below)
        if there:
            taken = [_package(name, there) for name in there]
            await apt.install(container, taken, step="r", update=False)
            needed = _needed(await run("plan"))
    if not needed:
        return
    # A mirror with `__linux__` in its address has compiled packages.
    compiled = any(needed.values()) and "/__linux__/" not in mirror
    if distribution and compiled and (await container.ask("command -v make && command -v gcc"))[0]:
        container.progress.update("Installing compilers")
        await apt.install(container, [COMPILERS], step="r", update=False)
    await run("install")


def _needed(plan: str) -> dict[str, bool]:
    """Package to whether it has something to compile."""
    rows = (line.split() for line in plan.splitlines())
    return {row[1]: row[3] == "yes" for row in rows if len(row) == 4 and row[0] == "need"}


async def _of_distribution(container: BuildContainer, names: Sequence[str]) -> dict[str, str]:
    """Name of R's to the version of it that the distribution has."""
    packages = [f"r-{source}-{name.lower()}" for name in names for source in ("cran", "bioc")]
    found = await apt.candidates(container, packages, step="r")
    versions: dict[str, str] = {}
    for name in names:
        for source in ("cran", "bioc"):
            version = found.get(f"r-{source}-{name.lower()}")
            if version:
                versions.setdefault(name, f"{source} {version}")
    return versions


def _package(name: str, known: Mapping[str, str]) -> str:
    return f"r-{known[name].split()[0]}-{name.lower()}"


def upstream(version: str) -> str:
    """R's version of a distribution's one: ``1.14.8`` of ``1:1.14.8+dfsg-1``."""
    version = version.rpartition(":")[2].rpartition("-")[0] or version
    return re.split(r"[+~]", version)[0]


def _fits(text: str, known: str) -> bool:
    """Whether the distribution's version is what is asked for."""
    if not known:
        return False
    found = re.search(r"(==|>=)(.*)$", text)
    if not found:
        return True
    has, asked = _numbers(upstream(known.split()[1])), _numbers(found[2])
    return has == asked if found[1] == "==" else has >= asked


def _numbers(version: str) -> tuple[int, ...]:
    """R takes hyphen and point for the same."""
    return tuple(int(part) for part in re.split(r"[.-]", version) if part.isdigit())
