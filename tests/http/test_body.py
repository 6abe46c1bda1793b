"""Raw bodies are read to their announced end and no further."""

from __future__ import annotations

import io
import time

import pytest

from repo_service.domain.errors import LengthRequired, MalformedRequest, SizeMismatch
from repo_service.http import body


class Watched(io.BytesIO):
    """A stream that knows the largest read asked of it."""

    largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        self.largest = max(self.largest, size)
        return super().read(size)


def test_reads_what_was_announced_in_large_pieces_and_no_more() -> None:
    data = bytes(range(256)) * 10_000
    stream = Watched(data + b"the next request")
    environ = {"CONTENT_LENGTH": str(len(data)), "wsgi.input": stream}
    pieces = list(body.read_exactly(environ))
    assert b"".join(pieces) == data
    assert max(len(piece) for piece in pieces) == stream.largest == body.READ_SIZE
    assert stream.read(100) == b"the next request"
    assert environ[body.RECEIVED_KEY] == len(data)


def test_an_empty_body_reads_nothing() -> None:
    stream = Watched(b"the next request")
    assert list(body.read_exactly({"CONTENT_LENGTH": "0", "wsgi.input": stream})) == []
    assert stream.largest == 0


def test_a_client_that_goes_away() -> None:
    environ = {"CONTENT_LENGTH": "10", "wsgi.input": io.BytesIO(b"1234")}
    with pytest.raises(SizeMismatch) as caught:
        list(body.read_exactly(environ))
    assert caught.value.fields == {"expected": 10, "received": 4}


@pytest.mark.parametrize(
    "environ", [{}, {"CONTENT_LENGTH": ""}, {"CONTENT_LENGTH": "5", "HTTP_TRANSFER_ENCODING": "chunked"}]
)
def test_a_length_is_required_before_anything_is_read(environ: dict[str, str]) -> None:
    with pytest.raises(LengthRequired):
        body.read_exactly(environ)


@pytest.mark.parametrize("announced", ["-1", "+5", "5,5", "0x5", "\u0665", "1e3", " 5", "9" * 19])
def test_a_length_is_a_number(announced: str) -> None:
    with pytest.raises(MalformedRequest):
        body.read_exactly({"CONTENT_LENGTH": announced})


@pytest.mark.parametrize("length", [None, "5", "1000000"])
@pytest.mark.parametrize("sent", [0, 5, 1_000_000])
def test_as_it_comes_a_body_ends_where_it_ends(length: str | None, sent: int) -> None:
    """Announced or chunked; breaking off is no error, and nothing beyond the announced end is read."""
    data = bytes(range(250)) * (sent // 250) + b"12345"[: sent % 250]
    environ = {"wsgi.input": Watched(data), "HTTP_TRANSFER_ENCODING": "chunked"}
    if length is not None:
        environ = {"wsgi.input": Watched(data), "CONTENT_LENGTH": length}
    expected = data if length is None else data[: int(length)]
    assert b"".join(body.read_as_it_comes(environ)) == expected
    assert environ.get(body.RECEIVED_KEY, 0) == len(expected)


class _Slow(io.BytesIO):
    """A line of so many bytes a second, on a clock of its own."""

    def __init__(self, data: bytes, speed: float) -> None:
        super().__init__(data)
        self.now, self.speed = 0.0, speed
        self.sizes: list[int] = []

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        self.sizes.append(size)
        self.now += size / self.speed
        return super().read(size)


@pytest.mark.parametrize(
    ("speed", "largest"), [(10e9, body.READ_SIZE), (200e3, 64 * 1024), (50e3, 16 * 1024), (2e3, 4 * 1024)]
)
def test_pieces_are_as_large_as_the_line_is_fast(
    monkeypatch: pytest.MonkeyPatch, speed: float, largest: int
) -> None:
    """None takes long to come: what came can be kept, and somebody notices that something comes."""
    stream = _Slow(bytes(4_000_000), speed)
    monkeypatch.setattr(time, "monotonic", lambda: stream.now)
    environ = {"wsgi.input": stream, "CONTENT_LENGTH": "4000000"}
    assert sum(len(piece) for piece in body.read_as_it_comes(environ)) == 4_000_000
    assert stream.sizes[0] == 4096
    assert max(stream.sizes) == largest
    assert max(stream.sizes) / speed < 2.1


@pytest.mark.parametrize(
    ("environ", "announced"),
    [
        ({}, 0),
        ({"CONTENT_LENGTH": ""}, 0),
        ({"CONTENT_LENGTH": "7"}, 7),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, None),
    ],
)
def test_what_a_body_announces(environ: dict[str, str], announced: int | None) -> None:
    assert body.announced(environ) == announced
    with pytest.raises(MalformedRequest):
        body.announced({"CONTENT_LENGTH": "-1"})
