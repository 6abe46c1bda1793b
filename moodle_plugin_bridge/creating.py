"""``POST /.pkg/@moodlenet/ed-resource/basic/v1/create``: "Share to MoodleNet" of Moodle 4.2 to 5.1.

The form has two parts, ``.`` with JSON and ``.resource`` with the backup (``package_metadata``). Moodle shows
its teacher the ``homepage`` of the answer as a button. Of any 4xx or 5xx it shows the first 120 bytes of the
body in a raw exception and leaves the share "in progress" for ever
(``lib/classes/moodlenet/course_sender.php``): whatever can be told later, on the page of the draft, is no
error here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from apiflask import APIBlueprint
from flask import Response, jsonify, request, url_for

from moodle_plugin_bridge.package_metadata import description_of
from repo_service.http import body, problems, receiving
from repo_service.http.authentication import takes_sharing_tokens
from repo_service.http.context import identity, services, site
from repo_service.http.receiving import Fields
from repo_service.services.descriptions import Description
from repo_service.services.records import ResourceRecord
from repo_service.services.sharing import for_sharing

blueprint = APIBlueprint("moodlenet", __name__, enable_openapi=False)

METADATA: Final = "."

_DROPPED: Final = 64 * 1024 * 1024
"""Most bytes that are read after a refusal. Moodle sends up to 1 MB without asking first; behind a front
server that asks nobody it is what comes until that one has read the answer."""


@blueprint.post("/.pkg/@moodlenet/ed-resource/basic/v1/create")
@takes_sharing_tokens
def create() -> tuple[Response, int, dict[str, str]]:
    """Take a package as a draft of the one who shares it, whatever is in it."""
    sharer = for_sharing(identity())
    upload, description = receiving.receive_fields(services().uploads, sharer, read=_description)
    record = services().resources.create(sharer, upload_id=upload.id, description=description)
    home = f"{site().base_url}{url_for('web.finish', resource_id=record.id)}"
    return jsonify(_created(record, home)), 201, {"Location": home, "Cache-Control": "no-store"}


@blueprint.errorhandler(Exception)
def refuse(error: Exception) -> problems.Answer:
    """The problem, in words for a teacher within Moodle.

    It is given while the body comes, unless its sender waits to be told to send one.
    """
    response = problems.answer(error, words=_words)
    asks_first = "Expect" in request.headers and body.RECEIVED_KEY not in request.environ
    if isinstance(response, Response) and not asks_first:
        said = response.get_data()
        response.response = body.said_while_it_comes(said, request.environ, at_most=_DROPPED)
        response.content_length = len(said)
    return response


def _description(fields: Fields) -> Description:
    return description_of(fields.get(METADATA, ""))


def _created(record: ResourceRecord, home: str) -> dict[str, str]:
    """As MoodleNet answered; Moodle reads ``homepage``."""
    (version,) = record.versions
    address = url_for(
        "files.download", resource_id=record.id, number=version.number, file_name=version.file_name
    )
    return {
        "_key": str(record.id),
        "id": str(record.id),
        "name": record.title,
        "description": record.summary_text,
        "homepage": home,
        "url": f"{site().base_url}{address}",
    }


_UNUSABLE = "The package did not arrive whole. Share it again."
_LATER = "The repository cannot take files at the moment. Share it again in a few minutes."
_WORDS: Final[Mapping[str, str]] = {
    "unauthorised": "You are logged out of the repository. Log out of Moodle, log in and share again.",
    "insufficient-scope": "Moodle may not share here like this. Tell its administrator to connect it anew.",
    "forbidden": "Your account may not share here. Ask the people who run the repository.",
    "read-only": "This copy of the repository takes no files. Tell your administrator to connect its home.",
    "quota-exceeded": "Your space in the repository is full. Withdraw something there, then share again.",
    "storage-full": "The repository has no space left. Tell the people who run it, and share again later.",
    "storage-unavailable": _LATER,
    "database-unavailable": _LATER,
    "busy": _LATER,
    "too-many-requests": _LATER,
    "internal": "Something went wrong in the repository. Share again; if it stays, tell those who run it.",
    "malformed-request": _UNUSABLE,
    "size-mismatch": _UNUSABLE,
    "length-required": "Moodle did not say how large the package is. Tell its administrator.",
    "unsupported-media-type": "This was not sent as Moodle shares (multipart/form-data). Share from Moodle.",
    "invalid-input": "No package was sent. Share again; if it stays, tell the administrator of your Moodle.",
}
"""By code of problem: each says what to do, in ASCII (Guzzle shows nothing of a body that it cuts within a
character), and ends within the first hundred bytes of the body, after ``{"detail":"``."""


def _words(code: str, fields: Mapping[str, object]) -> str | None:
    if code == "unauthorised" and fields.get("reason") == "revoked":
        return "Your account or Moodle is blocked here. Ask the people who run the repository."
    if code == "payload-too-large" and isinstance(fields.get("limit"), int):
        return f"At most {_megabytes(fields['limit'])} MB are taken. Share single activities of the course."
    return _WORDS.get(code)


def _megabytes(size: object) -> str:
    assert isinstance(size, int)
    return f"{size // 1_000_000:,}" if size >= 1_000_000 else f"{size / 1_000_000:.3f}"
