"""Marks in a text what a query found there, by the same analysis that found it. Works on any text: the index
keeps none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from repo_service.domain.search import Highlight
from repo_service.search import analysis, text_query
from repo_service.search.analysis import Token
from repo_service.search.text_query import Clause, Phrase, Prefix, Word

MAX_TEXT = 200_000
"""Characters of a text in which matches are looked for."""

_ELLIPSIS = "…"


def highlight(text: str, fields: Mapping[str, str], *, length: int = 200) -> dict[str, Highlight]:
    """For each named text its best fragment of about ``length`` characters. A fragment that leaves something
    out has an ellipsis there; a text in which nothing matches gives its beginning."""
    clauses = text_query.parse(text) or ()
    texts = {name: analysis.normalised(value[:MAX_TEXT]) for name, value in fields.items()}
    words = {name: list(analysis.tokens(value)) for name, value in texts.items()}
    spans: dict[str, list[tuple[int, int]]] = {name: [] for name in texts}
    for clause in clauses:
        exact = {name: list(_spans(clause, tokens)) for name, tokens in words.items()}
        # Typing mistakes are looked for only where the word itself is nowhere, as in a search.
        found = exact if any(exact.values()) else {name: list(_near(clause, words[name])) for name in texts}
        for name, places in found.items():
            spans[name].extend(places)
    return {name: _fragment(texts[name], _merged(places), length) for name, places in spans.items()}


def _spans(clause: Clause, tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    match clause:
        case Word():
            # The language of the text is not known: any in which both words have one stem will do.
            for token in tokens:
                if not clause.stems.isdisjoint(analysis.all_stems(token.surface)):
                    yield token.start, token.end
        case Prefix(form):
            for token in tokens:
                if token.form.startswith(form):
                    yield token.start, token.start + 1 if token.paired else token.end
        case Phrase(forms):
            for start in range(len(tokens) - len(forms) + 1):
                part = tokens[start : start + len(forms)]
                if all(token.form == form for token, form in zip(part, forms, strict=True)):
                    yield part[0].start, part[-1].end


def _near(clause: Clause, tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    if isinstance(clause, Word) and clause.mistakes:
        for token in tokens:
            if text_query.mistakes(clause.form, token.form, at_most=clause.mistakes) is not None:
                yield token.start, token.end


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _fragment(text: str, spans: list[tuple[int, int]], length: int) -> Highlight:
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


def _window(text: str, spans: list[tuple[int, int]], length: int) -> tuple[int, int]:
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
