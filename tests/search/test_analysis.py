"""How text becomes terms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repo_service.search import analysis
from repo_service.search.analysis import all_stems, forms_and_terms, normalised, stems, tokens


@settings(deadline=None)
@given(st.text(max_size=200))
def test_the_fast_way_for_writers_finds_the_same(text: str) -> None:
    text = normalised(text)
    forms, terms = forms_and_terms(text, "en")
    assert forms == [token.form for token in tokens(text)]
    assert terms == {analysis.index_terms(token.surface, "en") for token in tokens(text)}


@settings(deadline=None)
@given(st.text(max_size=200))
def test_terms_hold_no_space_and_are_never_empty(text: str) -> None:
    for token in tokens(normalised(text)):
        assert token.form
        assert len(token.form) <= analysis.MAX_WORD
        assert len(token.form.split()) == 1
        for stem in stems(token.surface, "de"):
            assert len(stem.split()) == 1


@settings(deadline=None)
@given(st.text(max_size=200))
def test_places_are_in_the_text_and_in_order(text: str) -> None:
    text = normalised(text)
    found = list(tokens(text))
    assert all(0 <= token.start < token.end <= len(text) for token in found)
    assert [token.start for token in found] == sorted(token.start for token in found)


@settings(deadline=None)
@given(st.text(max_size=40), st.sampled_from(sorted(analysis.stemmers())))
def test_a_query_knows_every_stem_of_its_words(text: str, stemmer: str) -> None:
    for token in tokens(normalised(text)):
        assert not all_stems(token.surface).isdisjoint(stems(token.surface, stemmer))


@settings(deadline=None)
@given(st.text(max_size=60))
def test_folding_twice_changes_nothing(text: str) -> None:
    once = analysis.fold(text)
    assert analysis.fold(once) == once


@pytest.mark.parametrize(
    ("language", "stemmer"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("pt_br", "pt"),
        ("nb", "no"),
        ("EN", "en"),
        ("tlh", None),
        ("", None),
        ("zh-Hans", None),
    ],
)
def test_the_stemmer_of_a_language(language: str, stemmer: str | None) -> None:
    assert analysis.stemmer_of(language) == stemmer


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("Don't stop the teacher's class", ["dont", "stop", "the", "teacher", "class"]),
        ("L'école d'été, aujourd'hui", ["ecole", "ete", "aujourdhui"]),
        ("C++, C# and F#; #hashtag task#1", ["c++", "c#", "and", "f#", "hashtag", "task", "1"]),
        ("e-mail snake_case a/b 3.14", ["e", "mail", "snake", "case", "a", "b", "3", "14"]),
        ("光合作用", ["光合", "合作", "作用", "用"]),
        ("ガイド", ["ガイ", "イド", "ド"]),
        ("a\u00adb zero\u200bwidth", ["ab", "zero", "width"]),
        ("", []),
        (" \t…!?", []),
    ],
)
def test_words(text: str, forms: list[str]) -> None:
    assert [token.form for token in tokens(text)] == forms


def test_every_stemmer_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "search.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| [^|]+ \| `(\w+)` \| (\w+) \|$", page, re.MULTILINE))
    assert documented == analysis.stemmers()
