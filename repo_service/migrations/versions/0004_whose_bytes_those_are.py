"""Whose bytes those are that a store has"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Whose bytes those are that a store has"""
    with op.batch_alter_table("blob_locations", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_blob_locations_store_locator"), ["store", "locator"], unique=False
        )


def downgrade() -> None:
    """Undo it."""
    with op.batch_alter_table("blob_locations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_blob_locations_store_locator"))
