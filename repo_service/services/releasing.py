"""Releasing: what must hold before the public may read a version, and what happens when it does."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from repo_service.domain.errors import BlockingFindings, EmailUnconfirmed, Incomplete, InvalidFile
from repo_service.domain.findings import Summary, summarise
from repo_service.domain.identity import Identity
from repo_service.domain.resources import ChangeKind, Noun, Visibility
from repo_service.domain.texts import Text, text
from repo_service.inspection.text import text_to_html
from repo_service.models import Account, InspectionRecord, Resource, Version
from repo_service.models.base import now
from repo_service.services import descriptions
from repo_service.services.reading import inspection_of
from repo_service.services.trail import audit, record_change


def require_releasable(session: Session, resource: Resource, version: Version) -> None:
    """Refuse what the policy forbids: not inspected, unreadable, people or secrets inside, no licence, or an
    owner whom nobody can reach.

    Raises NotInspected, InvalidFile, BlockingFindings, Incomplete, EmailUnconfirmed.
    """
    owner = session.get(Account, resource.owner_id)
    if owner is not None and owner.must_confirm:
        raise EmailUnconfirmed
    require_harmless(inspection_of(session, version), text("This file cannot be released"))
    if resource.licence is None:
        raise Incomplete(
            "Choose a licence first: without one nobody knows what they may do.",
            errors=[("/licence", text("Choose one from /vocabularies/licences."))],
        )


def require_harmless(record: InspectionRecord, sentence: str) -> None:
    """Refuse what holds people or secrets; ``sentence`` says what cannot be done. Raises BlockingFindings."""
    if record.blocking:
        findings = [f for f in record.document["findings"] if f["finding_class"] == "blocking"]
        found = summarise((f["code"], f["count"]) for f in findings)
        raise BlockingFindings(
            text("%(sentence)s: it holds %(found)s.", sentence=sentence, found=_listed(found)),
            findings=[summary.code for summary in found],
        )


def _listed(found: Iterable[Summary]) -> Text:
    """One after the other, in words that can be said in other languages."""
    return functools.reduce(
        lambda first, words: text("%(first)s, %(next)s", first=first, next=words),
        (summary.words for summary in found),
    )


def release_now(session: Session, identity: Identity, resource: Resource, version: Version) -> None:
    """Let the public read ``version``. The policy has been asked already."""
    moment = now()
    _fill(resource, inspection_of(session, version).document)
    version.released_at, version.release_requested, version.release_refused = moment, False, None
    resource.visibility = Visibility.PUBLIC.value
    resource.released_at = resource.released_at or moment
    resource.changed_at = moment
    touch(resource)
    audit(session, identity, "release", Noun.RESOURCE, resource.id, number=version.number)
    record_change(session, Noun.RESOURCE, resource.id, ChangeKind.RELEASED)


def settle(
    session: Session,
    identity: Identity,
    resource: Resource,
    version: Version,
    *,
    clean: Callable[[Session, Version], bool],
) -> None:
    """Once the file of ``version`` is inspected: fill what the owner left open, and release if they asked.

    Where only what ``clean`` takes over stands against it, a clean copy is released in its place.

    What a draft version holds is nobody's business before its release, so a resource that the public knows is
    not filled from it.
    """
    version.inspected_at = now()
    touch(resource)
    record_change(session, Noun.RESOURCE, resource.id, ChangeKind.INSPECTED)
    if resource.visibility == Visibility.WITHDRAWN.value:
        return
    try:
        record = inspection_of(session, version)
        if resource.released_at is None:
            _fill(resource, record.document)
        if version.release_requested:
            require_releasable(session, resource, version)
            release_now(session, identity, resource, version)
    except (InvalidFile, BlockingFindings, Incomplete, EmailUnconfirmed) as error:
        if isinstance(error, BlockingFindings) and clean(session, version):
            return
        # The owner sees why, and decides anew: nothing is released behind their back later.
        if version.release_requested:
            version.release_refused = {"code": error.code, "detail": error.detail}
        version.release_requested = False


def _fill(resource: Resource, document: dict[str, Any]) -> None:
    title = descriptions.plain_line(document.get("title") or "")
    if "title" in resource.found and title:
        resource.title = title
    if "summary" in resource.found and document.get("summary_html"):
        resource.summary_html = document["summary_html"]
        resource.summary_text = document.get("summary_text", "")
    elif "summary" in resource.found and document.get("description"):
        resource.summary_html = text_to_html(document["description"])
        resource.summary_text = document["description"]
    if "languages" in resource.found:
        # What was guessed is proposed, and not said in the owner's name.
        declared = "" if document.get("language_detected") else document.get("language")
        tag = descriptions.language_tag(declared or "")
        resource.languages = [tag] if tag else []
    if "keywords" in resource.found:
        resource.keywords = [descriptions.plain_line(tag) for tag in _keywords(document)][
            : descriptions.LIST_LENGTH
        ]


def _keywords(document: dict[str, Any]) -> Sequence[str]:
    """The tags of a course, or what a file is filed under."""
    found: Sequence[str] = document.get("tags") or document.get("keywords") or ()
    return found


def touch(resource: Resource) -> None:
    """Count a change: the entity tag is made of it."""
    resource.revision += 1
    resource.updated_at = now()
