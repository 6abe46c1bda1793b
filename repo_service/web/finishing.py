"""The page that brings a draft to its release: what was found, what is missing, and one button.

Files that a Moodle shares arrive without a licence, language or subject, and with the course's keys. Their
owners come here from there.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar
from uuid import UUID

from babel import Locale
from flask import Response, jsonify, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import (
    BlockingFindings,
    Conflict,
    DomainError,
    EmailUnconfirmed,
    Incomplete,
    InvalidFile,
    InvalidInput,
    NotFound,
    NotIndexed,
    NotInspected,
    Uncleanable,
)
from repo_service.domain.resources import JobState
from repo_service.domain.texts import text
from repo_service.domain.vocabularies import LEVELS, SUBJECTS, TYPES, vocabulary
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.inspection.text import clean_line, text_to_html
from repo_service.services.descriptions import (
    LIST_LENGTH,
    NAME_LENGTH,
    SUMMARY_LENGTH,
    TITLE_LENGTH,
    Description,
)
from repo_service.services.records import Author, CleaningRecord, ResourceRecord, VersionRecord
from repo_service.web.blueprint import blueprint
from repo_service.web.describing import licence_options, options_of, own_record
from repo_service.web.fields import Fields, codes_field, line_field, text_field
from repo_service.web.file_inside import file_inside_of
from repo_service.web.found import Found, found_in
from repo_service.web.inside import inside_of
from repo_service.web.proposing import Proposals, proposals_of
from repo_service.web.rendering import page
from repo_service.web.showing import UNFINISHED, document_of, tell_released
from repo_service.web.signing import for_the_signed_in
from repo_service.web.speaking import asked_for, spoken

Said = TypeVar("Said")

_TYPE_OF_KIND = {"course": "course"}
"""What a file is by itself, in the vocabulary of types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What nobody has said yet and the file does not tell: only ``licence`` has to be there for a release.

    A title there always is; ``title`` says that it is but the name of the file.
    """

    licence: bool
    title: bool
    summary: bool
    authors: bool
    language: bool
    subjects: bool
    levels: bool
    types: bool

    @property
    def helpful(self) -> bool:
        """Whether there is anything that may be left out."""
        return any(getattr(self, field.name) for field in fields(self) if field.name != "licence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What stands in the form, empty where nothing was said: codes, text and names."""

    licence: str = ""
    title: str = ""
    summary: str = ""
    authors: Sequence[str] = ()
    language: str = ""
    subjects: Sequence[str] = ()
    levels: Sequence[str] = ()
    types: Sequence[str] = ()


@blueprint.get("/resources/<uuid:resource_id>/finish")
@for_the_signed_in
def finish(resource_id: UUID) -> AnyResponse:
    """The newest version on its way to a release; once it is released, its page.

    What has become a version of another resource goes on there.
    """
    try:
        record = own_record(resource_id)
    except NotFound:
        of = services().resources.became(identity(), resource_id)
        if of is None:
            raise
        return redirect(url_for("web.finish", resource_id=of), 303)
    if record.versions[0].released_at is not None:
        tell_released(resource_id)
        return redirect(url_for("web.resource", resource_id=resource_id), 303)
    return _page(record)


