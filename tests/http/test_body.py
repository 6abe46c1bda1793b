"""Raw bodies are read to their announced end and no further."""

from __future__ import annotations

import io

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
