"""Which stored files are still needed."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.ports import Blobs, Store


async def release(store: Store, blobs: Blobs, digests: Iterable[str]) -> None:
    """Remove the blobs among these that nothing refers to any more."""
    unused = {digest for digest in digests if digest} - await _used(store)
    for digest in unused:
        blobs.path(digest).unlink(missing_ok=True)


async def _used(store: Store) -> set[str]:
    used = {m.digest for snapshot in await store.snapshots.list() for m in snapshot.members}
    for environment in await store.environments.list():
        used.add(environment.spec.smoke_notebook)
    for revision in await store.revisions.list():
        used |= {revision.lock, revision.inventory, revision.spec.smoke_notebook}
        used.add(revision.smoke.notebook if revision.smoke else "")
    for package in await store.packages.list():
        used |= {package.model, package.sample.body, package.sample.expected}
    return used
