"""What a team has published: the tags of a project's repository, and what their indexes say."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from pathlib import Path

import anyio
from pydantic import TypeAdapter

from ..core import oci_shapes
from ..core.errors import InvalidError
from ..core.image_ref import ImageRef
from ..core.layout import LABEL_PREFIX
from ..core.ports import Registry
from ..core.snapshot import CatalogueEntry
from .publishing import number, title

_ID = re.compile(r"^s-[0-9a-f]{16}$")
_AT_ONCE = 8
_ENTRIES = TypeAdapter(dict[str, CatalogueEntry])


def is_id(text: str) -> bool:
    return bool(_ID.match(text))


async def read(registry: Registry, project: ImageRef, folder: Path) -> list[CatalogueEntry]:
    """Newest first. A snapshot's tag never changes its meaning, so what was read once is kept in
    ``folder`` and only new tags are asked for."""
    file = folder / f"{hashlib.sha256(project.name.encode()).hexdigest()[:24]}.json"
    ids = [tag for tag in await registry.tags(project) if is_id(tag)]
    known = await anyio.to_thread.run_sync(_load, file)
    limit = asyncio.Semaphore(_AT_ONCE)

    async def entry(id: str) -> CatalogueEntry | None:
        async with limit:
            return await _entry(registry, project, id)

    missing = [id for id in ids if id not in known]
    found = {id: known[id] for id in ids if id in known}
    found |= {e.id: e for e in await asyncio.gather(*map(entry, missing)) if e is not None}
    if found.keys() != known.keys():
        await anyio.to_thread.run_sync(_save, file, found)
    return sorted(found.values(), key=lambda e: (e.created, e.id), reverse=True)


async def _entry(registry: Registry, project: ImageRef, id: str) -> CatalogueEntry | None:
    """None for a tag that was deleted meanwhile, or that only looks like one of ours."""
    manifest = await registry.manifest(project.with_tag(id))
    if manifest is None:
        return None
    try:
        said = oci_shapes.read_snapshot_index(manifest.content).annotations
    except InvalidError:
        return None
    return CatalogueEntry(
        project=project.name,
        id=id,
        digest=manifest.digest,
        name=title(said, "title") or id,
        owner=title(said, "authors"),
        created=title(said, "created"),
        environment=said.get(f"{LABEL_PREFIX}.environment", ""),
        revision=number(said, "revision"),
        note=title(said, "description"),
        packages_added=number(said, "packages-added"),
        files=number(said, "files"),
    )


def _load(file: Path) -> dict[str, CatalogueEntry]:
    try:
        return _ENTRIES.validate_json(file.read_bytes())
    except (OSError, ValueError):
        return {}


def _save(file: Path, entries: dict[str, CatalogueEntry]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(_ENTRIES.dump_json(entries))
    part.replace(file)
