"""Writing the index of the network: each entry is what its origin said of it last.

Who may say something was decided before; here only the order counts. ``heard`` is a number that grows: that
of the activity, or of the crawl. What was heard earlier changes nothing of what was heard later, so neither a
second delivery nor a slow one brings back what was deleted meanwhile.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from repo_service.domain.network import EntryKind
from repo_service.domain.resources import ChangeKind, Noun
from repo_service.domain.vocabularies import LEVELS, LICENCES, SUBJECTS, TYPES, vocabulary
from repo_service.federation.remote import EntryDescription
from repo_service.inspection.text import clean_line, html_to_text
from repo_service.models import NetworkEntry
from repo_service.models.base import now
from repo_service.services.descriptions import TITLE_LENGTH, language_tag
from repo_service.services.trail import record_change

_SUMMARY_LENGTH: Final = 20_000


def put(session: Session, instance_id: UUID, described: EntryDescription, *, heard: UUID) -> bool:
    """Make the entry what its origin says now; returns whether that was news. One that was deleted comes
    back: its origin says so."""
    entry = _locked(session, described.id)
    if entry is not None and entry.heard.int >= heard.int:
        return False
    what = ChangeKind.UPDATED
    if entry is None:
        what = ChangeKind.CREATED
        entry = NetworkEntry(uri=described.id, instance_id=instance_id, heard=heard)
        session.add(entry)
    entry.heard = heard
    said = {**_columns(described), "deleted_at": None}
    if what is ChangeKind.UPDATED and all(getattr(entry, name) == value for name, value in said.items()):
        return False
    for name, value in said.items():
        setattr(entry, name, value)
    entry.updated_at = now()
    session.flush()
    record_change(session, Noun.NETWORK_ENTRY, entry.id, what)
    return True


def _columns(described: EntryDescription) -> dict[str, Any]:
    return {
        "kind": described.kind.value,
        "by": described.by,
        "url": described.url,
        "icon": described.icon,
        "name": clean_line(described.name)[:TITLE_LENGTH],
        "summary_text": html_to_text(described.summary)[:_SUMMARY_LENGTH],
        "licence": None if described.licence is None else _code(LICENCES, described.licence),
        "languages": [language_tag(tag) or tag for tag in described.languages],
        "subjects": [_code(SUBJECTS, code) for code in described.subjects],
        "levels": [_code(LEVELS, code) for code in described.levels],
        "types": [_code(TYPES, code) for code in described.types],
        "keywords": [clean_line(word) for word in described.keywords],
        "authors": [clean_line(name) for name in described.authors],
        "links": [
            {"href": link.href, "media_type": link.media_type, "size": link.size, "sha256": link.sha256}
            for link in described.links
        ],
        "published_at": described.published,
        "changed_at": described.changed,
    }


def bury(
    session: Session, instance_id: UUID, uri: str, *, heard: UUID, kind: EntryKind = EntryKind.RESOURCE
) -> bool:
    """Keep of an entry that it was there, and of what there was no entry of, that none is to come of what was
    said earlier; returns whether there was one."""
    entry = _locked(session, uri)
    if entry is None:
        session.add(
            NetworkEntry(
                uri=uri, instance_id=instance_id, kind=kind.value, heard=heard, name="", deleted_at=now()
            )
        )
        return False
    if entry.heard.int >= heard.int:
        return False
    entry.heard = heard
    if entry.deleted_at is not None:
        return False
    empty(entry, now())
    record_change(session, Noun.NETWORK_ENTRY, entry.id, ChangeKind.DELETED)
    return True


def empty(entry: NetworkEntry, moment: datetime) -> None:
    """Take everything out of an entry that it told."""
    entry.deleted_at = entry.updated_at = moment
    entry.name = entry.summary_text = entry.url = ""
    entry.by = entry.icon = entry.licence = None
    entry.languages, entry.subjects, entry.levels, entry.types = [], [], [], []
    entry.keywords, entry.authors, entry.links = [], [], []
    entry.published_at = entry.changed_at = None


def _locked(session: Session, uri: str) -> NetworkEntry | None:
    return session.scalar(select(NetworkEntry).where(NetworkEntry.uri == uri).with_for_update())


def _code(scheme: str, identifier: str) -> str:
    """The catalogue's own code; what no vocabulary has is kept as it is."""
    concept = vocabulary(scheme).get(identifier)
    return clean_line(identifier) if concept is None else concept.code
