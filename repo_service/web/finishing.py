"""The page that brings a draft to its release: what was found, what is missing, and one button.

Files that a Moodle shares arrive without a licence, language or subject, and with the course's keys. Their
owners come here from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from babel import Locale
from flask import Response, jsonify, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.backups.licences import LicenceKind
from repo_service.domain.errors import (
    BlockingFindings,
    Conflict,
    DomainError,
    EmailUnconfirmed,
    Incomplete,
    InvalidFile,
    InvalidInput,
    NotIndexed,
    NotInspected,
    Uncleanable,
)
from repo_service.domain.resources import JobState
from repo_service.domain.vocabularies import LEVELS, SUBJECTS, TYPES, vocabulary
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.services.descriptions import NAME_LENGTH, Description
from repo_service.services.records import CleaningRecord, ResourceRecord, VersionRecord
from repo_service.web.blueprint import blueprint
from repo_service.web.describing import licence_options, options_of, own_record
from repo_service.web.fields import Fields, line_field
from repo_service.web.found import Found, found_in
from repo_service.web.inside import inside_of
from repo_service.web.labels import PAGE_LANGUAGE, visitor_languages
from repo_service.web.rendering import page
from repo_service.web.showing import UNFINISHED, document_of
from repo_service.web.signing import for_the_signed_in

_TYPE_OF_KIND = {"course": "course"}
"""What a file is by itself, in the vocabulary of types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What nobody has said yet and the file does not tell: only ``licence`` has to be there for a release."""

    licence: bool
    language: bool
    subject: bool
    level: bool
    type: bool

    @property
    def helpful(self) -> bool:
        """Whether there is anything that may be left out."""
        return self.language or self.subject or self.level or self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What stands in the form: codes, empty where nothing was chosen."""

    licence: str = ""
    language: str = ""
    subject: str = ""
    level: str = ""
    type: str = ""


@blueprint.get("/resources/<uuid:resource_id>/finish")
@for_the_signed_in
def finish(resource_id: UUID) -> AnyResponse:
    """The newest version on its way to a release; once it is released, its page."""
    record = own_record(resource_id)
    if record.versions[0].released_at is not None:
        return redirect(url_for("web.resource", resource_id=resource_id), 303)
    return _page(record)


@blueprint.get("/resources/<uuid:resource_id>/finish/looking")
@for_the_signed_in
def looking(resource_id: UUID) -> Response:
    """How far the look inside is, for the page that waits for it."""
    record = own_record(resource_id)
    version = record.versions[0]
    finished = version.processing.state not in UNFINISHED
    if finished and record.licence is None and document_of(record, version) is not None:
        finished = not isinstance(_licence_inside(record, version), NotIndexed)
    response = jsonify(progress=version.processing.progress, finished=finished)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/resources/<uuid:resource_id>/finish")
@for_the_signed_in
def release_finished(resource_id: UUID) -> AnyResponse:
    """Take the answers and release, or have a clean copy released where the file itself must not be.

    What was answered is kept, even when the release is refused.
    """
    record = own_record(resource_id)
    version = record.versions[0]
    document = document_of(record, version)
    answers = _answers_in(request.form)
    try:
        description = _description(record, version, answers)
        if description.given():
            record = services().resources.describe(identity(), resource_id, description)
        _release(record, version, document)
    except InvalidInput as error:
        messages = {item.pointer.split("/")[1]: item.detail for item in error.errors}
        return _page(record, answers=answers, messages=messages, status=CATALOGUE[error.code].status)
    except (
        NotInspected,
        InvalidFile,
        BlockingFindings,
        EmailUnconfirmed,
        Incomplete,
        Conflict,
        Uncleanable,
    ) as error:
        status = CATALOGUE[error.code].status
        return _page(own_record(resource_id), answers=answers, refusal=error, status=status)
    return redirect(url_for("web.finish", resource_id=resource_id), 303)


def _release(record: ResourceRecord, version: VersionRecord, document: Mapping[str, Any] | None) -> None:
    if record.licence is None:  # asked before a copy is made, which would then wait for it
        raise Incomplete(
            "Choose a licence first: without one nobody knows what they may do.",
            errors=[("/licence", "Choose one.")],
        )
    found = None if document is None else found_in(document, version.cleaning)
    if found is not None and found.blocking and found.uncleanable is None:
        services().cleaning.ask(identity(), record.id, version.number, release=True)
    else:
        services().resources.release(identity(), record.id, version.number)


