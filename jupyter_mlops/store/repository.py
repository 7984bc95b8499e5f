"""One kind of record in one table."""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Callable
from enum import Enum
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Connection, Table, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from .database import Database
from .tables import INDEXED, TABLES

T = TypeVar("T")


class SqlRepository(Generic[T]):
    """Implements the port ``Repository``. ``key`` names a record; equal keys replace."""

    def __init__(
        self, database: Database, table: str, noun: type[T], key: Callable[[T], str]
    ) -> None:
        self._database = database
        self._table: Table = TABLES[table]
        self._fields = INDEXED[table]
        self._key = key
        self._noun = noun
        self._json: TypeAdapter[T] | None = None

    @property
    def _adapter(self) -> TypeAdapter[T]:
        # Built when first used: eight of them at start would delay every command.
        if self._json is None:
            self._json = TypeAdapter(self._noun)
        return self._json

    async def get(self, key: str) -> T | None:
        def work(connection: Connection) -> Any:
            table = self._table
            return connection.scalar(select(table.c.document).where(table.c.key == key))

        document = await self._database.run(work)
        return None if document is None else self._adapter.validate_python(document)

    async def list(
        self, *, limit: int | None = None, after: str = "", **where: str
    ) -> builtins.list[T]:
        """Newest first. ``after`` is a key: an unknown one, such as a deleted record's, ends
        the list. Raises ValueError for a ``where`` that no column has."""
        unknown = where.keys() - set(self._fields)
        if unknown:
            raise ValueError(f"{self._table.name} cannot be filtered by {', '.join(unknown)}")
        table = self._table
        query = select(table.c.document).order_by(table.c.position.desc())
        for field, value in where.items():
            query = query.where(table.c[field] == _column_value(value))
        if after:
            seen = select(table.c.position).where(table.c.key == after).scalar_subquery()
            query = query.where(table.c.position < seen)
        if limit is not None:
            query = query.limit(limit)

        def work(connection: Connection) -> builtins.list[Any]:
            return builtins.list(connection.scalars(query))

        documents = await self._database.run(work)
        return [self._adapter.validate_python(document) for document in documents]

    async def save(self, record: T) -> None:
        values = self._values(record)
        statement = insert(self._table).values(key=self._key(record), **values)
        statement = statement.on_conflict_do_update(index_elements=["key"], set_=values)
        await self._database.run(lambda connection: connection.execute(statement))

    async def swap(self, old: T, new: T) -> bool:
        table, key, values = self._table, self._key(new), self._values(new)
        current = select(table.c.document).where(table.c.key == key)

        def work(connection: Connection) -> bool:
            # Takes the file's write lock, so no other process writes between the two.
            connection.execute(update(table).where(table.c.key == key).values(key=key))
            document = connection.scalar(current)
            if document is None or self._adapter.validate_python(document) != old:
                return False
            connection.execute(update(table).where(table.c.key == key).values(**values))
            return True

        return await self._database.run(work)

    def _values(self, record: T) -> dict[str, Any]:
        values: dict[str, Any] = {
            field: _column_value(getattr(record, field)) for field in self._fields
        }
        values["document"] = self._adapter.dump_python(record, mode="json")
        return values

    async def delete(self, key: str) -> None:
        statement = delete(self._table).where(self._table.c.key == key)
        await self._database.run(lambda connection: connection.execute(statement))


def _column_value(value: Any) -> str:
    return str(value.value) if isinstance(value, Enum) else str(value)


def check_columns(noun: type, table: str) -> builtins.list[str]:
    """Indexed columns that are no fields of the noun: a programming error, for the tests."""
    fields = {field.name for field in dataclasses.fields(noun)}
    return [name for name in INDEXED[table] if name not in fields]
