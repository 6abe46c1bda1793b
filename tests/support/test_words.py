"""Words of pages, as tests look them up."""

from __future__ import annotations

import pytest

from tests.support.words import words_of


def test_a_message_reads_as_the_page_says_it() -> None:
    assert words_of("en")("Sign in with %(provider)s", provider="A & B") == "Sign in with A & B"
    assert words_of("ar")("Share a file") not in ("", "Share a file")
    assert words_of("de")("Up: %(title)s", title="Lakes").endswith(": Lakes")
    assert words_of("en").counted("%(count)s activity", "%(count)s activities", 2) == "2 activities"
    assert words_of("ar").counted("%(count)s activity", "%(count)s activities", 1) != "1 activity"


def test_markup_may_part_the_words() -> None:
    up = words_of("en").like("Up: %(title)s", title="What?")
    assert up.search("Up : What?")
    assert not up.search("Up: What")
    assert words_of("en").like("Up: %(title)s").search("Up: Lakes")
    assert not words_of("en").like("Up: %(title)s").search("Go Up: Lakes")


def test_what_no_page_says_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="no page says: Shear a file"):
        words_of("en")("Shear a file")
