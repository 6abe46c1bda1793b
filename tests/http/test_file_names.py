"""Names of files from other people's machines."""

from __future__ import annotations

import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from repo_service.http.file_names import MAX_BYTES, clean_file_name, content_disposition


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("course.mbz", "course.mbz"),
        ("/etc/passwd", "passwd"),
        ("../../x.mbz", "x.mbz"),
        ("C:\\Users\\anna\\Kurs.mbz", "Kurs.mbz"),
        ("folder/", "file"),
        ("", "file"),
        (".", "file"),
        ("..", "file"),
        ("   ", "file"),
        (".mbz", "file.mbz"),
        (".htaccess", "file.htaccess"),
        ("a\x00b\r\nSet-Cookie: x.mbz", "abSet-Cookie: x.mbz"),
        ("trailing.mbz. .", "trailing.mbz"),
        ("e\u0301te\u0301.mbz", "été.mbz"),
        ("\u202egpj.exe", "gpj.exe"),
        ("دورة.mbz", "دورة.mbz"),
        ("क\u200c्ष.mbz", "क\u200c्ष.mbz"),
        ("lone\ud800.mbz", "lone.mbz"),
    ],
)
def test_names(raw: str, clean: str) -> None:
    assert clean_file_name(raw) == clean


@pytest.mark.parametrize("stem", ["a" * 300, "é" * 200, "漢" * 100, "a" * 250 + "   ."])
def test_long_names_keep_their_extension(stem: str) -> None:
    name = clean_file_name(stem + ".mbz")
    assert name.endswith(".mbz")
    assert stem.startswith(name.removesuffix(".mbz"))
    assert MAX_BYTES - 8 <= len(name.encode()) <= MAX_BYTES


def test_a_long_tail_is_no_extension() -> None:
    assert clean_file_name("a." + "b" * 300) == "a." + "b" * 253


@pytest.mark.parametrize("name", ["x" * 300, "ü" * 200, "漢" * 100])
def test_long_names_without_an_extension(name: str) -> None:
    short = clean_file_name(name)
    assert name.startswith(short)
    assert MAX_BYTES - 3 <= len(short.encode()) <= MAX_BYTES


@given(
    st.text(alphabet=st.characters(exclude_categories=())).flatmap(
        lambda text: st.sampled_from([text, text * 300])
    )
)
def test_any_text_becomes_a_name(raw: str) -> None:
    name = clean_file_name(raw)
    assert 1 <= len(name.encode()) <= MAX_BYTES
    assert not set(name) & set("/\\")
    assert not name.startswith(".")
    assert all(unicodedata.category(character) not in {"Cc", "Cs"} for character in name)
    assert unicodedata.is_normalized("NFC", name)
    assert clean_file_name(name) == name


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_name_can_be_sent_and_read_back(raw: str) -> None:
    name = clean_file_name(raw)
    header = content_disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert unquote(header.rpartition("; filename*=UTF-8''")[2]) == name
    value, parameters = parse_options_header(header)
    assert value == "attachment"
    assert parameters["filename"] == name


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("course.mbz", "course.mbz"),
        ("Übung 1.mbz", "Ubung 1.mbz"),
        ("دورة.mbz", "file.mbz"),
        ('a"b\\c%41.mbz', "a_b_c_41.mbz"),
    ],
)
def test_old_clients_get_an_ascii_name(name: str, plain: str) -> None:
    assert f'; filename="{plain}"; ' in content_disposition(name)
