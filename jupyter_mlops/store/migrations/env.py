"""Alembic's entry: the connection comes from ``upgrade.py``, or from ``alembic -x file=PATH``."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine

from jupyter_mlops.store.tables import metadata


def _run(connection: Connection) -> None:
    # SQLite can alter little in place; batches copy a table instead.
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    path = context.get_x_argument(as_dictionary=True)["file"]
    with create_engine(f"sqlite:///{path}").connect() as connection:
        _run(connection)
