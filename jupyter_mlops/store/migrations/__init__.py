"""Alembic migrations of the store, one file per step in ``versions``."""
