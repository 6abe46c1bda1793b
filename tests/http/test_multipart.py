"""Forms, as clients really send them and as nobody should."""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from repo_service.domain.errors import (
    DomainError,
    LengthRequired,
    MalformedRequest,
    PayloadTooLarge,
    SizeMismatch,
    UnsupportedMediaType,
)
from repo_service.http import multipart
from repo_service.http.multipart import FilePart, Form, Sink

BOUNDARY = "x-boundary"


class Pieces(io.RawIOBase):
    """A body that arrives cut at given offsets."""

    def __init__(self, data: bytes, cuts: list[int]) -> None:
        places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
        self._pieces = [data[a:b] for a, b in itertools.pairwise(places)][::-1]

    def read(self, size: int = -1, /) -> bytes:
        if not self._pieces:
            return b""
        piece = self._pieces.pop()
        if len(piece) > size:
            self._pieces.append(piece[size:])
        return piece[:size]


@dataclass
class Received:
    """What came of a body."""

    form: Form | None = None
    data: bytes = b""
    opened: list[FilePart] = field(default_factory=list)
    error: DomainError | None = None

    @property
    def whole(self) -> Form:
        if self.error is not None:
            raise self.error
        assert self.form is not None
        return self.form


def receive(
    data: bytes,
    *,
    cuts: list[int] | None = None,
    content_type: str = f"multipart/form-data; boundary={BOUNDARY}",
    announced: int | None = None,
) -> Received:
    received = Received()
    pieces: list[bytes] = []

    def open_file(part: FilePart) -> Sink:
        received.opened.append(part)
        return lambda piece: pieces.append(bytes(piece))

    environ = {
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(data) if announced is None else announced),
        "wsgi.input": Pieces(data, cuts or []),
    }
    try:
        received.form = multipart.receive(environ, open_file=open_file)
    except DomainError as error:
        received.error = error
    received.data = b"".join(pieces)
    return received


def part(content: bytes | str, *headers: bytes | str) -> bytes:
    lines = [line.encode() if isinstance(line, str) else line for line in headers]
    text = content.encode() if isinstance(content, str) else content
    return (
        f"--{BOUNDARY}\r\n".encode() + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + text + b"\r\n"
    )


def value(name: str, content: bytes | str) -> bytes:
    return part(content, f'Content-Disposition: form-data; name="{name}"')


def file(content: bytes, name: bytes | str = "course.mbz") -> bytes:
    raw = name.encode() if isinstance(name, str) else name
    return part(
        content,
        b'Content-Disposition: form-data; name="file"; filename="' + raw + b'"',
        "Content-Type: application/vnd.moodle.backup",
    )


END = f"--{BOUNDARY}--\r\n".encode()

# What Moodle 4.5 sends (Guzzle's MultipartStream).
MOODLE = (
    part(
        '{"name":"Photosynthesis","description":"With an experiment"}',
        'Content-Disposition: form-data; name="."',
        "Content-Length: 60",
    )
    + part(
        b"\x1f\x8b\x08" + bytes(range(256)),
        'Content-Disposition: form-data; name=".resource"; filename="quiz_backup.mbz"',
        "Content-Type: application/vnd.moodle.backup",
        "Content-Transfer-Encoding: binary",
        "Content-Length: 259",
    )
    + END
)


def test_what_moodle_sends() -> None:
    received = receive(MOODLE)
    form = received.whole
    assert dict(form.fields) == {".": '{"name":"Photosynthesis","description":"With an experiment"}'}
    assert form.file == received.opened[0]
    assert (form.file.name, form.file.file_name) == (".resource", "quiz_backup.mbz")
    assert form.file.media_type == "application/vnd.moodle.backup"
    assert form.file.at_most == len(MOODLE)
    assert received.data == b"\x1f\x8b\x08" + bytes(range(256))
    assert form.file_size == 259


@given(st.lists(st.integers(0, len(MOODLE)), max_size=40))
def test_any_split_of_the_bytes_gives_the_same_form(cuts: list[int]) -> None:
    whole, split = receive(MOODLE), receive(MOODLE, cuts=cuts)
    assert (split.form, split.data) == (whole.form, whole.data)


# Bytes that come close to a boundary without being one.
TRICKY = st.lists(
    st.sampled_from(
        [
            b"\r",
            b"\n",
            b"\r\n",
            b"-",
            b"--",
            b"\r\n--",
            b"\r\n--x",
            b"\r\n--x-boundar",
            b"--x-boundary",
            b"a",
            b"\0",
        ]
    ),
    max_size=30,
).map(b"".join)


