"""Pages elsewhere that resources are at home on: an instance links what it shares here for its members to its
own page.

People follow such a link as they follow our own pages, so it leads to where the instance is: to the host that
its people were sent back to when they let it act for them (``Grant.host``), and only for an instance that an
administrator has approved.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from repo_service.domain.errors import FieldError, InvalidInput
from repo_service.domain.identity import ClientState, Identity
from repo_service.domain.redirects import InsecureRedirects, fault_of, host_of
from repo_service.domain.resources import ChangeKind, Noun, Visibility
from repo_service.models import Client, Grant, Resource
from repo_service.services.releasing import touch
from repo_service.services.trail import record_change

URL_LENGTH: Final = 2000

_NOT_ITS_OWN: Final = (
    "This names a page at the instance that sends it: an https address on its own host, once an "
    "administrator has approved it."
)


def require_canonical(session: Session, identity: Identity, url: str | None, *, at: str = "") -> None:
    """Refuse a page that the asker has not proven to be theirs; anybody may take one back (empty).

    ``at`` is the JSON Pointer of the description within what was sent. Raises InvalidInput.
    """
    if not url:
        return
    if (
        len(url) > URL_LENGTH
        or not url.startswith("https://")
        or fault_of(url, insecure=InsecureRedirects.NEVER) is not None
        or host_of(url) != _host(session, identity)
    ):
        raise InvalidInput(errors=[FieldError(f"{at}/canonical_url", _NOT_ITS_OWN)])


def take_back(session: Session, client: Client) -> None:
    """Nothing is at home any more where this client said."""
    query = select(Resource).where(Resource.canonical_by == client.id).order_by(Resource.id)
    for resource in session.scalars(query.with_for_update()):
        resource.canonical_url = resource.canonical_by = None
        touch(resource)
        if resource.visibility == Visibility.PUBLIC.value:
            resource.changed_at = resource.updated_at
        record_change(session, Noun.RESOURCE, resource.id, ChangeKind.UPDATED)


def _host(session: Session, identity: Identity) -> str | None:
    """The host that is the asker's for certain."""
    if identity.grant_id is None:
        return None
    approved = Client.approval == ClientState.APPROVED.value
    return session.scalar(
        select(Grant.host)
        .join(Client, Client.id == Grant.client_id)
        .where(Grant.id == identity.grant_id, approved, Client.decided_at.is_not(None))
    )
