"""What is remembered: records and blobs."""

from __future__ import annotations

from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ..deployment import Deployment
from ..environment import Base, Environment
from ..kernel import KernelRecord
from ..limits import NotebookLimits
from ..model_package import ModelPackage
from ..operation import Operation
from ..revision import Revision
from ..snapshot import Snapshot

T = TypeVar("T")


class Repository(Protocol, Generic[T]):
    """One kind of record. Keys are strings; composite ones are joined by ``@``
    (``churn@3`` for a revision)."""

    async def get(self, key: str) -> T | None: ...

    async def list(self, *, limit: int | None = None, after: str = "", **where: str) -> list[T]:
        """Newest first; ``after`` is the key of the last one seen; ``where`` on indexed fields."""
        ...

    async def save(self, record: T) -> None:
        """Insert or replace."""
        ...

    async def swap(self, old: T, new: T) -> bool:
        """Replace ``old`` by ``new``, which has the same key; false when the record is not
        ``old`` any more. Atomic among processes: of two that try, one succeeds."""
        ...

    async def delete(self, key: str) -> None: ...


class Store(Protocol):
    """Everything we remember. Safe for several processes of one user."""

    bases: Repository[Base]
    environments: Repository[Environment]
    revisions: Repository[Revision]
    snapshots: Repository[Snapshot]
    packages: Repository[ModelPackage]
    deployments: Repository[Deployment]
    operations: Repository[Operation]
    kernels: Repository[KernelRecord]
    limits: Repository[NotebookLimits]

    async def next_revision(self, environment: str) -> int:
        """Give out the next revision number; atomic, never the same twice."""
        ...

    async def close(self) -> None: ...


class Blobs(Protocol):
    """Content-addressed files: locks, inventories, workspaces, models."""

    async def put(self, content: bytes | Path) -> str:
        """Returns the digest ``sha256:…``; a file given by path is moved in."""
        ...

    async def get(self, digest: str) -> bytes:
        """Verified; raises NotFoundError."""
        ...

    def path(self, digest: str) -> Path:
        """Where the blob is; the file may be missing."""
        ...

    def size(self, digest: str) -> int: ...

    def scratch(self) -> Path:
        """A new file's path on the same disk, to be filled and then put."""
        ...
