"""Taking a file out of a request and into an upload: as the raw body, or as the file part of a form."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import MultiDict

from repo_service.domain.errors import InvalidInput, MalformedRequest
from repo_service.domain.identity import Identity
from repo_service.domain.texts import text
from repo_service.http import body, json_bodies, multipart
from repo_service.http.problems import invalid_input
from repo_service.services.records import UploadRecord
from repo_service.services.uploads import Receiver, Uploads

METADATA = "metadata"
"""The form field with JSON about the file."""

_FORM_OVERHEAD = 1024 * 1024

Model = TypeVar("Model", bound=BaseModel)
Said = TypeVar("Said")
Fields = MultiDict[str, str]


def receive_raw(uploads: Uploads, identity: Identity, upload: UploadRecord) -> UploadRecord:
    """The body of the request as the bytes of ``upload``.

    Raises LengthRequired, SizeMismatch, DigestMismatch and what ``Uploads.receive`` raises.
    """
    announced = body.content_length(request.environ)
    with uploads.receive(identity, upload.id, announced=announced) as receiver:
        for piece in body.read_exactly(request.environ):
            receiver.write(piece)
        return receiver.finish()


def receive_form(
    uploads: Uploads,
    identity: Identity,
    model: type[Model],
    *,
    check: Callable[[Model], None] = lambda said: None,
) -> tuple[UploadRecord, Model]:
    """The one file of a form, and its ``metadata`` field checked against ``model`` (JSON; may be left out).

    ``check`` may refuse what is said before the file is kept.

    The expected digest is the metadata's ``sha256`` when the model has one. Size, quota and room are checked
    before the first byte is read. Nothing stays when anything is wrong.
    Raises MalformedRequest, InvalidInput, UnsupportedMediaType and what ``Uploads`` raises.
    """

    def read(fields: Fields) -> Model:
        said = _metadata(fields, model)
        check(said)
        return said

    return receive_fields(uploads, identity, read=read)


def receive_fields(
    uploads: Uploads,
    identity: Identity,
    *,
    read: Callable[[Fields], Said],
    check: Callable[[Fields], None] | None = None,
) -> tuple[UploadRecord, Said]:
    """The one file of a form, and what ``read`` makes of the form's fields. As ``receive_form`` otherwise.

    ``check`` gets the fields that stand before the file, before the file's first byte is taken, and all of
    them at the end: what it raises refuses the form.
    """
    size = body.content_length(request.environ)
    upload = uploads.begin(identity, file_name="file", size=size, overhead=_FORM_OVERHEAD)
    try:
        with ExitStack() as stack:
            receivers: list[Receiver] = []

            def open_file(part: multipart.FilePart) -> multipart.Sink:
                if check is not None:
                    check(part.fields)
                receivers.append(stack.enter_context(uploads.receive(identity, upload.id, exact=False)))
                return receivers[0].write

            form = multipart.receive(request.environ, open_file=open_file)
            if check is not None:
                check(form.fields)
            said = read(form.fields)
            if form.file is None or not receivers:
                raise InvalidInput(errors=[("/file", text("The form has no file."))])
            finished = receivers[0].finish(
                file_name=form.file.file_name, expected_digest=getattr(said, "sha256", None)
            )
            return finished, said
    except BaseException:
        uploads.abandon(upload.id)
        raise


def read_json(model: type[Model]) -> Model:
    """The JSON body checked against ``model``. Raises MalformedRequest, InvalidInput."""
    try:
        return model.model_validate(request.get_json())
    except ValidationError as error:
        raise invalid_input(error) from error


def _metadata(fields: Fields, model: type[Model]) -> Model:
    try:
        value = json_bodies.parse(fields.get(METADATA, "{}"))
    except ValueError as error:
        raise MalformedRequest(f"The field metadata is not JSON: {error}.") from error
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid_input(error, prefix=f"/{METADATA}") from error
