"""Invitations: who may make an account, asked by an administrator."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import aliased

from repo_service.domain.errors import FieldError, InvalidInput, NameTaken, NotFound
from repo_service.domain.identity import Identity, LinkPurpose, Role, Scope
from repo_service.domain.resources import Noun
from repo_service.models import Account, OneTimeLink
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services import links
from repo_service.services.accounts import require_scope
from repo_service.services.emails import normalise_email
from repo_service.services.letters import Letters
from repo_service.services.records import InvitationRecord
from repo_service.services.trail import audit

_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """An invitation, and its address when nobody gets a letter: it is shown this once."""

    invitation: InvitationRecord
    url: str | None


class Invitations:
    """Made, listed and taken back by administrators. ``base_url`` is where their links lead."""

    def __init__(self, database: Database, letters: Letters, *, base_url: str) -> None:
        self._database = database
        self._letters = letters
        self._base_url = base_url

    def invite(
        self, identity: Identity, *, email: str | None = None, role: Role = Role.MEMBER, send: bool = False
    ) -> Invited:
        """Let somebody make an account with ``role``. ``send`` it by letter, or get its address to pass on.

        Raises InvalidInput for what is no address, NameTaken for that of an account, Forbidden.
        """
        require_scope(identity, Scope.ADMINISTER)
        address = normalise_email(email) if email else None
        if send and address is None:
            raise InvalidInput(errors=[FieldError("/email", "A letter needs an address.")])
        with self._database.write() as session:
            if address is not None and session.scalar(select(Account.id).where(Account.email == address)):
                raise NameTaken("Somebody with this e-mail address has an account already.", name=address)
            link = links.make(
                session, LinkPurpose.INVITATION, email=address, role=role, made_by=identity.account_id
            )
            audit(session, identity, "invite", Noun.INVITATION, link.id, role=role.value, sent=send)
            url = None
            if send:
                self._letters.send_link(session, link)
            else:
                url = links.address(self._base_url, LinkPurpose.INVITATION, links.write_down(link))
        return Invited(invitation=_record(link, identity.username or None), url=url)

    def list(self, identity: Identity) -> tuple[InvitationRecord, ...]:
        """Those that can be used, or were, lately; newest first."""
        require_scope(identity, Scope.ADMINISTER)
        host = aliased(Account)
        query = (
            select(OneTimeLink, host.username)
            .outerjoin(host, host.id == OneTimeLink.made_by)
            .where(OneTimeLink.purpose == LinkPurpose.INVITATION.value)
            .order_by(OneTimeLink.id.desc())
            .limit(_SHOWN)
        )
        with self._database.read() as session:
            return tuple(_record(link, username) for link, username in session.execute(query))

    def revoke(self, identity: Identity, invitation_id: UUID) -> None:
        """Make an invitation worthless. Raises NotFound."""
        require_scope(identity, Scope.ADMINISTER)
        with self._database.write() as session:
            link = session.get(OneTimeLink, invitation_id, with_for_update=True)
            if link is None or link.purpose != LinkPurpose.INVITATION.value:
                raise NotFound("There is no such invitation.")
            link.expires_at = min(link.expires_at, now())
            audit(session, identity, "revoke", Noun.INVITATION, link.id)


def _record(link: OneTimeLink, made_by: str | None) -> InvitationRecord:
    return InvitationRecord(
        id=link.id,
        email=link.email,
        role=Role(link.role or Role.MEMBER),
        made_by=made_by,
        created_at=link.created_at,
        expires_at=link.expires_at,
        sent_at=link.sent_at,
        used_at=link.used_at,
    )
