"""What a curator does: make a collection, describe it, put resources into it, arrange them.

And what a moderator does to one: hide it, and show it again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flask import redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.collections import MAX_ITEMS, MAX_NOTE, MAX_SUMMARY, CollectionVisibility
from repo_service.domain.errors import (
    Conflict,
    EmailUnconfirmed,
    Forbidden,
    InvalidInput,
    PreconditionFailed,
)
from repo_service.domain.identity import Scope
from repo_service.domain.texts import text
from repo_service.domain.vocabularies import vocabulary
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.inspection.text import text_to_html
from repo_service.services.accounts import require_scope
from repo_service.services.collections import CollectionDescription, CollectionRecord, FullCollection
from repo_service.services.descriptions import LIST_LENGTH, NAME_LENGTH, TITLE_LENGTH, VOCABULARY_OF
from repo_service.web.blueprint import blueprint
from repo_service.web.collecting import collection_page
from repo_service.web.describing import options_of
from repo_service.web.errors import beside_form
from repo_service.web.fields import Fields, codes_field, line_field, text_field, words_field
from repo_service.web.rendering import page
from repo_service.web.signing import for_the_signed_in

_NEW: Final = "new"
"""What the form to add a resource sends in place of a collection's id."""
_MOST: Final = 100
_MAX_REASON: Final = 1000
_PLACE: Final = re.compile(r"[0-9]{1,9}")
_ONE = "/collections/<uuid:collection_id>"
_ITEM = f"{_ONE}/items/<uuid:resource_id>"


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionValues:
    """What stands in the form. ``summary`` is plain text, or HTML where there is formatting in it."""

    title: str = ""
    summary: str = ""
    languages: Sequence[str] = ()
    subjects: Sequence[str] = ()
    public: bool = False


@blueprint.get(f"{_ONE}/delete")
@blueprint.get(f"{_ONE}/hide")
@blueprint.get(f"{_ONE}/show")
def back_to_collection(collection_id: UUID) -> AnyResponse:
    """After a refusal this stands in the address bar, and Enter there asks for it again."""
    return redirect(url_for("web.collection", collection_id=collection_id))


@blueprint.get(_ITEM)
def back_to_arranging(collection_id: UUID, resource_id: UUID) -> AnyResponse:
    """As ``back_to_collection``."""
    return redirect(url_for("web.arrange", collection_id=collection_id, _anchor=f"item-{resource_id}"))


@blueprint.get("/collections/new")
@for_the_signed_in
def new_collection() -> AnyResponse:
    """The form for a new one."""
    require_scope(identity(), Scope.WRITE)
    return _form(CollectionValues())


@blueprint.post("/collections/new")
@for_the_signed_in
def make_collection() -> AnyResponse:
    """Make it."""
    values = _values_in(request.form)
    try:
        made = services().collections.create(identity(), _description(values))
    except (InvalidInput, Conflict, EmailUnconfirmed) as error:
        return _refused(error, values)
    return redirect(url_for("web.collection", collection_id=made.record.id), 303)


@blueprint.get(f"{_ONE}/edit")
@for_the_signed_in
def edit_collection(collection_id: UUID) -> AnyResponse:
    """The form with the present description."""
    found = _own(collection_id)
    return _form(_values_of(found.record), found=found, etag=found.etag)


@blueprint.post(f"{_ONE}/edit")
@for_the_signed_in
def describe_collection(collection_id: UUID) -> AnyResponse:
    """Save what was changed; the form again, with what was typed, where that cannot be."""
    found = _own(collection_id)
    values = _values_in(request.form)
    etag = request.form.get("etag", "")
    try:
        services().collections.describe(
            identity(), collection_id, _description(values), if_match={etag} if etag else None
        )
    except (InvalidInput, EmailUnconfirmed) as error:
        return _refused(error, values, found=found, etag=etag)
    except PreconditionFailed as error:
        return _form(values, found=found, etag=found.etag, status=CATALOGUE[error.code].status, stale=True)
    return redirect(url_for("web.collection", collection_id=collection_id), 303)


