"""What Moodle's description was before it was wrapped."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodle_plugin_bridge.package_metadata import WRAPPED_AT, unwrapped


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("", ""),
        ("One line.", "One line."),
        ("Short.\nAlso short.", "Short.\nAlso short."),
        ("Ponds\n\nand lakes", "Ponds\n\nand lakes"),
        (
            "A twelve-week survey of ecosystems, climate and human impact. CC BY 4.0,\nAda Lehrer.",
            "A twelve-week survey of ecosystems, climate and human impact. CC BY 4.0, Ada Lehrer.",
        ),
        ("ü" * 40 + "\n" + "x" * 20, "ü" * 40 + " " + "x" * 20),
        ("* one\n* two", "* one\n* two"),
    ],
)
def test_breaks_of_wrapping_go_and_others_stay(text: str, before: str) -> None:
    assert unwrapped(text) == before


_WORDS = st.lists(st.text("abcdefgh.,-", min_size=1, max_size=20), min_size=1, max_size=60)


@given(_WORDS)
def test_a_wrapped_paragraph_is_what_it_was(words: list[str]) -> None:
    text = " ".join(words)
    wrapped = textwrap.fill(text, WRAPPED_AT, break_long_words=False, break_on_hyphens=False)
    assert unwrapped(wrapped) == text
