"""Marks in a text what a query found there, by the same analysis that found it. Works on any text: the index
keeps none."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

from repo_service.domain.search import Highlight
from repo_service.search import analysis, text_query
from repo_service.search.analysis import Token
from repo_service.search.text_query import Phrase, Prefix, Word

MAX_TEXT = 10_000
"""Characters of a text in which matches are looked for, and of which a fragment is cut."""

_ELLIPSIS = "…"
_REMEMBERED = 1_000
"""Words of which a clause remembers whether they match: those of a page of hits."""

_Words = Sequence[tuple[int, str]]
_Span = tuple[int, int]


def highlight(text: str, fields: Mapping[str, str], *, length: int = 200) -> dict[str, Highlight]:
    """For each named text its best fragment of about ``length`` characters. A fragment that leaves something
    out has an ellipsis there; a text in which nothing matches gives its beginning."""
    clauses = text_query.parse(text) or ()
    texts = {name: analysis.normalised(value[:MAX_TEXT]) for name, value in fields.items()}
    words = {name: analysis.words(value) for name, value in texts.items()}
    spans: dict[str, list[_Span]] = {name: [] for name in texts}
    for clause in clauses:
        if isinstance(clause, Phrase):
            found = {name: list(_phrases(clause, value)) for name, value in texts.items()}
        else:
            found = {name: _places(placed, _exact(clause)) for name, placed in words.items()}
            # Typing mistakes are looked for only where the word itself is nowhere, as in a search.
            if isinstance(clause, Word) and clause.mistakes and not any(found.values()):
                found = {name: _places(placed, _near(clause)) for name, placed in words.items()}
        for name, places in found.items():
            spans[name].extend(places)
    return {name: _fragment(texts[name], _merged(places), length) for name, places in spans.items()}


class _Verdicts(dict[str, tuple[_Span, ...]]):
    """Where within each word a clause matches. The hits of one search share most of their words, and most
    words do not match: each is looked at once."""

    def __init__(self, within: Callable[[Token], _Span | None]) -> None:
        self._within = within

    def __missing__(self, word: str) -> tuple[_Span, ...]:
        spans = (self._within(token) for token in analysis.parts(word))
        verdict = tuple(span for span in spans if span is not None)
        if len(word) <= analysis.MAX_WORD:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[word] = verdict
        return verdict


@functools.lru_cache(maxsize=32)
def _exact(clause: Word | Prefix) -> _Verdicts:
    def within(token: Token) -> _Span | None:
        match clause:
            case Word():
                return (token.start, token.end) if _same_word(clause, token) else None
            case Prefix(form):
                if not token.form.startswith(form):
                    return None
                return token.start, token.start + 1 if token.paired else token.end

    return _Verdicts(within)


@functools.lru_cache(maxsize=32)
def _near(clause: Word) -> _Verdicts:
    def within(token: Token) -> _Span | None:
        near = text_query.mistakes(clause.form, token.form, at_most=clause.mistakes) is not None
        return (token.start, token.end) if near else None

    return _Verdicts(within)


def _places(words: _Words, verdicts: _Verdicts) -> list[_Span]:
    return [(start + left, start + right) for start, word in words for left, right in verdicts[word]]


def _phrases(clause: Phrase, text: str) -> Iterator[_Span]:
    forms = clause.forms
    words = list(analysis.placed(text))
    for first in range(len(words) - len(forms) + 1):
        part = words[first : first + len(forms)]
        if all(token.form == form for (_, token), form in zip(part, forms, strict=True)):
            yield part[0][0] + part[0][1].start, part[-1][0] + part[-1][1].end


def _same_word(clause: Word, token: Token) -> bool:
    """Whether two words have one stem in some language; which one the text is in is not known here."""
    # Most words are told apart at a glance: forms of one word begin alike, or one holds the beginning of the
    # other (the Arabic article, the Indonesian prefixes).
    one, other = clause.form, token.form
    alike = one[:2] == other[:2] or one[:3] in other or other[:3] in one
    return alike and not clause.stems.isdisjoint(analysis.all_stems(token.surface))


def _merged(spans: list[_Span]) -> list[_Span]:
    merged: list[_Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _fragment(text: str, spans: list[_Span], length: int) -> Highlight:
    """The window with the most distinct matches, the earliest of equals, cut between words."""
    length = max(length, 1)
    if len(text) <= length:
        return Highlight(text=text, spans=tuple(spans))
    start, end = _window(text, spans, length)
    before = _ELLIPSIS if start > 0 else ""
    after = _ELLIPSIS if end < len(text) else ""
    inside = [(max(left, start), min(right, end)) for left, right in spans if left < end and right > start]
    shift = len(before) - start
    return Highlight(
        text=f"{before}{text[start:end]}{after}",
        spans=tuple((left + shift, right + shift) for left, right in inside),
    )


def _window(text: str, spans: list[_Span], length: int) -> tuple[int, int]:
    best_start, best_found = 0, 0
    last = 0
    for first, (left, _) in enumerate(spans):
        last = max(last, first)
        while last < len(spans) and spans[last][1] <= left + length:
            last += 1
        seen = len({text[a:b].casefold() for a, b in spans[first:last][:50]})
        if seen > best_found:
            best_start, best_found = left, seen
    # Some words before the first match help to read it.
    start = max(0, min(best_start - length // 4, len(text) - length))
    end = min(len(text), start + length)
    if start > 0:
        gap = text.find(" ", start, best_start if best_found else end)
        start = gap + 1 if gap >= 0 else start
    if end < len(text):
        gap = text.rfind(" ", start + 1, end)
        end = gap if gap > start + length // 2 else end
    return start, end