def _page(
    record: ResourceRecord,
    *,
    status: int = 200,
    answers: Answers | None = None,
    messages: Mapping[str, str] | None = None,
    refusal: DomainError | None = None,
) -> Response:
    version = record.versions[0]
    document = document_of(record, version)
    cleaning = services().cleaning.get(identity(), record.id, version.number)
    found = None if document is None else found_in(document, version.cleaning)
    licence_inside = _licence_inside(record, version) if record.licence is None and document else None
    suggested = licence_inside if isinstance(licence_inside, str) else None
    account = services().accounts.own(identity())
    return page(
        "finish.html",
        status=status,
        resource=record,
        version=version,
        unfinished=version.processing.state in UNFINISHED or isinstance(licence_inside, NotIndexed),
        failed=version.processing.state is JobState.FAILED,
        cleaning=cleaning,
        is_cleaning=cleaning.state in UNFINISHED,
        inside=None if document is None else inside_of(document),
        found=found,
        to_confirm=_to_confirm(found),
        must_confirm=account.must_confirm,
        unconfirmed_email=account.unconfirmed_email,
        releasable=_is_releasable(version, document, found, cleaning)
        and not isinstance(licence_inside, NotIndexed),
        missing=_missing(record, version),
        answers=answers or Answers(licence=suggested or ""),
        suggested=suggested,
        messages=messages or {},
        refusal=refusal,
        sent_by=services().resources.sent_by(identity(), record.id),
        alike=services().resources.alike(identity(), record.id),
        licences=licence_options(),
        languages=_languages(),
        subjects=options_of(vocabulary(SUBJECTS)),
        levels=options_of(vocabulary(LEVELS)),
        types=options_of(vocabulary(TYPES)),
        content_language=next(iter(record.languages), None),
    )


def _is_releasable(
    version: VersionRecord,
    document: Mapping[str, Any] | None,
    found: Found | None,
    cleaning: CleaningRecord,
) -> bool:
    """Whether the button would do something: the file was looked into, and it or a clean copy may go out."""
    if document is None or version.processing.state in UNFINISHED or cleaning.state in UNFINISHED:
        return False
    return found is None or not found.blocking or found.uncleanable is None


def _to_confirm(found: Found | None) -> Sequence[str]:
    return () if found is None else found.to_confirm


def _missing(record: ResourceRecord, version: VersionRecord) -> Missing:
    return Missing(
        licence=record.licence is None,
        language=not record.languages,
        subject=not record.subjects,
        level=not record.levels,
        type=not record.types and version.kind not in _TYPE_OF_KIND,
    )


def _description(record: ResourceRecord, version: VersionRecord, answers: Answers) -> Description:
    """What is new: nothing is asked that is known, so nothing known is written over."""
    missing = _missing(record, version)

    def chosen(asked: bool, code: str) -> list[str] | None:
        return [code] if asked and code else None

    known_type = _TYPE_OF_KIND.get(version.kind or "")
    description = Description(
        licence=answers.licence if missing.licence and answers.licence else None,
        languages=chosen(missing.language, answers.language),
        subjects=chosen(missing.subject, answers.subject),
        levels=chosen(missing.level, answers.level),
        types=chosen(missing.type, answers.type),
    )
    if not record.types and known_type is not None:
        description = replace(description, types=[known_type])
    return description


def _answers_in(form: Fields) -> Answers:
    return Answers(
        **{
            name: line_field(form, name, limit=NAME_LENGTH)
            for name in ("licence", "language", "subject", "level", "type")
        }
    )


def _licence_inside(record: ResourceRecord, version: VersionRecord) -> str | NotIndexed | None:
    """The licence of all files in the backup, where they have one and the same; a proposal, no more.

    NotIndexed where that is known in a moment: it is worth waiting for, since who answered a form that asks
    for it does not look there again.
    """
    try:
        found = services().comparing.licences(identity(), record.id, version.number, limit=1, cursor=None)
    except NotIndexed as error:
        return error
    except (Conflict, InvalidFile, NotInspected):
        return None
    used = [use.licence for use in found.report.used]
    if len(used) != 1 or used[0].kind is not LicenceKind.LICENSED:
        return None
    return used[0].code if used[0].code in vocabulary("licences") else None


def _languages() -> Sequence[tuple[str, str]]:
    """Code and name of the languages that have a code of two letters, the visitor's own first."""
    names = Locale(PAGE_LANGUAGE).languages
    listed = sorted((str(name), code) for code, name in names.items() if len(code) == 2)
    own = [tag.partition("-")[0].lower() for tag in visitor_languages()]
    first = [code for code in dict.fromkeys(own) if code in names]
    return [(code, str(names[code])) for code in first] + [
        (code, name) for name, code in listed if code not in first
    ]
