"""Languages: the one that an account gets its letters in"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Languages: the one that an account gets its letters in"""
    op.add_column("accounts", sa.Column("language", sa.String(length=35), nullable=True))


def downgrade() -> None:
    """Undo it."""
    op.drop_column("accounts", "language")
