"""Records of every noun, and the counters of revisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Spelled out, not taken from the tables as they are today: a migration is history.
RECORDS = {
    "bases": ("image", "ref"),
    "environments": ("owner",),
    "revisions": ("environment", "identity", "image"),
    "snapshots": ("name", "environment", "image", "owner"),
    "packages": ("name", "snapshot", "image"),
    "deployments": ("name", "package", "target", "state"),
    "operations": ("kind", "subject", "state"),
    "kernels": ("container", "environment", "snapshot", "image"),
}


def upgrade() -> None:
    for name, fields in RECORDS.items():
        op.create_table(
            name,
            sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
            sa.Column("key", sa.String, nullable=False, unique=True),
            *(sa.Column(field, sa.String, nullable=False) for field in fields),
            sa.Column("document", sa.JSON, nullable=False),
            sqlite_autoincrement=True,
        )
        for field in fields:
            op.create_index(f"ix_{name}_{field}", name, [field])
    op.create_table(
        "counters",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("counters")
    for name in RECORDS:
        op.drop_table(name)
