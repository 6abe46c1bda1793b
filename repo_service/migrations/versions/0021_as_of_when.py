"""As of when a mirror of the index knows everything"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """As of when a mirror of the index knows everything"""
    op.add_column("positions", sa.Column("at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Undo it."""
    op.drop_column("positions", "at")
