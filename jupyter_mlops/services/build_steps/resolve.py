"""Phase resolve: from requirements to a lock (PEP 751), for the base's own interpreter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ...core.container_network import PYPI, secrets_of, without_credentials
from ...core.errors import BuildFailedError
from ...core.layout import ENV_PREFIX, RUN_DIR
from .container import PYTHON, UV, BuildContainer
from .failures import resolve_failed

LOCK = f"{RUN_DIR}/pylock.toml"
CONSTRAINTS = f"{RUN_DIR}/constraints.txt"
ALWAYS = ("ipykernel", "pip")
"""A kernel needs the first; ``%pip install`` in a notebook the second."""

_FIND_PYTHON = f"""
if [ -x {PYTHON} ]; then echo {PYTHON}; exit; fi
PATH=$(echo "$PATH" | sed 's#^{ENV_PREFIX}/bin:##')
command -v python3 || command -v python
"""


def requirements(*specs: Sequence[str]) -> list[str]:
    """All requirements, those of parent environments too, and what every environment has."""
    found = list(dict.fromkeys(text for spec in specs for text in spec))
    named = {canonicalize_name(Requirement(text).name) for text in found}
    return found + [name for name in ALWAYS if name not in named]


async def find_python(container: BuildContainer) -> str:
    """Path of the interpreter; empty where the image has none."""
    _, stdout, _ = await container.ask(_FIND_PYTHON)
    return stdout.strip().partition("\n")[0]


async def resolve(
    container: BuildContainer,
    python: str,
    wanted: Sequence[str],
    preferred: str = "",
    day: str = "",
    constraints: Sequence[str] = (),
) -> str:
    """The text of the lock, without credentials. Versions in the lock ``preferred`` are kept
    where they fit; what came after ``day`` is not seen; ``constraints`` (PEP 508) limit versions
    of what is needed anyway. Raises UnsatisfiableError, BuildFailedError."""
    if preferred:
        await container.write(LOCK, preferred.encode())
    container.progress.log("Packages asked for: " + ", ".join(wanted) + "\n")
    if day:
        container.progress.log(f"As the package index was on {day}\n")
    if constraints:
        await container.write(CONSTRAINTS, "\n".join(constraints).encode())
    await container.run(
        "resolve",
        f"{UV} pip compile - --format pylock.toml --no-header -o {LOCK} "
        '--python "$1" ${2:+--exclude-newer "$2"} ${3:+-c "$3"} >/dev/null',
        python,
        _end_of(day) if day else "",
        CONSTRAINTS if constraints else "",
        stdin="\n".join(wanted).encode(),
        failed=resolve_failed(day),
    )
    _, lock, _ = await container.ask(f"cat {LOCK}")
    if "[[packages]]" not in lock:
        raise BuildFailedError(
            "The build failed in the step resolve: the lock could not be read.", "Build again."
        )
    clean = lock
    for secret in secrets_of(container.settings.network):
        clean = clean.replace(f"{secret}@", "")
    if clean != lock:
        await use(container, clean)
    return clean


def _end_of(day: str) -> str:
    """The moment after a day; a date alone would be one of the container's own time zone."""
    return f"{date.fromisoformat(day) + timedelta(days=1)}T00:00:00Z"


async def use(container: BuildContainer, lock: str) -> None:
    """Give a lock that was resolved before to a container."""
    await container.write(LOCK, lock.encode())


def with_index(lock: str, url: str) -> str:
    """The lock with ``index`` in each package that came from an index and does not say which.

    uv then finds a package in its cache by index, name and version. Without the index it goes by
    the file's address and obeys an answer that forbids caching: each build would download
    everything and leave one more copy in the cache.
    """
    index = f'index = "{without_credentials(url or PYPI)}"'
    head, *blocks = lock.split("[[packages]]\n")
    for at, block in enumerate(blocks):
        if re.search(r"^(wheels|sdist) = ", block, re.MULTILINE) and "\nindex = " not in block:
            blocks[at] = re.sub(
                r"^(version = .*)$", rf"\1\n{index}", block, count=1, flags=re.MULTILINE
            )
    return "[[packages]]\n".join([head, *blocks])


def only_adds(before: str, after: str) -> bool:
    """Whether one lock is the other and more packages, each of them unchanged."""
    return set(_packages(before)) <= set(_packages(after))


def package_count(lock: str) -> int:
    return len(_packages(lock))


def _packages(lock: str) -> list[str]:
    return [block.strip() for block in lock.split("[[packages]]")[1:]]
