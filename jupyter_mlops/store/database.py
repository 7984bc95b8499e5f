"""The SQLite file: opened, migrated and shared between processes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DatabaseError, OperationalError

from ..core.errors import ConflictError, DiskFullError, MlopsError
from .tables import REVISION

T = TypeVar("T")

BUSY_SECONDS = 30
"""How long a write waits for another process's."""


class Database:
    """Runs functions on a connection, in worker threads. The file is opened at the first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine: Engine | None = None
        self._opening = threading.Lock()

    async def run(self, work: Callable[[Connection], T]) -> T:
        """One transaction: committed when ``work`` returns, rolled back when it raises."""

        def call() -> T:
            try:
                with self._open().begin() as connection:
                    return work(connection)
            except OperationalError as error:
                raise self._explained(error) from error

        return await anyio.to_thread.run_sync(call)

    async def close(self) -> None:
        """Close the file; the next call opens it again."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await anyio.to_thread.run_sync(engine.dispose)

    def _open(self) -> Engine:
        with self._opening:
            if self._engine is None:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                engine = create_engine(
                    f"sqlite:///{self.path}", connect_args={"timeout": BUSY_SECONDS}
                )
                event.listen(engine, "connect", _prepare)
                event.listen(engine, "begin", _begin)
                try:
                    self._migrate(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
            return self._engine

    def _migrate(self, engine: Engine) -> None:
        if _version(engine) == REVISION:
            return
        # Alembic is slow to import, and most starts find the file as it should be.
        from .migrations.upgrade import upgrade

        upgrade(engine, self.path, current=lambda: _version(engine))

    def _explained(self, error: OperationalError) -> MlopsError:
        reason = str(error.orig)
        if "full" in reason:
            return DiskFullError(
                f"The disk that holds {self.path} is full.", "Make room there, then try again."
            )
        if "locked" in reason or "busy" in reason:
            return ConflictError(
                f"Another process has held {self.path} for {BUSY_SECONDS} seconds.",
                "Try again; if this stays, stop the other Jupyter server or command.",
            )
        return MlopsError(
            f"The records in {self.path} cannot be read or written: {reason}.",
            "Check that the folder exists, is on a local disk, and belongs to you.",
        )


def _prepare(connection: Any, _record: Any) -> None:
    # Python's own transactions leave table definitions out; ours begin in _begin.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    # Readers never wait for a writer, nor it for them; kept in the file once set.
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _version(engine: Engine) -> str:
    """The migration the file is at; empty for a new file."""
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return ""
            found = connection.scalar(text("select version_num from alembic_version"))
            return str(found or "")
    except OperationalError:
        raise
    except DatabaseError as error:
        raise MlopsError(
            f"{engine.url.database} is not a file of ours: {error.orig}.",
            "Move it away; a new one is made at the next start.",
        ) from error
