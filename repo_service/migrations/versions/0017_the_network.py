"""Other servers: who follows, what came from them, what goes to them, and the index of what they publish"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Other servers: who follows, what came from them, what goes to them, and what they publish"""
    op.create_table(
        "dispatches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("about", sa.String(length=128), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispatches")),
    )
    op.create_table(
        "positions",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_positions")),
    )
    op.create_table(
        "remote_keys",
        sa.Column("uri", sa.String(length=1000), nullable=False),
        sa.Column("actor", sa.String(length=1000), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("uri", name=op.f("pk_remote_keys")),
    )
    op.create_table(
        "seen_requests",
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_seen_requests")),
    )
    op.create_index(op.f("ix_seen_requests_until"), "seen_requests", ["until"], unique=False)
    op.create_table(
        "tellings",
        sa.Column("about", sa.String(length=128), nullable=False),
        sa.Column("told", sa.String(length=1000), nullable=False),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("about", name=op.f("pk_tellings")),
    )
    op.create_table(
        "instances",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("standing", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("actor", sa.String(length=1000), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scheme", sa.String(length=32), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unreachable_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["decided_by"], ["accounts.id"], name=op.f("fk_instances_decided_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
        sa.UniqueConstraint("host", name=op.f("uq_instances_host")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("dispatch_id", sa.Uuid(), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("inbox", sa.String(length=1000), nullable=False),
        sa.Column("about", sa.String(length=128), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dispatch_id"], ["dispatches.id"], name=op.f("fk_deliveries_dispatch_id")),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_deliveries_instance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index(op.f("ix_deliveries_dispatch_id"), "deliveries", ["dispatch_id"], unique=False)
    op.create_index("ix_deliveries_inbox_about", "deliveries", ["inbox", "about"], unique=False)
    op.create_index(
        "ix_deliveries_instance_id_next_try_at", "deliveries", ["instance_id", "next_try_at"], unique=False
    )
    op.create_table(
        "network_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("uri", sa.String(length=1000), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("by", sa.String(length=1000), nullable=True),
        sa.Column("url", sa.String(length=1000), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("summary_text", sa.Text(), nullable=False),
        sa.Column("icon", sa.String(length=1000), nullable=True),
        sa.Column("licence", sa.String(length=200), nullable=True),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.Column("subjects", sa.JSON(), nullable=False),
        sa.Column("levels", sa.JSON(), nullable=False),
        sa.Column("types", sa.JSON(), nullable=False),
        sa.Column("keywords", sa.JSON(), nullable=False),
        sa.Column("authors", sa.JSON(), nullable=False),
        sa.Column("links", sa.JSON(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heard", sa.Uuid(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hidden_reason", sa.String(length=1000), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instances.id"], name=op.f("fk_network_entries_instance_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_entries")),
        sa.UniqueConstraint("uri", name=op.f("uq_network_entries_uri")),
    )
    op.create_index("ix_network_entries_by", "network_entries", ["by"], unique=False)
    op.create_index(
        "ix_network_entries_instance_id_kind", "network_entries", ["instance_id", "kind"], unique=False
    )
    op.create_table(
        "received_activities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("uri", sa.String(length=1000), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.String(length=1000), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instances.id"], name=op.f("fk_received_activities_instance_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_received_activities")),
        sa.UniqueConstraint("uri", name=op.f("uq_received_activities_uri")),
    )
    op.create_index("ix_received_activities_created_at", "received_activities", ["created_at"], unique=False)
    op.create_index(
        "ix_received_activities_instance_id_next_try_at",
        "received_activities",
        ["instance_id", "next_try_at"],
        unique=False,
    )
    op.create_index(
        "ix_received_activities_next_try_at", "received_activities", ["next_try_at"], unique=False
    )
    op.create_table(
        "remote_actors",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("uri", sa.String(length=1000), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("inbox", sa.String(length=1000), nullable=True),
        sa.Column("shared_inbox", sa.String(length=1000), nullable=True),
        sa.Column("outbox", sa.String(length=1000), nullable=True),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_reason", sa.String(length=1000), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_remote_actors_instance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remote_actors")),
        sa.UniqueConstraint("uri", name=op.f("uq_remote_actors_uri")),
    )
    op.create_index(op.f("ix_remote_actors_instance_id"), "remote_actors", ["instance_id"], unique=False)
    op.create_table(
        "followers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("remote_id", sa.Uuid(), nullable=False),
        sa.Column("activity", sa.String(length=1000), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["remote_id"], ["remote_actors.id"], name=op.f("fk_followers_remote_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_followers")),
        sa.UniqueConstraint("actor", "remote_id", name=op.f("uq_followers_actor_remote_id")),
    )
    op.create_index(op.f("ix_followers_remote_id"), "followers", ["remote_id"], unique=False)
    op.create_table(
        "followings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("remote_id", sa.Uuid(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["remote_id"], ["remote_actors.id"], name=op.f("fk_followings_remote_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_followings")),
        sa.UniqueConstraint("actor", "remote_id", name=op.f("uq_followings_actor_remote_id")),
    )
    op.create_index(op.f("ix_followings_remote_id"), "followings", ["remote_id"], unique=False)
    op.create_index("ix_changes_noun_seq", "changes", ["noun", "seq"], unique=False)
    _begin_with_what_comes_now()


def downgrade() -> None:
    """Undo it."""
    op.drop_index("ix_changes_noun_seq", table_name="changes")
    op.drop_index(op.f("ix_followings_remote_id"), table_name="followings")
    op.drop_table("followings")
    op.drop_index(op.f("ix_followers_remote_id"), table_name="followers")
    op.drop_table("followers")
    op.drop_index(op.f("ix_remote_actors_instance_id"), table_name="remote_actors")
    op.drop_table("remote_actors")
    op.drop_index("ix_received_activities_next_try_at", table_name="received_activities")
    op.drop_index("ix_received_activities_instance_id_next_try_at", table_name="received_activities")
    op.drop_index("ix_received_activities_created_at", table_name="received_activities")
    op.drop_table("received_activities")
    op.drop_index("ix_network_entries_instance_id_kind", table_name="network_entries")
    op.drop_index("ix_network_entries_by", table_name="network_entries")
    op.drop_table("network_entries")
    op.drop_index("ix_deliveries_instance_id_next_try_at", table_name="deliveries")
    op.drop_index("ix_deliveries_inbox_about", table_name="deliveries")
    op.drop_index(op.f("ix_deliveries_dispatch_id"), table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_table("instances")
    op.drop_table("tellings")
    op.drop_index(op.f("ix_seen_requests_until"), table_name="seen_requests")
    op.drop_table("seen_requests")
    op.drop_table("remote_keys")
    op.drop_table("positions")
    op.drop_table("dispatches")


def _begin_with_what_comes_now() -> None:
    """Nobody followed yet: what was done before is in the outboxes."""
    positions = sa.table("positions", sa.column("name", sa.String()), sa.column("seq", sa.BigInteger()))
    changes = sa.table("changes", sa.column("seq", sa.BigInteger()))
    newest = sa.select(sa.literal("federation"), sa.func.max(changes.c.seq)).having(
        sa.func.max(changes.c.seq).is_not(None)
    )
    op.execute(positions.insert().from_select(["name", "seq"], newest))
