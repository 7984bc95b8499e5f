"""Which reader a file needs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...core.errors import InvalidError
from ...core.imported import Imported
from ...core.settings import Settings
from ..spec_file import requirements_file
from .conda import read_conda
from .parts import read_yaml, sorted_out
from .pylock import read_pylock
from .pyproject import read_pyproject
from .renv import read_renv


def is_specification(file: Path) -> bool:
    """Whether it is, or tries to be, a specification file of ours."""
    return file.suffix in (".yaml", ".yml") and "dependencies" not in read_yaml(file)


async def read(
    file: Path, settings: Settings, extras: Sequence[str] = (), groups: Sequence[str] = ()
) -> Imported:
    """Read a file by its name. Raises InvalidError for what it cannot, and says where."""
    if (extras or groups) and file.name != "pyproject.toml":
        raise InvalidError(f"{file.name} has no extras and no groups; pyproject.toml has.")
    if file.name == "pyproject.toml":
        return read_pyproject(file, extras, groups)
    if re.fullmatch(r"pylock(\.[^.]+)?\.toml", file.name):
        return read_pylock(file)
    if file.name == "renv.lock":
        return await read_renv(file, settings)
    if file.suffix in (".yaml", ".yml"):
        if is_specification(file):
            raise InvalidError(f"{file.name} has no dependencies:, so it is not one of conda.")
        return await read_conda(file, settings)
    if file.suffix in (".txt", ".in"):
        folder = file.parent.resolve()
        requirements, left = sorted_out(requirements_file(file, within=folder))
        return Imported(source=file.name, python=tuple(requirements), left_out=tuple(left))
    if "dockerfile" in file.name.lower():
        raise InvalidError(
            f"{file.name} makes a base image, not an environment.",
            f"Build it with `jupyter mlops base build {file.parent}`, and let an environment "
            "start from it.",
        )
    raise InvalidError(
        f"{file.name!r} is no file that packages can be imported from.",
        "Those are requirements.txt, pyproject.toml, pylock.toml, conda's environment.yml and "
        "renv.lock.",
    )