@blueprint.get("/resources/<uuid:resource_id>/finish/looking")
@for_the_signed_in
def looking(resource_id: UUID) -> Response:
    """How far the look inside is, for the page that waits for it."""
    record = own_record(resource_id)
    version = record.versions[0]
    finished = version.processing.state not in UNFINISHED
    if finished and document_of(record, version) is not None:
        finished = not isinstance(proposals_of(record, version), NotIndexed)
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
        description = _description(record, version, _missing(record, version, document), answers)
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
            errors=[("/licence", text("Choose one."))],
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
    proposed = proposals_of(record, version) if document else Proposals()
    is_settled = isinstance(proposed, Proposals)
    suggested = proposed.licence if isinstance(proposed, Proposals) else ""
    account = services().accounts.own(identity())
    return page(
        "finish.html",
        status=status,
        resource=record,
        version=version,
        unfinished=version.processing.state in UNFINISHED or not is_settled,
        failed=version.processing.state is JobState.FAILED,
        cleaning=cleaning,
        is_cleaning=cleaning.state in UNFINISHED,
        inside=None if document is None else inside_of(document),
        file_inside=None if document is None else file_inside_of(document),
        found=found,
        to_confirm=_to_confirm(found),
        must_confirm=account.must_confirm,
        unconfirmed_email=account.unconfirmed_email,
        releasable=_is_releasable(version, document, found, cleaning) and is_settled,
        missing=_missing(record, version, document),
        answers=answers or Answers(licence=suggested, language=_guessed(document)),
        suggested=suggested,
        proposed_authors=proposed.authors if isinstance(proposed, Proposals) else (),
        messages=messages or {},
        refusal=refusal,
        sent_by=services().resources.sent_by(identity(), record.id),
        alike=services().resources.alike(identity(), record.id),
        licences=licence_options(),
        languages=_languages(),
        subjects=options_of(vocabulary(SUBJECTS)),
        levels=options_of(vocabulary(LEVELS)),
        types=options_of(vocabulary(TYPES)),
        title_length=TITLE_LENGTH,
        summary_length=SUMMARY_LENGTH,
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


def _missing(record: ResourceRecord, version: VersionRecord, document: Mapping[str, Any] | None) -> Missing:
    return Missing(
        licence=record.licence is None,
        title="title" in record.found and not (document or {}).get("title"),
        summary=not record.summary_text,
        authors=not record.authors,
        language=not record.languages,
        subjects=not record.subjects,
        levels=not record.levels,
        types=not record.types and version.kind not in _TYPE_OF_KIND,
    )


def _description(
    record: ResourceRecord, version: VersionRecord, missing: Missing, said: Answers
) -> Description:
    """What is new: nothing is asked that is known, so nothing known is written over."""

    def given(asked: bool, value: Said) -> Said | None:
        return value if asked and value else None

    known_type = _TYPE_OF_KIND.get(version.kind or "")
    description = Description(
        licence=given(missing.licence, said.licence),
        title=given(missing.title and said.title != record.title, said.title),
        summary=given(missing.summary, text_to_html(said.summary)),
        authors=given(missing.authors, [Author(name=name) for name in said.authors]),
        languages=given(missing.language, [said.language] if said.language else []),
        subjects=given(missing.subjects, said.subjects),
        levels=given(missing.levels, said.levels),
        types=given(missing.types, said.types),
    )
    if not record.types and known_type is not None:
        description = replace(description, types=[known_type])
    return description


def _answers_in(form: Fields) -> Answers:
    ticked = [clean_line(name, limit=NAME_LENGTH).strip() for name in form.getlist("author")]
    typed = text_field(form, "authors", limit=LIST_LENGTH * NAME_LENGTH).splitlines()
    names = [clean_line(name, limit=NAME_LENGTH).strip() for name in (*ticked, *typed)]
    return Answers(
        licence=line_field(form, "licence", limit=NAME_LENGTH),
        title=line_field(form, "title", limit=TITLE_LENGTH),
        summary=text_field(form, "summary", limit=SUMMARY_LENGTH),
        authors=list(dict.fromkeys(filter(None, names)))[:LIST_LENGTH],
        language=line_field(form, "language", limit=NAME_LENGTH),
        subjects=codes_field(form, "subjects", most=LIST_LENGTH),
        levels=codes_field(form, "levels", most=LIST_LENGTH),
        types=codes_field(form, "types", most=LIST_LENGTH),
    )


def _guessed(document: Mapping[str, Any] | None) -> str:
    """The language that a file seems to be in, where it does not say one: its owner knows."""
    found = (document or {}).get("language") or ""
    return str(found).partition("-")[0] if (document or {}).get("language_detected") else ""


def _languages() -> Sequence[tuple[str, str]]:
    """Code and name of the languages that have a code of two letters, the visitor's own first."""
    names = Locale(spoken().tag).languages
    listed = sorted(((name, code) for code, name in names.items() if len(code) == 2), key=_as_in_a_dictionary)
    own = [tag.partition("-")[0].lower() for tag in asked_for()]
    first = [code for code in dict.fromkeys(own) if code in names]
    return [(code, str(names[code])) for code in first] + [
        (code, name) for name, code in listed if code not in first
    ]


def _as_in_a_dictionary(entry: tuple[str, str]) -> str:
    """Capitals and accents count for nothing: Écossais stands among the words with E."""
    return unicodedata.normalize("NFKD", entry[0]).casefold()
