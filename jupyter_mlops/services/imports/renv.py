"""``renv.lock``: every package of R in the version that is locked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...core.additions import LeftOut
from ...core.errors import IndexUnavailableError, InvalidError
from ...core.imported import Imported
from ...core.settings import Settings
from ..cran_index import archived, newest
from ..spec_file import check_r_package
from .parts import R_REASON, read_text

_REPOSITORIES = ("repository", "cran", "rspm", "ppm")


async def read_renv(file: Path, settings: Settings) -> Imported:
    """Versions that the mirror does not have any more are told. Raises InvalidError."""
    try:
        found = json.loads(read_text(file))
        packages = found["Packages"]
        locked = {str(name): dict(entry) for name, entry in packages.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidError(f"{file.name} is no lock of renv: it has no Packages.") from None
    wanted: dict[str, str] = {}
    left: list[LeftOut] = []
    for name, entry in locked.items():
        reason = _reason(name, entry)
        if reason:
            left.append(LeftOut(name, reason))
        else:
            wanted[name] = str(entry["Version"])
    texts, notes = await _versions(wanted, settings)
    version = (found.get("R") or {}).get("Version")
    if version:
        notes.append(LeftOut(f"R {version}", R_REASON))
    return Imported(source=file.name, r=tuple(texts), left_out=(*left, *notes))


def _reason(name: str, entry: dict[str, Any]) -> str:
    """Why this cannot be taken over; empty when it can."""
    if name == "renv":
        return "An environment has revisions and needs no renv."
    source = str(entry.get("Source") or "")
    if source.lower() == "bioconductor":
        return "It is a package of Bioconductor. Install it in the setup script."
    if source.lower() not in _REPOSITORIES:
        parts = (entry.get("RemoteUsername"), entry.get("RemoteRepo"))
        where = "/".join(str(part) for part in parts if part) or entry.get("RemoteUrl") or source
        return f"It was installed from {where or 'somewhere else'}, not from CRAN."
    try:
        check_r_package(f"{name}=={entry.get('Version', '')}")
    except InvalidError:
        return "Its name or version cannot be read."
    return ""


async def _versions(wanted: dict[str, str], settings: Settings) -> tuple[list[str], list[LeftOut]]:
    """What to ask for, and the versions that cannot be asked for."""
    notes: list[LeftOut] = []
    try:
        there = await newest(settings)
        old = [(n, v) for n, v in wanted.items() if n in there and there[n] != v]
        kept = await archived(settings, old)
    except IndexUnavailableError as error:
        if wanted:
            reason = f"They are taken over unchecked. {error.message}"
            notes.append(LeftOut("the versions", reason))
        return [f"{name}=={version}" for name, version in wanted.items()], notes
    texts = []
    for name, version in wanted.items():
        if name not in there:
            reason = "The CRAN mirror has no package of this name; the distribution may have it."
            notes.append(LeftOut(f"{name} {version}", reason))
            texts.append(name)
        elif there[name] == version or name in kept:
            texts.append(f"{name}=={version}")
        else:
            reason = f"The CRAN mirror does not have this version any more; it has {there[name]}."
            notes.append(LeftOut(f"{name} {version}", reason))
            texts.append(name)
    return texts, notes
