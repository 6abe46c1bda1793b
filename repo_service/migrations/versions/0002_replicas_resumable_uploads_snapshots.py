"""Replicas, resumable uploads, snapshots"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replicas, resumable uploads, snapshots"""
    op.create_table(
        "snapshots",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("manifest_digest", sa.String(length=64), nullable=False),
        sa.Column("catalogue_digest", sa.String(length=64), nullable=False),
        sa.Column("previous_id", sa.Uuid(), nullable=True),
        sa.Column("resources", sa.Integer(), nullable=False),
        sa.Column("change_seq", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["catalogue_digest"], ["blobs.digest"], name=op.f("fk_snapshots_catalogue_digest")
        ),
        sa.ForeignKeyConstraint(
            ["manifest_digest"], ["blobs.digest"], name=op.f("fk_snapshots_manifest_digest")
        ),
        sa.ForeignKeyConstraint(["previous_id"], ["snapshots.id"], name=op.f("fk_snapshots_previous_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshots")),
    )
    with op.batch_alter_table("snapshots", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_snapshots_catalogue_digest"), ["catalogue_digest"], unique=False)
        batch_op.create_index(batch_op.f("ix_snapshots_manifest_digest"), ["manifest_digest"], unique=False)

    with op.batch_alter_table("blobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("checks", sa.LargeBinary(), nullable=True))

    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.add_column(sa.Column("way", sa.String(length=16), nullable=False, server_default="body"))
        batch_op.add_column(sa.Column("reason", sa.String(length=1000), nullable=True))
        batch_op.add_column(sa.Column("staging_key", sa.String(length=2048), nullable=True))
        batch_op.add_column(sa.Column("holder", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("held_until", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("job_id", sa.Uuid(), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_uploads_job_id"), "jobs", ["job_id"], ["id"])


def downgrade() -> None:
    """Undo it."""
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_uploads_job_id"), type_="foreignkey")
        batch_op.drop_column("job_id")
        batch_op.drop_column("held_until")
        batch_op.drop_column("holder")
        batch_op.drop_column("staging_key")
        batch_op.drop_column("reason")
        batch_op.drop_column("way")

    with op.batch_alter_table("blobs", schema=None) as batch_op:
        batch_op.drop_column("checks")

    with op.batch_alter_table("snapshots", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_snapshots_manifest_digest"))
        batch_op.drop_index(batch_op.f("ix_snapshots_catalogue_digest"))

    op.drop_table("snapshots")
