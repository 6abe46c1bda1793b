"""The format of a file that is no backup stands beside its kind: cards and lists name it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Empty for what was looked into before: it is looked into again."""
    op.add_column("inspections", sa.Column("format", sa.String(32), nullable=False, server_default=""))


def downgrade() -> None:
    """The document has it too."""
    op.drop_column("inspections", "format")
