"""``multipart/form-data`` (RFC 7578) as a stream: the one file goes into its sink as it arrives, in whatever
order the parts come; small fields are kept.

Werkzeug's parser keeps the file on disk first and takes twice the time; ``python_multipart`` finds the
boundaries here. Moodle sends a field called ``.`` without a Content-Type and a file called ``.resource``
(``lib/classes/moodlenet/moodlenet_client.php``), so nothing is concluded from names.
"""

from __future__ import annotations

import email.errors
import email.header
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from werkzeug.datastructures import MultiDict
from werkzeug.http import parse_options_header

from repo_service.domain.errors import MalformedRequest, PayloadTooLarge, UnsupportedMediaType
from repo_service.domain.texts import counted, text
from repo_service.http import body
from repo_service.http.file_names import clean_file_name

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from python_multipart.multipart import MultipartCallbacks

MEDIA_TYPE = "multipart/form-data"

MAX_FIELD_SIZE = 1024 * 1024
MAX_FIELDS_SIZE = 4 * 1024 * 1024
MAX_PARTS = 128
MAX_HEADERS = 16
MAX_HEADER_SIZE = 8 * 1024
MAX_PREAMBLE = 16 * 1024

_BOUNDARY = re.compile(r"[ -~]{0,199}[!-~]")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")

# Browsers do not escape backslashes: one is an escape only before a quote or another, paths of Windows stay.
_ESCAPE = re.compile(r'\\(["\\]?)')

Sink = Callable[[memoryview], object]
"""Takes the next bytes of the file, such as ``Staged.write``. What it raises ends the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """The file before its first byte is read.

    ``name`` is the field's, ``file_name`` clean, ``media_type`` what the client says. ``at_most`` is the
    most bytes it can have (the size of the whole body). ``fields`` are those that came before the file: the
    others follow it.
    """

    name: str
    file_name: str
    media_type: str
    at_most: int
    fields: MultiDict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A whole form. ``file_size`` in bytes; ``file`` is None when none was sent (or an empty file input)."""

    fields: MultiDict[str, str]
    file: FilePart | None
    file_size: int


def receive(environ: WSGIEnvironment, *, open_file: Callable[[FilePart], Sink]) -> Form:
    """Read a form from the body of a request. ``open_file`` is called once, before the file's first byte, and
    returns where the bytes go; closing and throwing away what it opened is its owner's business::

        with ExitStack() as stack:
            def open_file(part: FilePart) -> Sink:
                return stack.enter_context(store.stage(expected_size=part.at_most)).write
            form = receive(request.environ, open_file=open_file)

    Raises UnsupportedMediaType, LengthRequired, MalformedRequest (also for a second file), PayloadTooLarge
    for fields, SizeMismatch when the client goes away, and whatever ``open_file`` and its sink raise.
    """
    boundary = _boundary(environ.get("CONTENT_TYPE", ""))
    receiver = _Receiver(open_file=open_file, at_most=body.content_length(environ))
    parser = MultipartParser(
        boundary,
        receiver.callbacks(),
        max_header_count=MAX_HEADERS,
        max_header_size=MAX_HEADER_SIZE,
    )
    try:
        for piece in _without_preamble(body.read_exactly(environ), b"--" + boundary):
            parser.write(piece)
    except FormParserError as error:
        raise MalformedRequest(text("The form cannot be read: %(reason)s.", reason=str(error))) from error
    return receiver.form()


