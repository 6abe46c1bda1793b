"""Actors: their keys, and when what everybody sees of a resource was changed last"""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Actors: their keys, and when what everybody sees of a resource was changed last"""
    op.create_table(
        "actor_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actor_keys")),
        sa.UniqueConstraint("actor", "algorithm", name=op.f("uq_actor_keys_actor_algorithm")),
    )
    op.add_column("resources", sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_resources_visibility_changed_at", "resources", ["visibility", "changed_at"])
    op.create_index("ix_resources_owner_id_visibility", "resources", ["owner_id", "visibility"])
    _find_out_when()


def downgrade() -> None:
    """Undo it."""
    op.drop_index("ix_resources_owner_id_visibility", table_name="resources")
    op.drop_index("ix_resources_visibility_changed_at", table_name="resources")
    op.drop_column("resources", "changed_at")
    op.drop_table("actor_keys")


def _find_out_when() -> None:
    """By the newest release, and by the trail's last word on the description after it."""
    resources = sa.table(
        "resources",
        sa.column("id", sa.Uuid()),
        sa.column("released_at", sa.DateTime(timezone=True)),
        sa.column("changed_at", sa.DateTime(timezone=True)),
    )
    versions = sa.table(
        "versions",
        sa.column("resource_id", sa.Uuid()),
        sa.column("released_at", sa.DateTime(timezone=True)),
    )
    trail = sa.table(
        "audit",
        *(sa.column(name, sa.String()) for name in ("noun", "noun_id", "action")),
        sa.column("at", sa.DateTime(timezone=True)),
    )
    connection = op.get_bind()
    newest = (
        sa.select(sa.func.max(versions.c.released_at))
        .where(versions.c.resource_id == resources.c.id)
        .scalar_subquery()
    )
    connection.execute(
        resources.update()
        .where(resources.c.released_at.is_not(None))
        .values(changed_at=sa.func.coalesce(newest, resources.c.released_at))
    )
    described = (
        sa.select(trail.c.noun_id, sa.func.max(trail.c.at).label("at"))
        .where(trail.c.noun == "resource", trail.c.action == "describe")
        .group_by(trail.c.noun_id)
    )
    for row in connection.execute(described).all():
        this = sa.and_(resources.c.id == UUID(row.noun_id), resources.c.changed_at < row.at)
        connection.execute(resources.update().where(this).values(changed_at=row.at))
