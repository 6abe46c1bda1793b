"""Send to my Moodle: the page that names the Moodle, says what will happen, and hands the resource over."""

from __future__ import annotations

import math
from typing import Final
from uuid import UUID

from flask import Flask, Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from moodle_plugin_bridge.blueprint import pages
from moodle_plugin_bridge.choosing import Target, likely, remember_typed
from moodle_plugin_bridge.import_form import fields_of, is_backup
from moodle_plugin_bridge.moodle_site import MAX_LENGTH, MoodleSite
from repo_service.domain.errors import InvalidInput, NotFound
from repo_service.domain.resources import LocationState, Visibility
from repo_service.http.context import identity, services, site
from repo_service.http.pages import Mark, mark
from repo_service.http.problems import CATALOGUE
from repo_service.services.credits import credit_of
from repo_service.services.records import ResourceRecord, VersionRecord
from repo_service.web import slots
from repo_service.web.blueprint import NUMBER
from repo_service.web.fields import line_field
from repo_service.web.headers import content_security_policy
from repo_service.web.rendering import page
from repo_service.web.slots import Slot

MOODLE_SECONDS: Final = 30
"""How long Moodle takes for the whole download before it gives up
(``admin/tool/moodlenet/classes/local/remote_resource.php``)."""

_ADDRESS: Final = f"/resources/<uuid:resource_id>/versions/{NUMBER}/send"


def register(app: Flask) -> None:
    """Offer it on the pages of resources."""
    app.jinja_env.globals["sendable"] = sendable
    slots.fill(app, Slot.DOWNLOAD, "moodle/send_link.html")


def sendable(record: ResourceRecord, version: VersionRecord) -> bool:
    """Whether a Moodle could fetch it: anybody may, and the file is here."""
    return (
        record.visibility is Visibility.PUBLIC
        and version.released_at is not None
        and version.digest is not None
        and not any(copy.state is LocationState.REMOTE for copy in version.copies)
    )


@pages.get(_ADDRESS)
def send(resource_id: UUID, number: int) -> AnyResponse:
    """Confirm where it goes; the question where, when nothing is remembered."""
    record, version = _found(resource_id, number)
    target = likely()
    return _question(record, version) if target is None else _confirmation(record, version, target)


@pages.post(_ADDRESS)
@mark(Mark.CHANGES_NOTHING)
def to_typed(resource_id: UUID, number: int) -> AnyResponse:
    """Take the address of a Moodle that somebody types."""
    record, version = _found(resource_id, number)
    typed = line_field(request.form, "site", limit=2 * MAX_LENGTH)
    try:
        moodle = MoodleSite.typed(typed)
    except InvalidInput as error:
        return _question(record, version, typed=typed, refusal=error)
    response = redirect(url_for("moodle.send", resource_id=resource_id, number=number), 303)
    remember_typed(response, moodle)
    return response


def _found(resource_id: UUID, number: int) -> tuple[ResourceRecord, VersionRecord]:
    record = services().resources.get(identity(), resource_id)
    for version in record.versions:
        if version.number == number and sendable(record, version):
            return record, version
    raise NotFound("There is no released version here that a Moodle could fetch.")


def _question(
    record: ResourceRecord, version: VersionRecord, *, typed: str = "", refusal: InvalidInput | None = None
) -> Response:
    return page(
        "moodle/ask_site.html",
        status=200 if refusal is None else CATALOGUE[refusal.code].status,
        resource=record,
        version=version,
        typed=typed,
        refusal=refusal,
        max_length=MAX_LENGTH,
    )


def _confirmation(record: ResourceRecord, version: VersionRecord, target: Target) -> Response:
    size = version.size or 0
    too_large = size > site().send_limit
    backup = is_backup(version)
    as_link = too_large and not backup
    response = page(
        "moodle/send.html",
        resource=record,
        version=version,
        target=target,
        is_backup=backup,
        too_large=too_large,
        as_link=as_link,
        moodle_seconds=MOODLE_SECONDS,
        seconds=max(1, math.ceil(MOODLE_SECONDS * size / site().send_limit)),
        credit=credit_of(record, site().base_url),
        fields=fields_of(record, version, target, base_url=site().base_url, as_link=as_link),
        max_length=MAX_LENGTH,
    )
    # On this page alone a form leads elsewhere: to the origin that the visitor is about to read.
    response.headers["Content-Security-Policy"] = content_security_policy(forms_to=target.site.origin)
    return response
