"""What pages say, in each of their languages: looked up in the catalogues, so that tests read in English."""

from __future__ import annotations

import functools
import re

from repo_service.languages import LANGUAGES, SOURCE, language
from tests import translations

_TAG = re.compile(r"<[^>]+>")
_PIECE = re.compile(r"(<[^>]+>|%\(\w+\)s|%%|\s+)")


class Words:
    """The words of one language. Messages are given as they read in English, with or without their markup;
    one that no page says is a mistake in the test."""

    def __init__(self, tag: str) -> None:
        self.language = language(tag)

    def __call__(self, message: str, **values: object) -> str:
        """The words for a message, filled in, as they are read: without markup."""
        return _TAG.sub("", self._template(message)) % values

    def counted(self, one: str, many: str, count: int) -> str:
        """The words for that many."""
        assert self._template(one)
        return self.language.ngettext(one, many, count) % {"count": self.language.number(count)}

    def like(self, message: str, **values: object) -> re.Pattern[str]:
        """What fits the words for a message: any space, or none, where markup stands, and anything for what
        is not filled in."""

        def pattern(piece: str) -> str:
            if piece.startswith("%("):
                name = piece[2:-2]
                return re.escape(str(values[name])) if name in values else ".*"
            if piece.startswith("<"):
                return r"\s*"
            return r"\s+" if piece.isspace() else re.escape(piece.replace("%%", "%"))

        pieces = _PIECE.split(self._template(message))
        return re.compile(rf"^\s*{''.join(map(pattern, pieces))}\s*$")

    def _template(self, message: str) -> str:
        known = _messages()
        assert message in known, f"no page says: {message}"
        found = known[message]
        assert self.language.knows(found), f"{self.language.tag} has no words for: {found}"
        return self.language.gettext(found)


@functools.cache
def words_of(tag: str) -> Words:
    """The words of the language with that tag."""
    return Words(tag)


@functools.cache
def _messages() -> dict[str, str]:
    """Every message of the catalogues, by itself and by how it reads without markup."""
    any_other = next(tag for tag in LANGUAGES if tag != SOURCE)
    ids = [message.id for message in translations.read(any_other) if message.id]
    singular = [one if isinstance(one, str) else one[0] for one in ids]
    return {_TAG.sub("", one): one for one in singular} | {one: one for one in singular}
