"""Taking files in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from flask import Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.http import receiving
from repo_service.http.context import identity, services, site
from repo_service.http.pages import Mark, mark
from repo_service.services.descriptions import Description, normalise
from repo_service.services.records import ResourceRecord
from repo_service.web import csrf
from repo_service.web.blueprint import blueprint
from repo_service.web.describing import Option, licence_options, own_record
from repo_service.web.fields import Fields, line_field, text_field
from repo_service.web.rendering import page
from repo_service.web.signing import for_the_signed_in

_MAX_NOTE = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What stands in the form beside the file."""

    description: Description
    change_note: str
    release: bool


@blueprint.get("/upload")
@for_the_signed_in
def upload() -> AnyResponse:
    """The form for a new resource."""
    return _form(None, licences=licence_options())


@blueprint.post("/upload")
@mark(Mark.CHECKS_ITS_FORM)
@for_the_signed_in
def share() -> AnyResponse:
    """Take a file as a new resource."""
    return _share(*_receive())


@blueprint.post("/upload/<uuid:upload_id>")
@for_the_signed_in
def share_sent(upload_id: UUID) -> AnyResponse:
    """Make a new resource of a file that came in several goes (``sending``)."""
    return _share(upload_id, _said(request.form))


def _share(upload_id: UUID, said: Said) -> AnyResponse:
    record = services().resources.create(
        identity(),
        upload_id=upload_id,
        description=said.description,
        change_note=said.change_note,
        release=said.release,
    )
    # Released by itself, there is nothing left to do; what is not is brought to its release there.
    onward = "web.resource" if said.release else "web.finish"
    return redirect(url_for(onward, resource_id=record.id), 303)


@blueprint.get("/resources/<uuid:resource_id>/versions/new")
@for_the_signed_in
def new_version(resource_id: UUID) -> AnyResponse:
    """The form for a further version."""
    return _form(services().resources.get(identity(), resource_id))


@blueprint.post("/resources/<uuid:resource_id>/versions/new")
@mark(Mark.CHECKS_ITS_FORM)
@for_the_signed_in
def add_version(resource_id: UUID) -> AnyResponse:
    """Take a file as a further version."""
    own_record(resource_id)  # refuse before the file is read
    return _add_version(resource_id, *_receive())


@blueprint.post("/resources/<uuid:resource_id>/versions/new/<uuid:upload_id>")
@for_the_signed_in
def add_version_sent(resource_id: UUID, upload_id: UUID) -> AnyResponse:
    """Make a further version of a file that came in several goes (``sending``)."""
    return _add_version(resource_id, upload_id, _said(request.form))


def _add_version(resource_id: UUID, upload_id: UUID, said: Said) -> AnyResponse:
    services().resources.add_version(
        identity(),
        resource_id,
        upload_id=upload_id,
        change_note=said.change_note,
        release=said.release,
    )
    onward = "web.resource" if said.release else "web.finish"
    return redirect(url_for(onward, resource_id=resource_id), 303)


def _form(resource: ResourceRecord | None, *, licences: Sequence[Option] = ()) -> Response:
    return page(
        "upload.html",
        resource=resource,
        licences=licences,
        max_size=site().max_upload_size,
        tus_url=url_for("sending.create"),
    )


def _receive() -> tuple[UUID, Said]:
    if csrf.HEADER in request.headers:
        csrf.check(Fields())  # before anything is read at all
    finished, said = receiving.receive_fields(services().uploads, identity(), read=_said, check=csrf.check)
    return finished.id, said


def _said(fields: Fields) -> Said:
    licence = line_field(fields, "licence", limit=200)
    return Said(
        description=normalise(Description(licence=licence or None)),
        change_note=text_field(fields, "change_note", limit=_MAX_NOTE),
        release=bool(fields.get("release")),
    )
