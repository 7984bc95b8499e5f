"""The store: every noun's repository on one SQLite file."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from ..core.deployment import Deployment
from ..core.environment import Base, Environment
from ..core.kernel import KernelRecord
from ..core.limits import NotebookLimits
from ..core.model_package import ModelPackage
from ..core.operation import Operation
from ..core.ports import Repository
from ..core.revision import Revision
from ..core.snapshot import Snapshot
from .database import Database
from .repository import SqlRepository
from .tables import counters


class SqlStore:
    """Implements the port ``Store``. Nothing touches the disk before the first call."""

    def __init__(self, path: Path) -> None:
        database = self._database = Database(path)
        self.bases: Repository[Base] = SqlRepository(
            database, "bases", Base, lambda base: base.name
        )
        self.environments: Repository[Environment] = SqlRepository(
            database, "environments", Environment, lambda environment: environment.name
        )
        self.revisions: Repository[Revision] = SqlRepository(
            database, "revisions", Revision, lambda r: f"{r.environment}@{r.number}"
        )
        self.snapshots: Repository[Snapshot] = SqlRepository(
            database, "snapshots", Snapshot, lambda snapshot: snapshot.id
        )
        self.packages: Repository[ModelPackage] = SqlRepository(
            database, "packages", ModelPackage, lambda package: package.id
        )
        self.deployments: Repository[Deployment] = SqlRepository(
            database, "deployments", Deployment, lambda deployment: deployment.id
        )
        self.operations: Repository[Operation] = SqlRepository(
            database, "operations", Operation, lambda operation: operation.id
        )
        self.kernels: Repository[KernelRecord] = SqlRepository(
            database, "kernels", KernelRecord, lambda kernel: kernel.id
        )
        self.limits: Repository[NotebookLimits] = SqlRepository(
            database, "limits", NotebookLimits, lambda limits: limits.notebook
        )

    async def next_revision(self, environment: str) -> int:
        """Also after the environment was deleted the numbers go on: tags are never reused."""
        statement = insert(counters).values(name=environment, value=1)
        statement = statement.on_conflict_do_update(
            index_elements=["name"], set_={"value": counters.c.value + 1}
        )

        def work(connection: Connection) -> int:
            # The insert takes the file's write lock, so no other process reads between the two.
            connection.execute(statement)
            query = select(counters.c.value).where(counters.c.name == environment)
            return int(connection.scalar(query) or 0)

        return await self._database.run(work)

    async def close(self) -> None:
        await self._database.close()