@given(TRICKY, TRICKY, st.lists(st.integers(0, 2000), max_size=60), st.booleans())
@example(b"\r\n--x-boundar", b"\r", [20, 21, 22], True)
def test_no_byte_of_the_file_is_lost_or_added(
    content: bytes, text: bytes, cuts: list[int], file_first: bool
) -> None:
    # RFC 2046: the delimiter must not appear inside.
    assume(all(b"\r\n--x-boundary" not in b"\r\n" + item for item in (content, text)))
    parts = [file(content), value("notes", text)]
    data = b"".join(parts if file_first else parts[::-1]) + END
    received = receive(data, cuts=cuts)
    assert received.whole.fields["notes"].encode() == text
    assert received.data == content
    assert received.whole.file_size == len(content)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=20))
def test_any_bytes_after_the_first_boundary_end_well(junk: bytes, cuts: list[int]) -> None:
    received = receive(f"--{BOUNDARY}\r\n".encode() + junk, cuts=cuts)
    assert received.form is not None or isinstance(received.error, MalformedRequest)


@given(st.integers(0, len(MOODLE) - 1))
def test_a_form_cut_short_is_never_taken_for_whole(length: int) -> None:
    # The last two bytes are the line's end after the last boundary.
    received = receive(MOODLE[:length])
    if length < len(MOODLE) - 2:
        assert isinstance(received.error, MalformedRequest)
    received = receive(MOODLE[:length], announced=len(MOODLE))
    assert isinstance(received.error, SizeMismatch)


def test_fields_before_and_after_the_file() -> None:
    received = receive(value("before", "1") + file(b"data") + value("after", "2") + END)
    assert dict(received.opened[0].fields) == {"before": "1"}
    assert dict(received.whole.fields) == {"before": "1", "after": "2"}


def test_fields_that_come_twice() -> None:
    form = receive(value("language", "de") + value("language", "ar") + END).whole
    assert form.fields.getlist("language") == ["de", "ar"]


def test_a_form_without_a_file() -> None:
    received = receive(value("title", "Fotosynthese: Übung") + END)
    assert received.whole.file is None
    assert received.opened == []
    assert received.whole.fields["title"] == "Fotosynthese: Übung"


def test_a_file_input_that_was_left_empty() -> None:
    received = receive(file(b"", name="") + value("title", "x") + END)
    assert received.whole.file is None
    assert received.opened == []


def test_an_empty_input_beside_the_file() -> None:
    received = receive(file(b"data") + file(b"", name="") + END)
    assert received.whole.file == received.opened[0]
    assert received.data == b"data"


def test_a_file_without_a_name_and_an_empty_file() -> None:
    assert receive(file(b"data", name="") + END).whole.file is not None
    received = receive(file(b"", name="empty.txt") + END)
    assert received.whole.file is not None
    assert received.whole.file_size == 0


def test_two_files_are_refused() -> None:
    received = receive(file(b"one") + file(b"two") + END)
    assert isinstance(received.error, MalformedRequest)
    assert "more than one file" in received.error.detail
    assert received.data == b"one"


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b'filename="Kurs.mbz"', "Kurs.mbz"),
        (b"filename=Kurs.mbz", "Kurs.mbz"),
        ('filename="Übung.mbz"'.encode(), "Übung.mbz"),
        ('filename="Übung.mbz"'.encode("latin-1"), "Übung.mbz"),
        (b"filename*=UTF-8''%C3%9Cbung.mbz", "Übung.mbz"),
        (b"filename=\"Ubung.mbz\"; filename*=UTF-8''%C3%9Cbung.mbz", "Übung.mbz"),
        (b'filename="=?utf-8?B?w5xidW5nLm1ieg==?="', "Übung.mbz"),
        (b'filename="=?nonsense?B?!!?="', "=?nonsense?B?!!?="),
        (b'filename="a \\"b\\".mbz"', 'a "b".mbz'),
        (b'filename="a %22b%22.mbz"', 'a "b".mbz'),
        (b'filename="C:\\Users\\anna\\Kurs.mbz"', "Kurs.mbz"),
        (b'filename="../../etc/passwd"', "passwd"),
        (b'filename="a;b=c.mbz"', "a;b=c.mbz"),
        (b'FILENAME="Kurs.mbz"', "Kurs.mbz"),
        (b'filename=".."', "file"),
    ],
)
def test_names_of_files(disposition: bytes, name: str) -> None:
    header = b'Content-Disposition: form-data; name="file"; ' + disposition
    received = receive(part(b"data", header) + END)
    assert received.whole.file is not None
    assert received.whole.file.file_name == name
    assert received.whole.file.media_type == "application/octet-stream"
    assert received.data == b"data"


@pytest.mark.parametrize(
    "content_type",
    [
        f"multipart/form-data; boundary={BOUNDARY}",
        f'multipart/form-data; boundary="{BOUNDARY}"',
        f"Multipart/Form-Data;charset=utf-8;  Boundary={BOUNDARY}",
    ],
)
def test_content_types(content_type: str) -> None:
    assert receive(MOODLE, content_type=content_type).whole.file_size == 259


