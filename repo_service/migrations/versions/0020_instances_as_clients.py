"""Instances as clients: where a resource is at home, and what came through which client"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Instances as clients: where a resource is at home, and what came through which client"""
    op.add_column("clients", sa.Column("quota", sa.BigInteger(), nullable=True))
    op.add_column("uploads", sa.Column("client_id", sa.Uuid(), nullable=True))
    op.create_index("ix_uploads_client_id", "uploads", ["client_id"])
    op.add_column("versions", sa.Column("client_id", sa.Uuid(), nullable=True))
    op.create_index("ix_versions_client_id", "versions", ["client_id"])
    op.add_column("resources", sa.Column("canonical_url", sa.String(length=2000), nullable=True))
    op.add_column("resources", sa.Column("canonical_by", sa.Uuid(), nullable=True))
    op.create_index("ix_resources_canonical_by", "resources", ["canonical_by"])


def downgrade() -> None:
    """Undo it."""
    op.drop_index("ix_resources_canonical_by", table_name="resources")
    op.drop_column("resources", "canonical_by")
    op.drop_column("resources", "canonical_url")
    for table in ("versions", "uploads"):
        op.drop_index(f"ix_{table}_client_id", table_name=table)
        op.drop_column(table, "client_id")
    op.drop_column("clients", "quota")
