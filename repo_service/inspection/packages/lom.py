"""Learning Object Metadata (IEEE 1484.12.3, and IMS LRM 1.2 before it) and Dublin Core, as XML has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from repo_service.inspection.drafting import Draft

_VCARD_NAME = re.compile(r"^FN[^:\n]*:(.+)$", re.MULTILINE | re.IGNORECASE)
"""RFC 6350, 6.2.1."""
_AUTHORS = frozenset({"author", "creator", ""})
_NAME, _MAX_NAMES = 255, 100
_NOTHING = frozenset({"no", "yes", "lomv1.0", "none"})


def local(tag: str) -> str:
    """The name of an element without its prefix, in lower case: LRM 1.2 has ``copyrightandotherrestrictions``
    where LOM has ``copyrightAndOtherRestrictions``."""
    return tag.rpartition(":")[2].lower()


class LomReader:
    """Told of what is below an element ``lom``; ``path`` begins with it, all names ``local``."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._role = ""
        self._names: list[str] = []
        self._keywords: list[str] = []

    def end(self, path: list[str], text: str) -> None:
        """An element ends; ``text`` is its text if it has no children."""
        within, text = path[1:], text.strip()
        match within:
            case ["general", "title", *_] if text:
                self._draft.name_it(text)
            case ["general", "description", *_] if text:
                self._draft.describe(text)
            case ["general", "language"]:
                self._draft.say_language(text)
            case ["general", "keyword", *_] if text:
                self._draft.add_keywords([text])
            case ["lifecycle", "contribute", "role", *rest] if text and rest[-1:] != ["source"]:
                if text.lower() not in _NOTHING:
                    self._role = text[:_NAME]
            case ["lifecycle", "contribute", "entity" | "centity", *_] if text:
                if len(self._names) < _MAX_NAMES:
                    self._names.append(_name_of(text)[:_NAME])
            case ["lifecycle", "contribute"]:
                self._contributed()
            case ["rights", *_, "string" | "langstring"] if text and text.lower() not in _NOTHING:
                self._draft.add_licence(text)

    def _contributed(self) -> None:
        role = "" if self._role.lower() in _AUTHORS else self._role
        for name in self._names:
            self._draft.add_author(name, role)
        self._role, self._names = "", []


def _name_of(entity: str) -> str:
    """Of a vCard its formatted name; LOM allows nothing else, and people write plain names."""
    found = _VCARD_NAME.search(entity)
    if found is not None:
        return found[1].strip()
    return "" if "BEGIN:VCARD" in entity.upper() else entity


def dublin_core(draft: Draft) -> Mapping[str, Callable[[str], None]]:
    """What to do with the text of each element of Dublin Core (DCMI Metadata Terms, /elements/1.1/)."""
    return {
        "title": draft.name_it,
        "description": draft.describe,
        "creator": draft.add_author,
        "contributor": lambda name: draft.add_author(name, "contributor"),
        "language": draft.say_language,
        "subject": lambda words: draft.add_keywords([words]),
        "rights": draft.add_licence,
        "license": draft.add_licence,
    }
