"""Which version a version is the clean copy of"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Which version a version is the clean copy of"""
    with op.batch_alter_table("versions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cleaned_from", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("cleaning", sa.JSON(none_as_null=True), nullable=True))
        batch_op.create_unique_constraint(
            batch_op.f("uq_versions_resource_id_cleaned_from"), ["resource_id", "cleaned_from"]
        )


def downgrade() -> None:
    """Undo it."""
    with op.batch_alter_table("versions", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_versions_resource_id_cleaned_from"), type_="unique")
        batch_op.drop_column("cleaning")
        batch_op.drop_column("cleaned_from")
