"""What a file holds at a glance"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COUNTS = ("sections", "activities", "questions", "files")
_MODULES = 6


def upgrade() -> None:
    """What a file holds at a glance"""
    with op.batch_alter_table("inspections", schema=None) as batch_op:
        batch_op.add_column(sa.Column("glance", sa.JSON(none_as_null=True), nullable=True))
    _look_at_what_is_there()


def downgrade() -> None:
    """Undo it."""
    with op.batch_alter_table("inspections", schema=None) as batch_op:
        batch_op.drop_column("glance")


def _look_at_what_is_there() -> None:
    inspections = sa.table(
        "inspections",
        *(sa.column(name, sa.String()) for name in ("digest", "parser")),
        sa.column("parser_version", sa.Integer()),
        sa.column("document", sa.JSON()),
        sa.column("glance", sa.JSON()),
    )
    connection = op.get_bind()
    keys = (inspections.c.digest, inspections.c.parser, inspections.c.parser_version)
    for row in connection.execute(sa.select(*keys)).all():
        this = sa.and_(*(column == value for column, value in zip(keys, row, strict=True)))
        document = connection.scalar(sa.select(inspections.c.document).where(this))
        glance = _glance(document)
        if glance is not None:
            connection.execute(inspections.update().where(this).values(glance=glance))


def _glance(document: Any) -> dict[str, Any] | None:
    """As the service made it when this was written (``domain/inspection.py``, ``glance_of``)."""
    if isinstance(document, str):
        document = json.loads(document)
    if not document or "outline" not in document or document.get("kind") == "file":
        return None
    modules = document.get("activities_by_module") or {}
    return {
        **{name: document.get(name, 0) for name in _COUNTS},
        "moodle_release": (document.get("moodle_release") or "").partition(" ")[0],
        "modules": sorted(modules, key=lambda module: (-modules[module], module))[:_MODULES],
    }
