"""JSON of strangers: what is read, and what is refused before it costs anything."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo_service.federation.documents import MOST_DEPTH, MOST_VALUES, UnfitDocument, parse

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('ab"\\é', max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(_JSON, st.booleans())
def test_what_is_json_is_read(value: object, ascii_only: bool) -> None:
    assert parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=200) | st.text('{}[]",:\\u00d8 1e', max_size=80).map(str.encode))
def test_what_is_not_is_refused_in_our_words(data: bytes) -> None:
    try:
        value = parse(data)
    except UnfitDocument:
        return
    json.dumps(value).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"'a'",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"1e999",
        b'"\\ud800"',
        b'{"\\udc00": 1}',
        b'["\\u0000"]',
        b'"\x00"',
        b'"\xff"',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        b"9" * 5000,
        b'{"a": 1} {"a": 2}',
        b'"unended',
    ],
)
def test_what_is_unfit(data: bytes) -> None:
    with pytest.raises(UnfitDocument):
        parse(data)


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert parse(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_depth() -> None:
    assert parse(b"[" * MOST_DEPTH + b"]" * MOST_DEPTH) is not None
    for deep in (
        b"[" * (MOST_DEPTH + 1) + b"]" * (MOST_DEPTH + 1),
        b'{"a":' * 1000 + b"1" + b"}" * 1000,
        b"[" * 500_000,
        b"[[],[],[" * 20 + b"]" * 20,
    ):
        with pytest.raises(UnfitDocument, match="deeply"):
            parse(deep)
    assert parse(b'"' + b"[" * 100 + b'\\"]]]"') is not None  # text is no nesting


def test_values() -> None:
    most = b"[" + b"0," * (MOST_VALUES - 3) + b"0]"
    assert parse(most) is not None
    for many in (
        b"[" + b"0," * MOST_VALUES + b"0]",
        b"[" + b'"",' * MOST_VALUES + b'""]',
        b"{}" * MOST_VALUES,
    ):
        with pytest.raises(UnfitDocument, match="many"):
            parse(many)


@pytest.mark.parametrize(
    "data",
    [b"[" * 1_000_000, b"[" + b"0," * 500_000, b'"' + b'\\"' * 500_000, b'"' * 1_000_001, b'{"":' * 250_000],
    ids=["open", "values", "escapes", "quotes", "objects"],
)
def test_what_is_refused_costs_little(data: bytes) -> None:
    tracemalloc.start()
    begun = time.perf_counter()
    with pytest.raises(UnfitDocument):
        parse(data)
    taken, (_, peak) = time.perf_counter() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert taken < 3
    assert peak < 4_000_000
