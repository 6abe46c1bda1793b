"""Why a release was refused"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Why a release was refused"""
    with op.batch_alter_table("versions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("release_refused", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Undo it."""
    with op.batch_alter_table("versions", schema=None) as batch_op:
        batch_op.drop_column("release_refused")