@blueprint.post(f"{_ONE}/delete")
@for_the_signed_in
def delete_collection(collection_id: UUID) -> AnyResponse:
    """Take it apart."""
    services().collections.delete(identity(), collection_id)
    return redirect(url_for("web.my_collections"), 303)


@blueprint.get(f"{_ONE}/arrange")
@for_the_signed_in
def arrange(collection_id: UUID) -> AnyResponse:
    """The resources in it with their notes, to be moved and taken out."""
    return _arranging(_own(collection_id))


@blueprint.post(_ITEM)
@for_the_signed_in
def change_item(collection_id: UUID, resource_id: UUID) -> AnyResponse:
    """One step up or down, another place or note, or out."""
    form = request.form
    collections = services().collections
    match form.get("do", ""):
        case "up":
            collections.move(identity(), collection_id, resource_id, by=-1)
        case "down":
            collections.move(identity(), collection_id, resource_id, by=1)
        case "place":
            collections.change_item(identity(), collection_id, resource_id, position=_position(form))
        case "remove":
            collections.remove(identity(), collection_id, resource_id)
            return redirect(url_for("web.arrange", collection_id=collection_id), 303)
        case _:
            note = text_field(form, "note", limit=MAX_NOTE)
            collections.change_item(identity(), collection_id, resource_id, note=note)
    return redirect(url_for("web.arrange", collection_id=collection_id, _anchor=f"item-{resource_id}"), 303)


@blueprint.get("/resources/<uuid:resource_id>/collect")
@for_the_signed_in
def collect(resource_id: UUID) -> AnyResponse:
    """Which collection a resource shall go into."""
    return _collecting(resource_id)


@blueprint.post("/resources/<uuid:resource_id>/collect")
@for_the_signed_in
def add_to_collection(resource_id: UUID) -> AnyResponse:
    """Put it into one of one's own, or into a new one."""
    form = request.form
    chosen = form.get("collection", "")
    title = line_field(form, "title", limit=TITLE_LENGTH)
    note = text_field(form, "note", limit=MAX_NOTE)
    services().resources.get(identity(), resource_id)  # or a new collection would stay empty
    try:
        collection_id = _chosen(chosen, title)
        services().collections.add(identity(), collection_id, resource_id, note=note)
    except (InvalidInput, Conflict) as error:
        status = CATALOGUE[error.code].status
        typed = {"collection": chosen, "title": title, "note": note}
        return _collecting(resource_id, status=status, refusal=beside_form(error), typed=typed)
    return redirect(url_for("web.collection", collection_id=collection_id), 303)


@blueprint.post(f"{_ONE}/hide")
@for_the_signed_in
def hide_collection(collection_id: UUID) -> AnyResponse:
    """Hide it from everybody but its curator, with a reason that whoever asks for it reads."""
    reason = text_field(request.form, "reason", limit=_MAX_REASON)
    try:
        services().collections.hide(identity(), collection_id, reason=reason)
    except InvalidInput as error:
        found = services().collections.get(identity(), collection_id)
        return collection_page(found, status=CATALOGUE[error.code].status, refusal=beside_form(error))
    return redirect(url_for("web.collection", collection_id=collection_id), 303)


@blueprint.post(f"{_ONE}/show")
@for_the_signed_in
def show_collection(collection_id: UUID) -> AnyResponse:
    """Take that back."""
    services().collections.show(identity(), collection_id)
    return redirect(url_for("web.collection", collection_id=collection_id), 303)


def _own(collection_id: UUID) -> FullCollection:
    """The collection, if it is the asker's own. Raises NotFound, Gone, Forbidden."""
    found = services().collections.get(identity(), collection_id)
    if not found.record.is_own:
        raise Forbidden("This collection belongs to somebody else.")
    require_scope(identity(), Scope.WRITE)
    return found