class _Receiver:
    """What the parser calls. A part is kept as a field or pushed into the sink."""

    def __init__(self, *, open_file: Callable[[FilePart], Sink], at_most: int) -> None:
        self._open_file = open_file
        self._at_most = at_most
        self._fields: MultiDict[str, str] = MultiDict()
        self._fields_size = 0
        self._parts = 0
        self._part = _Part()
        self._file: FilePart | None = None
        self._file_size = 0
        self._complete = False

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def form(self) -> Form:
        """Raises MalformedRequest when the last boundary has not come."""
        if not self._complete:
            raise MalformedRequest("The form ends before its last boundary: the upload is not complete.")
        return Form(fields=self._fields, file=self._file, file_size=self._file_size)

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise MalformedRequest(
                counted(
                    "The form has more than %(count)s part.",
                    "The form has more than %(count)s parts.",
                    MAX_PARTS,
                )
            )
        self._part = _Part()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._part.header_name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.header_value += data[start:end]

    def _header_end(self) -> None:
        part = self._part
        name = part.header_name.decode("latin-1").lower()
        if name in part.headers:
            raise MalformedRequest(text("A part of the form has two headers %(name)s.", name=name))
        part.headers[name] = _text(bytes(part.header_value))
        part.header_name.clear()
        part.header_value.clear()

    def _headers_finished(self) -> None:
        part = self._part
        disposition, parameters = parse_options_header(
            _ESCAPE.sub(_keep_backslash, part.headers.get("content-disposition", ""))
        )
        if disposition.lower() != "form-data" or "name" not in parameters:
            raise MalformedRequest("A part of the form has no name (Content-Disposition: form-data; name=…).")
        part.name = parameters["name"]
        if part.headers.get("content-transfer-encoding", "binary").lower() not in {"binary", "8bit", "7bit"}:
            # RFC 7578, section 4.7: nobody may send these any more, and kept coded the file would be spoilt.
            raise MalformedRequest("A part of the form has a Content-Transfer-Encoding other than binary.")
        if "filename" in parameters:
            part.is_file = True
            part.file_name = _decoded_word(parameters["filename"])
            if part.file_name:
                self._open()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.is_file:
            sink = self._part.sink or self._open()
            self._file_size += end - start
            sink(memoryview(data)[start:end])
            return
        self._fields_size += end - start
        self._part.value += memoryview(data)[start:end]
        if len(self._part.value) > MAX_FIELD_SIZE:
            raise PayloadTooLarge(
                text("The field %(name)s is too long.", name=repr(self._part.name)), limit=MAX_FIELD_SIZE
            )
        if self._fields_size > MAX_FIELDS_SIZE:
            raise PayloadTooLarge("The fields of the form are too long.", limit=MAX_FIELDS_SIZE)

    def _end(self) -> None:
        part = self._part
        if part.is_file:
            return
        try:
            self._fields.add(part.name, part.value.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise MalformedRequest(text("The field %(name)s is not UTF-8.", name=repr(part.name))) from error

    def _finish(self) -> None:
        self._complete = True

    def _open(self) -> Sink:
        """Open the sink for the part at hand. A file input that was left empty is sent as a file without a
        name and without bytes, so those are opened at their first byte only."""
        if self._file is not None:
            raise MalformedRequest("The form has more than one file: send one at a time.")
        part = self._part
        self._file = FilePart(
            name=part.name,
            file_name=clean_file_name(part.file_name),
            media_type=_media_type(part.headers.get("content-type", "")),
            at_most=self._at_most,
            fields=self._fields.copy(),
        )
        part.sink = self._open_file(self._file)
        return part.sink


@dataclass(slots=True)
class _Part:
    """The part being read."""

    header_name: bytearray = field(default_factory=bytearray)
    header_value: bytearray = field(default_factory=bytearray)
    headers: dict[str, str] = field(default_factory=dict)
    name: str = ""
    file_name: str = ""
    is_file: bool = False
    sink: Sink | None = None
    value: bytearray = field(default_factory=bytearray)


def _boundary(content_type: str) -> bytes:
    media_type, parameters = parse_options_header(content_type)
    if media_type.lower() != MEDIA_TYPE:
        raise UnsupportedMediaType("Send a form as multipart/form-data.", supported=[MEDIA_TYPE])
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise MalformedRequest("The Content-Type of the form has no boundary that can be used.")
    return boundary.encode("ascii")


def _without_preamble(pieces: Iterator[bytes], delimiter: bytes) -> Iterator[bytes]:
    """The body from its first boundary on; the parser takes no preamble (RFC 2046, section 5.1.1)."""
    head = b"\r\n"
    for piece in pieces:
        head += piece
        start = head.find(b"\r\n" + delimiter)
        if start >= 0:
            yield head[start + 2 :]
            yield from pieces
            return
        if len(head) > MAX_PREAMBLE:
            break
    raise MalformedRequest("The form does not begin with its boundary.")


def _text(value: bytes) -> str:
    """Header text: UTF-8 as the HTML standard has it, else what old clients send."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("cp1252", errors="replace")


def _keep_backslash(escape: re.Match[str]) -> str:
    return escape[0] if escape[1] else "\\\\"


def _decoded_word(value: str) -> str:
    """``=?utf-8?B?…?=`` (RFC 2047), which mail-minded clients send as file names."""
    if "=?" not in value:
        return value
    try:
        return str(email.header.make_header(email.header.decode_header(value)))
    except (email.errors.HeaderParseError, LookupError, UnicodeError, ValueError):
        return value


def _media_type(content_type: str) -> str:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type if _MEDIA_TYPE.fullmatch(media_type) else "application/octet-stream"
