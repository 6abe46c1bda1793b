"""What a person types, taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repo_service.search import text_query
from repo_service.search.text_query import Clause, Phrase, Prefix, Word, mistakes, parse


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", None),
        (" * ", None),
        ('""', None),
        ("?!", ()),
        ("Rocks", (Word("rocks", "rocks"),)),
        ("rocks Rocks ROCKS", (Word("rocks", "rocks"),)),
        ("Élève", (Word("élève", "eleve"),)),
        ("roc*", (Prefix("roc"),)),
        ("Éc*", (Prefix("ec"),)),
        ("e-lear*", (Word("e", "e"), Prefix("lear"))),
        ('"light reactions"', (Phrase(("light", "reactions")),)),
        ('"rocks"', (Phrase(("rocks",)),)),
        ('say "light reactions', (Word("say", "say"), Phrase(("light", "reactions")))),
        ("«light reactions»", (Phrase(("light", "reactions")),)),
        ("the rocks", (Word("rocks", "rocks"),)),
        ("the", (Word("the", "the"),)),
        ("vitamin c", (Word("vitamin", "vitamin"), Word("c", "c"))),
        ("光合作用", (Phrase(("光合", "合作", "作用")),)),
        ("光", (Prefix("光"),)),
        ('"入門 Python"', (Phrase(("入門", "門", "python")),)),
        ('"Python 水"', (Prefix("水"), Phrase(("python",)))),
    ],
)
def test_parse(text: str, clauses: tuple[Clause, ...] | None) -> None:
    assert parse(text) == clauses


@settings(deadline=None)
@given(st.text())
def test_nothing_is_an_error_and_nothing_is_endless(text: str) -> None:
    clauses = parse(text)
    assert clauses is None or len(clauses) <= text_query.MAX_CLAUSES


@pytest.mark.parametrize(
    ("typed", "word", "count"),
    [
        ("forest", "forest", 0),
        ("forrest", "forest", 1),
        ("forst", "forest", 1),
        ("furest", "forest", 1),
        ("froest", "forest", 1),
        ("frest", "forrest", 2),
        ("", "ab", 2),
        ("abcd", "efgh", None),
        # Two swapped letters with another one between them are not one mistake (optimal string alignment).
        ("ca", "abc", None),
    ],
)
def test_typing_mistakes(typed: str, word: str, count: int | None) -> None:
    assert mistakes(typed, word, at_most=2) == count
    assert mistakes(word, typed, at_most=2) == count
