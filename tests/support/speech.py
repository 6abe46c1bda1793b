"""Languages that know a few sentences, whatever stands in the catalogues."""

from __future__ import annotations

import gettext
from collections.abc import Callable, Iterator, Mapping

import pytest

from repo_service import languages

Teach = Callable[[str, Mapping[str, str]], None]
"""Give a language, by its tag, words for messages, and no others. Plurals are by their plural message."""


class _Words(gettext.NullTranslations):
    def __init__(self, words: Mapping[str, str]) -> None:
        super().__init__()
        self._words = words

    def gettext(self, message: str) -> str:
        return self._words.get(message, message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self._words.get(msgid1 if n == 1 else msgid2, super().ngettext(msgid1, msgid2, n))


@pytest.fixture
def teach(monkeypatch: pytest.MonkeyPatch) -> Iterator[Teach]:
    """Languages as a test wants them."""
    taught: dict[str, Mapping[str, str]] = {}

    def messages(tag: str) -> tuple[gettext.NullTranslations, frozenset[str]]:
        words = taught.get(tag, {})
        return _Words(words), frozenset(words)

    def teach(tag: str, words: Mapping[str, str]) -> None:
        taught[tag] = words
        languages.language.cache_clear()

    monkeypatch.setattr(languages, "_messages", messages)
    languages.language.cache_clear()
    yield teach
    languages.language.cache_clear()
