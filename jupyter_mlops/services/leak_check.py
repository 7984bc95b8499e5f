"""The decision whether a snapshot may leave this machine."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio
from pydantic import TypeAdapter

from ..core import secret_rules
from ..core.bundle import bundle_config
from ..core.errors import NotFoundError, SecretsFoundError
from ..core.ports import Blobs, Engine, Registries, Store
from ..core.settings import Settings
from ..core.snapshot import Finding, Snapshot
from . import scanning

_FINDINGS = TypeAdapter(list[Finding])
_TEXTS = ("readme", "lock", "inventory", "provenance")


class LeakCheck:
    """Searches a snapshot for secrets; what was found in an image is remembered."""

    def __init__(
        self, settings: Settings, store: Store, blobs: Blobs, registries: Registries
    ) -> None:
        self._folder = settings.data / "scans"
        self._store = store
        self._blobs = blobs
        self._registries = registries

    async def findings(
        self, engine: Engine, snapshot: Snapshot, archive: Path | None = None
    ) -> list[Finding]:
        """All findings, those of the project's files first. ``archive`` is the saved image, for
        callers that have it anyway."""
        stop = threading.Event()
        try:
            found = await anyio.to_thread.run_sync(self._in_bundle, snapshot, stop.is_set)
            return found + await self._in_image(engine, snapshot, archive, stop.is_set)
        finally:
            stop.set()

    def require(self, findings: Sequence[Finding], allow: Sequence[str]) -> None:
        """Raises SecretsFoundError, with ``findings``, for what the user has not allowed.
        Files that never travel cannot be allowed."""
        denied = [f for f in findings if secret_rules.denied(f.path)]
        open_ = [f for f in findings if f in denied or f.path not in allow]
        if not open_:
            return
        paths = list(dict.fromkeys(f.path for f in open_))
        listed = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        hint = "Look at each: remove the secret and freeze again, or allow the file if it is none."
        if denied:
            names = ", ".join(dict.fromkeys(f.path for f in denied))
            hint = f"Delete {names} in the kernel and freeze again; such files never travel."
        error = SecretsFoundError(
            f"{len(paths)} {'file looks' if len(paths) == 1 else 'files look'} as if there were "
            f"secrets in {'it' if len(paths) == 1 else 'them'}: {listed}.",
            hint,
        )
        error.findings = tuple(open_)
        raise error

    def _in_bundle(self, snapshot: Snapshot, stopped: scanning.Stopped) -> list[Finding]:
        found: list[Finding] = []
        workspace = snapshot.member("workspace")
        if workspace is not None:
            file = self._blobs.path(workspace.digest)
            if not file.is_file():
                raise NotFoundError(
                    f"The files of the snapshot {snapshot.name} are not on this machine any more."
                )
            found += scanning.scan_files(file, stopped)
        for role in _TEXTS:
            member = snapshot.member(role)
            if member is not None and self._blobs.path(member.digest).is_file():
                content = self._blobs.path(member.digest).read_bytes()
                found += scanning.scan_text(member.title, content)
        return found + scanning.scan_text("snapshot.json", bundle_config(snapshot))

    async def _in_image(
        self, engine: Engine, snapshot: Snapshot, archive: Path | None, stopped: scanning.Stopped
    ) -> list[Finding]:
        known = self._folder / f"{snapshot.image.removeprefix('sha256:')}.json"
        version = f"{secret_rules.VERSION}\n".encode()
        try:
            content = known.read_bytes()
            if content.startswith(version):
                return _FINDINGS.validate_json(content.removeprefix(version))
        except (OSError, ValueError):
            pass
        first = await self._first_changed_layer(engine, snapshot)
        scratch = self._blobs.scratch()
        try:
            if archive is None:
                await engine.save_image(snapshot.image, scratch)
            work = partial(self._scan, archive or scratch, first, stopped)
            found = await anyio.to_thread.run_sync(work)
        finally:
            scratch.unlink(missing_ok=True)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        known.write_bytes(version + _FINDINGS.dump_json(found))
        return found

    def _scan(self, archive: Path, first: int, stopped: scanning.Stopped) -> list[Finding]:
        saved = self._registries.files.saved(archive)
        try:
            layers = range(min(first, len(saved.diff_ids) - 1), len(saved.diff_ids))
            return scanning.scan_image(saved, layers, stopped)
        finally:
            saved.close()

    async def _first_changed_layer(self, engine: Engine, snapshot: Snapshot) -> int:
        """How many of the image's layers were made by builds, which have no secrets in them.

        Not simply all but the last: a snapshot of a kernel that ran in a snapshot has that one's
        layer too, and it may never have been looked at. Where no build is known, all layers but
        the lowest count as changed.
        """
        image = await engine.image(snapshot.image)
        layers = image.layers if image is not None else ()
        below = [snapshot.base_image]
        if snapshot.environment:
            revisions = await self._store.revisions.list(environment=snapshot.environment)
            below += [revision.image for revision in revisions]
        most = 1
        for name in below:
            known = await engine.image(name) if name else None
            if known is not None and layers[: len(known.layers)] == known.layers:
                most = max(most, len(known.layers))
        return most
