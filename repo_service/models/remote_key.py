"""What is remembered of signed requests: whose key is whose, and which request was here."""

from __future__ import annotations

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, Moment
from repo_service.models.remote_actor import URI_LENGTH


class RemoteKey(Base):
    """A key of an actor elsewhere, as it was at ``fetched_at``. ``public_key`` is PEM."""

    __tablename__ = "remote_keys"

    uri: Mapped[str] = mapped_column(String(URI_LENGTH), primary_key=True)
    actor: Mapped[str] = mapped_column(String(URI_LENGTH))
    public_key: Mapped[str] = mapped_column(Text)
    fetched_at: Mapped[Moment]


class SeenRequest(Base):
    """A signed request that was taken: until then it could be sent a second time."""

    __tablename__ = "seen_requests"

    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    until: Mapped[Moment] = mapped_column(index=True)
