"""The tables. A record is one row: its key, the columns it is found by, and a JSON document.

The document is the record; the other columns are copies of its fields, made on every save, so
that a new field of a noun needs no migration unless lists are to be filtered by it.
"""

from __future__ import annotations

from sqlalchemy import JSON, Column, Integer, MetaData, String, Table

metadata = MetaData()

REVISION = "0002"
"""The newest migration: it leaves the tables as they are here."""

INDEXED: dict[str, tuple[str, ...]] = {
    "bases": ("image", "ref"),
    "environments": ("owner",),
    "revisions": ("environment", "identity", "image"),
    "snapshots": ("name", "environment", "image", "owner"),
    "packages": ("name", "snapshot", "image"),
    "deployments": ("name", "package", "target", "state"),
    "operations": ("kind", "subject", "state"),
    "kernels": ("container", "environment", "snapshot", "image"),
    "limits": ("notebook",),
}
"""Of each table: the fields that lists can be filtered by."""


def _table(name: str) -> Table:
    columns = [Column(field, String, nullable=False, index=True) for field in INDEXED[name]]
    return Table(
        name,
        metadata,
        # Grows with every insert and stays with an update: the order "newest first" that
        # timestamps of one second cannot give.
        Column("position", Integer, primary_key=True, autoincrement=True),
        Column("key", String, nullable=False, unique=True),
        *columns,
        Column("document", JSON, nullable=False),
        sqlite_autoincrement=True,
    )


TABLES: dict[str, Table] = {name: _table(name) for name in INDEXED}

counters = Table(
    "counters",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Integer, nullable=False),
)
"""Highest revision number given out, by environment."""
