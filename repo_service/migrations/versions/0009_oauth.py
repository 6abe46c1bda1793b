"""OAuth: what clients say of themselves, grants, codes, refresh tokens"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op
from alembic.operations.base import BatchOperations

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """OAuth: what clients say of themselves, grants, codes, refresh tokens"""
    _make_clients_anew(_extend_clients)
    op.create_table(
        "grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_grants_account_id")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_grants_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_index("ix_grants_account_id_client_id", "grants", ["account_id", "client_id"])
    op.create_index("ix_grants_client_id", "grants", ["client_id"])
    op.create_table(
        "authorization_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("redirect_uri", sa.String(length=2000), nullable=True),
        sa.Column("code_challenge", sa.String(length=128), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name=op.f("fk_authorization_codes_grant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorization_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_authorization_codes_code_hash")),
    )
    op.create_index("ix_authorization_codes_grant_id", "authorization_codes", ["grant_id"])
    op.create_index("ix_authorization_codes_expires_at", "authorization_codes", ["expires_at"])
    op.create_table(
        "refresh_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name=op.f("fk_refresh_tokens_grant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refresh_tokens")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_refresh_tokens_secret_hash")),
    )
    op.create_index("ix_refresh_tokens_grant_id", "refresh_tokens", ["grant_id"])
    op.create_index("ix_refresh_tokens_expires_at", "refresh_tokens", ["expires_at"])
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("grant_id", sa.Uuid(), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_tokens_grant_id"), "grants", ["grant_id"], ["id"])
        batch_op.create_index(batch_op.f("ix_tokens_grant_id"), ["grant_id"], unique=False)


def downgrade() -> None:
    """Undo it: software that registered itself goes, and its tokens with it."""
    op.execute("DELETE FROM tokens WHERE grant_id IS NOT NULL")
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tokens_grant_id"))
        batch_op.drop_constraint(batch_op.f("fk_tokens_grant_id"), type_="foreignkey")
        batch_op.drop_column("grant_id")
    op.drop_table("refresh_tokens")
    op.drop_table("authorization_codes")
    op.drop_table("grants")
    op.execute("DELETE FROM clients WHERE account_id IS NULL")
    _make_clients_anew(_reduce_clients)


def _extend_clients(batch: BatchOperations) -> None:
    batch.alter_column("account_id", existing_type=sa.Uuid(), nullable=True)
    batch.add_column(sa.Column("secret_hash", sa.String(length=64), nullable=True))
    batch.add_column(sa.Column("auth_method", sa.String(length=32), nullable=True))
    for name in _LISTS:
        batch.add_column(sa.Column(name, sa.JSON(), nullable=False, server_default="[]"))
    batch.add_column(sa.Column("client_uri", sa.String(length=2000), nullable=True))
    batch.add_column(sa.Column("software_id", sa.String(length=200), nullable=True))
    batch.add_column(sa.Column("software_version", sa.String(length=200), nullable=True))
    batch.add_column(sa.Column("approval", sa.String(length=16), nullable=False, server_default="approved"))
    batch.add_column(sa.Column("decided_by", sa.Uuid(), nullable=True))
    batch.add_column(sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True))
    batch.add_column(sa.Column("registered_from", sa.String(length=64), nullable=True))
    batch.add_column(sa.Column("authorised_at", sa.DateTime(timezone=True), nullable=True))
    batch.create_foreign_key(batch.f("fk_clients_decided_by"), "accounts", ["decided_by"], ["id"])
    batch.create_index("ix_clients_registered_from_created_at", ["registered_from", "created_at"])


def _reduce_clients(batch: BatchOperations) -> None:
    batch.drop_index("ix_clients_registered_from_created_at")
    batch.drop_constraint("fk_clients_decided_by", type_="foreignkey")
    for name in (
        *("authorised_at", "registered_from", "decided_at", "decided_by", "approval"),
        *("software_version", "software_id", "client_uri", *_LISTS, "auth_method", "secret_hash"),
    ):
        batch.drop_column(name)
    batch.alter_column("account_id", existing_type=sa.Uuid(), nullable=False)


def _make_clients_anew(change: Callable[[BatchOperations], None]) -> None:
    """Change the table ``clients``. SQLite makes a new one for that and drops the old, which it does not do
    while tokens refer to that: so they let go of it meanwhile."""
    bind = op.get_bind()
    held = []
    if bind.dialect.name == "sqlite":
        refer = sa.text("SELECT id, client_id FROM tokens WHERE client_id IS NOT NULL")
        held = [{"token": row.id, "client": row.client_id} for row in bind.execute(refer)]
        op.execute("UPDATE tokens SET client_id = NULL")
    with op.batch_alter_table("clients", schema=None) as batch:
        change(batch)
    if held:
        bind.execute(sa.text("UPDATE tokens SET client_id = :client WHERE id = :token"), held)


_LISTS = ("redirect_uris", "grant_types", "scopes")
