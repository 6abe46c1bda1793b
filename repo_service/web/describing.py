"""The form in which an owner describes a resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from uuid import UUID

from flask import redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import Forbidden, InvalidInput, PreconditionFailed
from repo_service.domain.vocabularies import Concept, Vocabulary, vocabulary
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.inspection.text import text_to_html
from repo_service.services.descriptions import (
    LIST_LENGTH,
    NAME_LENGTH,
    SUMMARY_LENGTH,
    TITLE_LENGTH,
    VOCABULARY_OF,
    Description,
)
from repo_service.services.records import Author, ResourceRecord
from repo_service.web.blueprint import blueprint
from repo_service.web.fields import Fields, codes_field, line_field, text_field, words_field
from repo_service.web.labels import Label, label_of
from repo_service.web.rendering import page
from repo_service.web.signing import for_the_signed_in

SPARE_AUTHORS = 2
"""Empty rows for further authors; saving gives new ones."""

_MAX_URL = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FormValues:
    """What stands in the form. ``summary`` is plain text, or HTML where there is formatting in it."""

    title: str
    summary: str
    licence: str
    languages: Sequence[str]
    subjects: Sequence[str]
    levels: Sequence[str]
    types: Sequence[str]
    keywords: Sequence[str]
    authors: Sequence[Author]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One entry of a list to choose from, with those below it."""

    code: str
    label: Label
    narrower: Sequence[Option] = ()

    def holds_below(self, codes: Sequence[str]) -> bool:
        """Whether one of ``codes`` stands below this."""
        return any(option.code in codes or option.holds_below(codes) for option in self.narrower)


@blueprint.get("/resources/<uuid:resource_id>/edit")
@for_the_signed_in
def edit(resource_id: UUID) -> AnyResponse:
    """The form with the present description."""
    record = own_record(resource_id)
    return _form(record, _values_of(record), etag=record.etag)


@blueprint.post("/resources/<uuid:resource_id>/edit")
@for_the_signed_in
def describe(resource_id: UUID) -> AnyResponse:
    """Save what was changed; the form again, with what was typed, where that cannot be."""
    record = own_record(resource_id)
    values = _values_in(request.form)
    etag = request.form.get("etag", "")
    try:
        services().resources.describe(
            identity(), resource_id, _changes(_values_of(record), values), if_match={etag} if etag else None
        )
    except InvalidInput as error:
        messages = {item.pointer.split("/")[1]: item.detail for item in error.errors}
        return _form(record, values, etag=etag, status=CATALOGUE[error.code].status, messages=messages)
    except PreconditionFailed as error:
        return _form(record, values, etag=record.etag, status=CATALOGUE[error.code].status, stale=True)
    return redirect(url_for("web.resource", resource_id=resource_id), 303)


def licence_options() -> Sequence[Option]:
    """Every licence there is to choose."""
    return options_of(vocabulary("licences"))


def own_record(resource_id: UUID) -> ResourceRecord:
    """The resource, if it is the asker's own. Raises NotFound, Gone, Forbidden."""
    record = services().resources.get(identity(), resource_id)
    if record.owner != identity().username:
        raise Forbidden("This resource belongs to somebody else.")
    return record


def _form(
    record: ResourceRecord,
    values: FormValues,
    *,
    etag: str,
    status: int = 200,
    messages: Mapping[str, str] | None = None,
    stale: bool = False,
) -> AnyResponse:
    empty = [Author(name="")] * SPARE_AUTHORS
    return page(
        "edit.html",
        status=status,
        resource=record,
        values=values,
        authors=[*values.authors, *empty],
        etag=etag,
        messages=messages or {},
        stale=stale,
        licences=licence_options(),
        subjects=options_of(vocabulary(VOCABULARY_OF["subjects"])),
        levels=options_of(vocabulary(VOCABULARY_OF["levels"])),
        types=options_of(vocabulary(VOCABULARY_OF["types"])),
        title_length=TITLE_LENGTH,
        summary_length=SUMMARY_LENGTH,
    )


def _values_of(record: ResourceRecord) -> FormValues:
    plain = text_to_html(record.summary_text) == record.summary_html
    return FormValues(
        title=record.title,
        summary=record.summary_text if plain else record.summary_html,
        licence=record.licence or "",
        languages=record.languages,
        subjects=record.subjects,
        levels=record.levels,
        types=record.types,
        keywords=record.keywords,
        authors=record.authors,
    )


def _values_in(form: Fields) -> FormValues:
    names = form.getlist("author_name")[:LIST_LENGTH]
    urls = form.getlist("author_url")[:LIST_LENGTH]
    rows = [
        Author(
            name=line_field(Fields({"at": name}), "at", limit=NAME_LENGTH),
            url=line_field(Fields({"at": url}), "at", limit=_MAX_URL),
        )
        for name, url in zip(names, urls, strict=False)
    ]
    return FormValues(
        title=line_field(form, "title", limit=TITLE_LENGTH),
        summary=text_field(form, "summary", limit=SUMMARY_LENGTH),
        licence=line_field(form, "licence", limit=NAME_LENGTH),
        languages=words_field(form, "languages", limit=NAME_LENGTH, most=LIST_LENGTH),
        subjects=codes_field(form, "subjects", most=LIST_LENGTH),
        levels=codes_field(form, "levels", most=LIST_LENGTH),
        types=codes_field(form, "types", most=LIST_LENGTH),
        keywords=words_field(form, "keywords", limit=NAME_LENGTH, most=LIST_LENGTH),
        authors=[row for row in rows if row.name or row.url],
    )


def _changes(before: FormValues, after: FormValues) -> Description:
    """What is not as it was: the rest stays as inspection found it, or will find it."""
    changed = {
        field.name: getattr(after, field.name)
        for field in fields(FormValues)
        if _comparable(getattr(after, field.name)) != _comparable(getattr(before, field.name))
    }
    if "summary" in changed and "<" not in after.summary:
        changed["summary"] = text_to_html(after.summary)
    if changed.get("licence") == "":
        del changed["licence"]  # a licence cannot be taken back, only changed
    return Description(**changed)


def _comparable(value: object) -> object:
    """Browsers send line breaks as CRLF, and lists as lists."""
    if isinstance(value, str):
        return "\n".join(value.split("\r\n")).strip()
    return list(value) if isinstance(value, Sequence) else value


def options_of(scheme: Vocabulary) -> Sequence[Option]:
    """The concepts of a vocabulary as a tree."""
    below: dict[str | None, list[Concept]] = {}
    for concept in scheme:
        below.setdefault(concept.broader, []).append(concept)

    def made(broader: str | None) -> list[Option]:
        return [
            Option(code=concept.code, label=label_of(concept), narrower=made(concept.code))
            for concept in below.get(broader, ())
        ]

    return made(None)
