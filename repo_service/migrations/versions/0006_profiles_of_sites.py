"""Profiles of sites"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Profiles of sites"""
    op.create_table(
        "site_profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("moodle", sa.String(length=40), nullable=False),
        sa.Column("plugins", sa.JSON(), nullable=False),
        sa.Column("without", sa.JSON(), nullable=False),
        sa.Column("disabled", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("roles", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("restorer", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_site_profiles_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_profiles")),
    )
    with op.batch_alter_table("site_profiles", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_site_profiles_account_id"), ["account_id"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_table("site_profiles")
