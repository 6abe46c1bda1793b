"""The query language: what a person types, taken apart. Nothing that can be typed is an error."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from repo_service.search import analysis
from repo_service.search.analysis import Token

MAX_TEXT = 1_000
"""Characters of a query that count."""

MAX_CLAUSES = 24
"""Words of a query that count."""

FUZZY_BELOW = 5
"""A word that fewer documents than this contain is also searched with typing mistakes."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word in any of its inflected forms. ``surface`` is as typed, in lower case; ``form`` is folded."""

    surface: str
    form: str

    @property
    def stems(self) -> frozenset[str]:
        """The terms of which a document must hold one."""
        return analysis.all_stems(self.surface)

    @property
    def mistakes(self) -> int:
        """How many typing mistakes a word of this length may have: a letter more, less, other, or two
        swapped."""
        return 0 if len(self.form) < 4 else 1 if len(self.form) < 8 else 2


@dataclass(frozen=True, slots=True)
class Phrase:
    """Forms that follow one another."""

    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prefix:
    """Any word that begins with ``form``."""

    form: str


Clause = Word | Phrase | Prefix


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> tuple[Clause, ...] | None:
    """What ``text`` asks for, all of it wanted. None when it asks for nothing in particular (empty, or
    ``*``); an empty tuple when it holds no word that could be found."""
    text = analysis.normalised(text[:MAX_TEXT]).translate(_QUOTATION_MARKS)
    if not text.strip().strip('*"'):
        return None
    clauses = tuple(dict.fromkeys(_clauses(text)))[:MAX_CLAUSES]
    telling = tuple(c for c in clauses if not (isinstance(c, Word) and c.form in _FUNCTION_WORDS))
    return telling or clauses


_QUOTATION_MARKS = dict.fromkeys(
    map(ord, "\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02\u300c\u300d\u300e\u300f"), '"'
)
_PIECE = re.compile(r'"([^"]*)"?|([^\s"]+)')


def _clauses(text: str) -> Iterator[Clause]:
    for quoted, bare in _PIECE.findall(text):
        if bare:
            yield from _bare(bare)
        else:
            yield from _quoted(quoted)


def _bare(piece: str) -> Iterator[Clause]:
    tokens = list(analysis.tokens(piece))
    prefix = tokens.pop() if tokens and piece.endswith("*") and not tokens[-1].paired else None
    run: list[str] = []
    for token in tokens:
        if not token.paired:
            yield Word(token.surface, token.form)
        else:
            run.append(token.form)
            if len(token.form) == 1:
                yield from _run(run)
                run = []
    if prefix is not None:
        yield Prefix(prefix.form)


def _quoted(piece: str) -> Iterator[Clause]:
    tokens: list[Token] = list(analysis.tokens(piece))
    forms = [token.form for token in tokens]
    if len(tokens) > 1 and tokens[-1].paired:
        # The last character stands alone in the index only where its run ends.
        last = forms.pop()
        if not tokens[-2].paired or len(tokens[-2].form) == 1:
            yield Prefix(last)
    elif tokens and tokens[-1].paired:
        yield Prefix(forms.pop())
    if forms:
        yield Phrase(tuple(forms))


def _run(pairs: list[str]) -> Iterator[Clause]:
    yield Phrase(tuple(pairs[:-1])) if len(pairs) > 1 else Prefix(pairs[0])


# Articles, prepositions and conjunctions, folded: typed as part of a sentence, they need not stand in the
# document. The lists hold only words that mean little in every language that has them, and no single Latin
# letter ("vitamin c").
_FUNCTION_WORDS: frozenset[str] = frozenset(
    word
    for words in json.loads(
        files("repo_service.search").joinpath("function_words.json").read_text(encoding="utf-8")
    ).values()
    for word in words
)


@functools.lru_cache(maxsize=2**16)
def mistakes(typed: str, word: str, *, at_most: int) -> int | None:
    """How many typing mistakes turn ``word`` into ``typed``; None when more than ``at_most``.

    The optimal string alignment distance: one letter more, less or other, or two neighbours swapped, each
    count one.
    """
    if abs(len(typed) - len(word)) > at_most:
        return None
    # Every letter that only one of them has costs a mistake: that settles most pairs.
    letters, others = set(typed), set(word)
    if len(letters - others) > at_most or len(others - letters) > at_most:
        return None
    before: list[int] = []
    previous = list(range(len(word) + 1))
    for row, letter in enumerate(typed, start=1):
        current = [row]
        for column, other in enumerate(word, start=1):
            cost = min(
                previous[column] + 1, current[column - 1] + 1, previous[column - 1] + (letter != other)
            )
            if row > 1 and column > 1 and letter == word[column - 2] and typed[row - 2] == other:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        if min(current) > at_most:
            return None
        before, previous = previous, current
    return previous[-1] if previous[-1] <= at_most else None
