"""People: e-mail addresses, passwords, one-time links, throttles"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_EMAIL = sa.String(length=254)


def upgrade() -> None:
    """People: e-mail addresses, passwords, one-time links, throttles

    Columns are added as they are: other tables refer to these, and SQLite cannot make them anew under them.
    """
    op.add_column("accounts", sa.Column("email", _EMAIL, nullable=True))
    op.add_column("accounts", sa.Column("email_confirmed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("accounts", sa.Column("unconfirmed_email", _EMAIL, nullable=True))
    op.add_column(
        "accounts", sa.Column("must_confirm", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("accounts", sa.Column("password_hash", sa.String(length=255), nullable=True))
    op.create_index("ix_accounts_email", "accounts", ["email"], unique=True)
    op.create_index("ix_accounts_unconfirmed_email", "accounts", ["unconfirmed_email"], unique=False)
    op.add_column("tokens", sa.Column("is_session", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "one_time_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("email", _EMAIL, nullable=True),
        sa.Column("role", sa.String(length=16), nullable=True),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.Column("secret_hash", sa.String(length=64), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_one_time_links_account_id")),
        sa.ForeignKeyConstraint(["made_by"], ["accounts.id"], name=op.f("fk_one_time_links_made_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_links")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_one_time_links_secret_hash")),
    )
    op.create_index("ix_one_time_links_account_id", "one_time_links", ["account_id"], unique=False)
    op.create_table(
        "throttles",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("full_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttles")),
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_table("throttles")
    op.drop_table("one_time_links")
    op.drop_column("tokens", "is_session")
    op.drop_index("ix_accounts_unconfirmed_email", "accounts")
    op.drop_index("ix_accounts_email", "accounts")
    for column in ("password_hash", "must_confirm", "unconfirmed_email", "email_confirmed_at", "email"):
        op.drop_column("accounts", column)
