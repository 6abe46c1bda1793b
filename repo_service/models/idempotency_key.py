"""Idempotency keys: what was answered to a request that may come again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, Moment


class IdempotencyKey(Base):
    """A request that said by which key it would be known if it came again, and its answer.

    ``asker_key`` is the SHA-256 of who asked and the key; ``fingerprint`` that of what was asked. Until there
    is an answer, ``fingerprint`` and all that follows it are None: the request is under way, or was broken
    off together with the service.
    """

    __tablename__ = "idempotency_keys"

    asker_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    status: Mapped[int | None] = mapped_column(Integer)
    headers: Mapped[list[Any] | None] = mapped_column(JSON)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    expires_at: Mapped[Moment] = mapped_column(index=True)
    created_at: Mapped[CreatedAt]