def test_a_boundary_that_needs_quotes() -> None:
    data = MOODLE.replace(BOUNDARY.encode(), b"a b:c?d=(e)")
    assert receive(data, content_type='multipart/form-data; boundary="a b:c?d=(e)"').whole.file_size == 259


@pytest.mark.parametrize(
    "around", [b"\r\n", b"This is a message\r\nin several lines.\r\n", b"--\r\n--x-bound\r\n"]
)
def test_preamble_and_epilogue(around: bytes) -> None:
    received = receive(around + MOODLE + around + file(b"not this one"), cuts=[1, 2, 3, len(around) + 5])
    assert received.whole.file_size == 259


@pytest.mark.parametrize(
    ("content_type", "error"),
    [
        ("application/json", UnsupportedMediaType),
        ("", UnsupportedMediaType),
        ("multipart/mixed; boundary=x", UnsupportedMediaType),
        ("multipart/form-data", MalformedRequest),
        ("multipart/form-data; boundary=", MalformedRequest),
        ("multipart/form-data; boundary=" + "x" * 300, MalformedRequest),
        ('multipart/form-data; boundary="a\r\nb"', MalformedRequest),
        ("multipart/form-data; boundary=another", MalformedRequest),
    ],
)
def test_content_types_that_are_refused(content_type: str, error: type[DomainError]) -> None:
    assert isinstance(receive(MOODLE, content_type=content_type).error, error)


NAMELESS = part("x", "Content-Disposition: form-data")
TWICE = part("x", 'Content-Disposition: form-data; name="a"', 'Content-Disposition: form-data; name="b"')
CODED = part("eA==", 'Content-Disposition: form-data; name="a"', "Content-Transfer-Encoding: base64")
MANY_HEADERS = part("x", *[f"X-{n}: 1" for n in range(20)], 'Content-Disposition: form-data; name="a"')
LONG_HEADER = part("x", f'Content-Disposition: form-data; name="{"a" * 9000}"')
LINE_FEEDS = MOODLE.replace(b"\r\n", b"\n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no form at all",
        b"x" * 100_000,
        NAMELESS + END,
        part("x") + END,
        part("x", "Content-Disposition: attachment; name=a") + END,
        TWICE + END,
        CODED + END,
        MANY_HEADERS + END,
        LONG_HEADER + END,
        LINE_FEEDS,
        part("x", 'Content-Disposition: form-data; name="a"', "no colon") + END,
        value("a", b"\xff\xfe") + END,
        value("a", "x") * (multipart.MAX_PARTS + 1) + END,
        value("a", "x"),
        file(b"data"),
        f"--{BOUNDARY}".encode(),
    ],
)
def test_malformed_forms(data: bytes) -> None:
    assert isinstance(receive(data).error, MalformedRequest)


def test_an_empty_form() -> None:
    assert receive(END).whole.fields == {}


def test_fields_are_kept_small() -> None:
    assert receive(value("a", "x" * multipart.MAX_FIELD_SIZE) + END).whole.fields["a"]
    received = receive(value("a", "x" * (multipart.MAX_FIELD_SIZE + 1)) + END)
    assert isinstance(received.error, PayloadTooLarge)
    received = receive(value("a", "x" * multipart.MAX_FIELD_SIZE) * 5 + END)
    assert isinstance(received.error, PayloadTooLarge)


def test_a_length_is_required() -> None:
    with pytest.raises(LengthRequired):
        multipart.receive(
            {"CONTENT_TYPE": f"multipart/form-data; boundary={BOUNDARY}", "wsgi.input": io.BytesIO(MOODLE)},
            open_file=lambda part: lambda piece: None,
        )


def test_an_error_of_the_sink_ends_the_request() -> None:
    stream = io.BytesIO(file(b"x" * 5_000_000) + END)

    def full(piece: memoryview) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        multipart.receive(
            {
                "CONTENT_TYPE": f"multipart/form-data; boundary={BOUNDARY}",
                "CONTENT_LENGTH": str(len(stream.getvalue())),
                "wsgi.input": stream,
            },
            open_file=lambda part: full,
        )
    assert stream.tell() <= 1024 * 1024, "nothing more is read"


def test_the_file_is_pushed_as_it_arrives() -> None:
    content = bytes(range(256)) * 20_000
    data = file(content) + END
    stream = io.BytesIO(data)
    lags = []
    received = 0

    def sink(piece: memoryview) -> None:
        nonlocal received
        received += len(piece)
        lags.append(stream.tell() - received)

    multipart.receive(
        {
            "CONTENT_TYPE": f"multipart/form-data; boundary={BOUNDARY}",
            "CONTENT_LENGTH": str(len(data)),
            "wsgi.input": stream,
        },
        open_file=lambda part: sink,
    )
    assert received == len(content)
    assert max(lags) < 1024, "what was read is pushed on at once, but for a possible boundary"
