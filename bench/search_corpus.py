"""Generated resources for measuring search: words by Zipf's law in five languages, seven facets."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from repo_service.domain.search import Facet, SearchDocument

LANGUAGES = ("en", "de", "fr", "es", "pt")
_SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in ("a", "e", "i", "o", "u", "an", "er", "is")]
_ENDINGS = ("", "", "", "s", "ing", "ation", "ung", "en", "ité", "ción", "logie")
_RELEASED = datetime(2024, 1, 1, tzinfo=UTC)


def vocabulary(size: int = 60_000) -> list[str]:
    """Words as they stand in the texts, the most frequent first; the same at every call."""
    chance = random.Random(1)
    words: dict[str, None] = {}
    while len(words) < size:
        word = "".join(chance.choices(_SYLLABLES, k=chance.choice((2, 2, 3, 3, 4)))) + chance.choice(_ENDINGS)
        words[word] = None
    return list(words)


def documents(count: int, *, seed: int = 2) -> Iterator[SearchDocument]:
    """``count`` resources with a title of five words and a summary of forty."""
    chance = random.Random(seed)
    words = vocabulary()
    weights = list(itertools.accumulate(1 / (rank + 2.7) ** 0.9 for rank in range(len(words))))
    subjects = [
        f"{broad:02d}{narrow}{detailed}"
        for broad in range(11)
        for narrow in range(1, 4)
        for detailed in range(1, 4)
    ]
    for number in range(count):
        text = chance.choices(words, cum_weights=weights, k=45)
        yield SearchDocument(
            id=f"{number:08x}-0000-7000-8000-000000000000",
            title=" ".join(text[:5]).capitalize(),
            summary=" ".join(text[5:]),
            languages=(chance.choice(LANGUAGES),),
            facets={
                Facet.TYPE: (chance.choice(("course", "activity", "slide", "video", "worksheet")),),
                Facet.SUBJECT: (chance.choice(subjects),),
                Facet.LEVEL: (f"level{chance.randrange(9)}",),
                Facet.LANGUAGE: (chance.choice(LANGUAGES),),
                Facet.LICENCE: (chance.choice(("CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "unknown")),),
                Facet.MOODLE_RELEASE: (f"{chance.choice((3, 4, 5))}.{chance.randrange(6)}",),
                Facet.MODULE: tuple(
                    chance.sample(("quiz", "forum", "assign", "page", "url", "book", "lesson", "h5p"), k=3)
                ),
            },
            released_at=_RELEASED + timedelta(seconds=chance.randrange(60_000_000)),
        )


def queries(word_class: str, count: int = 50) -> list[str]:
    """Texts to search for: ``rare``, ``common`` and ``broad`` words, ``phrase`` of two, ``prefix`` of three
    letters, ``two`` broad words."""
    chance = random.Random(3)
    words = vocabulary()
    if word_class == "rare":
        return chance.sample(words[20_000:50_000], k=count)
    if word_class == "common":
        return chance.sample(words[300:1_000], k=count)
    if word_class == "broad":
        return chance.choices(words[:10], k=count)
    if word_class == "two":
        return [" ".join(chance.sample(words[:20], k=2)) for _ in range(count)]
    if word_class == "phrase":
        return [f'"{" ".join(chance.sample(words[:60], k=2))}"' for _ in range(count)]
    if word_class == "prefix":
        return [word[:3] + "*" for word in chance.sample(words[:5_000], k=count)]
    raise ValueError(word_class)
