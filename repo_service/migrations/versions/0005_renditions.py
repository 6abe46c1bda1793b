"""Renditions"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Renditions"""
    op.create_table(
        "renditions",
        sa.Column("source_digest", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("maker_version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["digest"], ["blobs.digest"], name=op.f("fk_renditions_digest"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_digest"], ["blobs.digest"], name=op.f("fk_renditions_source_digest"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source_digest", "kind", name=op.f("pk_renditions")),
    )
    with op.batch_alter_table("renditions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_renditions_digest"), ["digest"], unique=False)


def downgrade() -> None:
    """Undo it."""
    with op.batch_alter_table("renditions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_renditions_digest"))

    op.drop_table("renditions")
