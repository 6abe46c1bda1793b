"""Byte ranges of RFC 9110, section 14."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo_service.domain.errors import InvalidRange
from repo_service.http.ranges import MAX_RANGES, ByteRange, Multipart, parse


def pairs(header: str, size: int) -> list[tuple[int, int]] | None:
    """First and last byte of each range."""
    found = parse(header, size=size)
    return None if found is None else [(part.start, part.stop - 1) for part in found]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        # The examples of section 14.1.2, for 10,000 bytes.
        ("bytes=0-499", [(0, 499)]),
        ("bytes=500-999", [(500, 999)]),
        ("bytes=-500", [(9500, 9999)]),
        ("bytes=9500-", [(9500, 9999)]),
        ("bytes=0-0,-1", [(0, 0), (9999, 9999)]),
        (" bytes= 0-999, 4500-5499, -1000", [(0, 999), (4500, 5499), (9000, 9999)]),
        ("bytes=500-600,601-999", [(500, 999)]),
        ("bytes=500-700,601-999", [(500, 999)]),
        # The order asked for stays; what overlaps becomes one.
        ("bytes=9000-9099,0-99", [(9000, 9099), (0, 99)]),
        ("bytes=9000-9099,0-99,9050-", [(9000, 9999), (0, 99)]),
        ("bytes=0-99,0-99,10-20", [(0, 99)]),
        # Beyond the end
        ("bytes=9999-20000", [(9999, 9999)]),
        ("bytes=-20000", [(0, 9999)]),
        ("bytes=0-0,20000-", [(0, 0)]),
        ("Bytes=0-0", [(0, 0)]),
        ("bytes=,0-0,,", [(0, 0)]),
    ],
)
def test_ranges(header: str, expected: list[tuple[int, int]]) -> None:
    assert pairs(header, 10_000) == expected


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=5-1",
        "bytes=0-0,5-1",
        "bytes=a-b",
        "bytes=0-0x",
        "bytes=--1",
        "bytes=+1-2",
        "bytes=0 - 5",
        "bytes=0-5;6-7",
        "bytes=\u0660-\u0665",
        "bytes=0-" + "9" * 30,
        "rows=0-5",
        "0-5",
        "bytes=" + ",".join(f"{n * 2}-{n * 2}" for n in range(MAX_RANGES + 1)),
        "bytes=" + "0-1," * 2000,
    ],
)
def test_what_means_the_whole(header: str | None) -> None:
    assert parse(header, size=10_000) is None


def test_as_many_ranges_as_are_allowed() -> None:
    header = "bytes=" + ",".join(f"{n * 2}-{n * 2}" for n in range(MAX_RANGES))
    assert pairs(header, 10_000) == [(n * 2, n * 2) for n in range(MAX_RANGES)]


@pytest.mark.parametrize(
    ("header", "size"),
    [("bytes=10000-", 10_000), ("bytes=-0", 10_000), ("bytes=0-", 0), ("bytes=20000-30000,-0", 10_000)],
)
def test_nothing_there(header: str, size: int) -> None:
    with pytest.raises(InvalidRange) as caught:
        parse(header, size=size)
    assert caught.value.fields == {"size": size}


def test_the_last_bytes_of_nothing_are_the_whole() -> None:
    assert parse("bytes=-5", size=0) is None


SPECIFIER = st.one_of(
    st.builds(lambda first, more: f"{first}-{first + more}", st.integers(0, 120), st.integers(0, 50)),
    st.builds("{}-".format, st.integers(0, 120)),
    st.builds("-{}".format, st.integers(0, 120)),
)


def asked_for(specifier: str, size: int) -> set[int]:
    """The offsets that one specifier names, by the letter of section 14.1.2."""
    first, _, last = specifier.partition("-")
    if not first:
        return set(range(max(0, size - int(last)), size))
    return set(range(int(first), size if not last else min(size, int(last) + 1)))


@given(st.lists(SPECIFIER, min_size=1, max_size=MAX_RANGES), st.integers(1, 100))
def test_the_bytes_sent_are_the_bytes_asked_for(specifiers: list[str], size: int) -> None:
    wanted = set().union(*(asked_for(specifier, size) for specifier in specifiers))
    header = "bytes=" + ",".join(specifiers)
    if not wanted:
        with pytest.raises(InvalidRange):
            parse(header, size=size)
        return
    found = parse(header, size=size)
    assert found is not None
    offsets = [offset for part in found for offset in range(part.start, part.stop)]
    assert set(offsets) == wanted
    assert len(offsets) == len(set(offsets)), "a byte is sent twice"
    assert all(part.length > 0 for part in found)


@given(st.text(max_size=60), st.integers(0, 1000))
def test_any_header_is_answered(text: str, size: int) -> None:
    for header in (text, "bytes=" + text):
        try:
            found = parse(header, size=size)
        except InvalidRange:
            continue
        assert found is None or all(part.stop <= size for part in found)


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(1, 10)), min_size=2, max_size=5),
    st.binary(min_size=100, max_size=100),
)
def test_framing(found: list[tuple[int, int]], data: bytes) -> None:
    framing = Multipart(
        [ByteRange(start, length) for start, length in found], size=100, media_type="application/zip"
    )
    body = b""
    for head, part in zip(framing.heads, framing.ranges, strict=True):
        body += head + data[part.start : part.stop]
    body += framing.tail
    assert len(body) == framing.content_length
    assert split(framing.content_type, body) == [
        (
            f"Content-Type: application/zip\r\nContent-Range: bytes {start}-{start + length - 1}/100",
            data[start : start + length],
        )
        for start, length in found
    ]


def split(content_type: str, body: bytes) -> list[tuple[str, bytes]]:
    """The headers and the bytes of each part (RFC 2046, section 5.1.1)."""
    boundary = content_type.removeprefix("multipart/byteranges; boundary=").encode()
    before, *sections, after = body.split(b"--" + boundary)
    assert before == b""
    assert after == b"--\r\n"
    parts = []
    for section in sections:
        assert section.startswith(b"\r\n")
        assert section.endswith(b"\r\n")
        head, _, payload = section[2:-2].partition(b"\r\n\r\n")
        parts.append((head.decode(), payload))
    return parts