def _chosen(chosen: str, title: str) -> UUID:
    """The collection that was chosen, made if it is a new one. Raises InvalidInput, Conflict."""
    if chosen == _NEW:
        return services().collections.create(identity(), CollectionDescription(title=title)).record.id
    try:
        return UUID(chosen)
    except ValueError as error:
        raise InvalidInput(
            errors=[("/collection", text("Choose a collection, or make a new one."))]
        ) from error


def _position(form: Fields) -> int:
    """Where something was dropped. Raises InvalidInput."""
    typed = form.get("position", "")
    if not (_PLACE.fullmatch(typed) and 1 <= int(typed) <= MAX_ITEMS):
        raise InvalidInput(errors=[("/position", text("A place from 1 to %(last)s.", last=MAX_ITEMS))])
    return int(typed)


def _arranging(found: FullCollection) -> AnyResponse:
    return page("arrange.html", collection=found.record, items=found.items, note_length=MAX_NOTE)


def _collecting(
    resource_id: UUID, *, status: int = 200, refusal: str = "", typed: Mapping[str, str] | None = None
) -> AnyResponse:
    require_scope(identity(), Scope.WRITE)
    record = services().resources.get(identity(), resource_id)
    mine = services().collections.mine(identity(), limit=_MOST).items
    return page(
        "collect.html",
        status=status,
        resource=record,
        collections=mine,
        holding=services().collections.own_with(identity(), resource_id),
        new=_NEW,
        refusal=refusal,
        typed=typed or {},
        title_length=TITLE_LENGTH,
        note_length=MAX_NOTE,
    )


def _refused(
    error: InvalidInput | Conflict | EmailUnconfirmed,
    values: CollectionValues,
    *,
    found: FullCollection | None = None,
    etag: str = "",
) -> AnyResponse:
    """The form again, with what is wrong beside the fields, or above them where it is about none."""
    messages = {}
    if isinstance(error, InvalidInput):
        messages = {item.pointer.split("/")[1]: item.detail for item in error.errors}
    return _form(
        values,
        found=found,
        etag=etag,
        status=CATALOGUE[error.code].status,
        messages=messages,
        refusal="" if messages else error.detail,
    )


def _form(
    values: CollectionValues,
    *,
    found: FullCollection | None = None,
    etag: str = "",
    status: int = 200,
    messages: Mapping[str, str] | None = None,
    refusal: str = "",
    stale: bool = False,
) -> AnyResponse:
    return page(
        "collection_form.html",
        status=status,
        collection=None if found is None else found.record,
        values=values,
        etag=etag,
        messages=messages or {},
        refusal=refusal,
        stale=stale,
        subjects=options_of(vocabulary(VOCABULARY_OF["subjects"])),
        title_length=TITLE_LENGTH,
        summary_length=MAX_SUMMARY,
    )


def _values_of(record: CollectionRecord) -> CollectionValues:
    plain = text_to_html(record.summary_text) == record.summary_html
    return CollectionValues(
        title=record.title,
        summary=record.summary_text if plain else record.summary_html,
        languages=record.languages,
        subjects=record.subjects,
        public=record.visibility is CollectionVisibility.PUBLIC,
    )


def _values_in(form: Fields) -> CollectionValues:
    return CollectionValues(
        title=line_field(form, "title", limit=TITLE_LENGTH),
        summary=text_field(form, "summary", limit=MAX_SUMMARY),
        languages=words_field(form, "languages", limit=NAME_LENGTH, most=LIST_LENGTH),
        subjects=codes_field(form, "subjects", most=LIST_LENGTH),
        public=form.get("visibility") == CollectionVisibility.PUBLIC.value,
    )


def _description(values: CollectionValues) -> CollectionDescription:
    return CollectionDescription(
        title=values.title,
        summary=values.summary if "<" in values.summary else text_to_html(values.summary),
        languages=values.languages,
        subjects=values.subjects,
        visibility=CollectionVisibility.PUBLIC if values.public else CollectionVisibility.PRIVATE,
    )
