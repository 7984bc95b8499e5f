"""Which stored files are still needed."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.ports import Blobs, Store


async def release(store: Store, blobs: Blobs, digests: Iterable[str]) -> None:
    """Remove the blobs among these that nothing refers to any more."""
    for digest in {digest for digest in digests if digest} - await used(store):
        blobs.path(digest).unlink(missing_ok=True)


async def used(store: Store) -> set[str]:
    """Digests that a record points to; blobs are shared by their content."""
    found = {m.digest for snapshot in await store.snapshots.list() for m in snapshot.members}
    for environment in await store.environments.list():
        found.add(environment.spec.smoke_notebook)
    for revision in await store.revisions.list():
        found |= {revision.lock, revision.inventory, revision.spec.smoke_notebook}
        found.add(revision.smoke.notebook if revision.smoke else "")
    for package in await store.packages.list():
        found |= {package.model, package.sample.body, package.sample.expected}
        found |= {other.body for other in package.sample.others}
    return found
