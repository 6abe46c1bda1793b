"""How text becomes terms, the same for every engine, for queries and for highlighting.

Engines are given terms that are ready to be indexed as they are, so that all of them find the same documents.
Every word has one *form* (case, accents and variants of writing folded away) and, in a language with a
stemmer, *stems* marked with that language: ``en:run``. Scripts that are written without spaces become
overlapping pairs of characters. ``docs/search.md`` says what that means for the person who searches.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import Stemmer

_VERSION = 1

MAX_WORD = 64
"""Characters of a word that count; what is longer is cut, in documents and in queries alike."""


class Token(NamedTuple):
    """A word, or a pair of characters, where it stands in the text (offsets in characters)."""

    start: int
    end: int
    surface: str
    form: str
    paired: bool = False


# ---- Folding -----------------------------------------------------------------------------------------------

# Marks that are taken off after decomposition: Latin, Greek and Cyrillic accents, Hebrew points, Arabic vowel
# signs, hamza and Koranic signs. Marks of other scripts carry meaning of their own and stay.
_DROPPED_MARKS = (
    *range(0x0300, 0x0370),
    *range(0x0591, 0x05C8),
    *range(0x0610, 0x061B),
    *range(0x064B, 0x0660),
    0x0670,
    *range(0x06D6, 0x06EE),
    *range(0x08D3, 0x0900),
    *range(0x1AB0, 0x1AFF),
    *range(0x1DC0, 0x1E00),
)
# Characters that only steer joining, direction or line breaks, the Arabic stretch, apostrophes within a word.
_DROPPED_OTHERS = "\u00ad\u0640\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff'\u2019\u02bc"

_LETTERS = {
    # Latin letters that Unicode does not decompose.
    "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th",
    "ħ": "h", "\u0131": "i", "ĸ": "k", "ł": "l", "ŋ": "n", "ŧ": "t",
    # Arabic: alef wasla, alef maksura, Farsi yeh, yeh barree (to yeh);
    "\u0671": "\u0627", "\u0649": "\u064a", "\u06cc": "\u064a", "\u06d2": "\u064a",
    # ta marbuta, heh goal, Uighur ae (to heh); keheh (to kaf).
    "\u0629": "\u0647", "\u06c1": "\u0647", "\u06d5": "\u0647", "\u06a9": "\u0643",
    # Hebrew letters as they are written at the end of a word.
    "\u05da": "\u05db", "\u05dd": "\u05de", "\u05df": "\u05e0", "\u05e3": "\u05e4", "\u05e5": "\u05e6",
}  # fmt: skip

_FOLDING: dict[int, str | None] = {
    **dict.fromkeys(_DROPPED_MARKS),
    **{ord(character): None for character in _DROPPED_OTHERS},
    **{ord(letter): plain for letter, plain in _LETTERS.items()},
    # Arabic-Indic and Persian digits.
    **{zero + digit: str(digit) for zero in (0x0660, 0x06F0) for digit in range(10)},
}


def fold(text: str) -> str:
    """``text`` without case, accents, points and variants of writing."""
    if text.isascii():
        return text.lower().replace("'", "")
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFC", decomposed.translate(_FOLDING))


# ---- Words -------------------------------------------------------------------------------------------------

# Scripts written without spaces between words: Han, kana, Thai, Lao, Burmese, Khmer. And Hangul: it has
# spaces, but joins particles to its nouns, and pairs find the noun.
_UNSPACED = (
    "\u3005\u3007\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff\u1100-\u11ff\uac00-\ud7af\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
)


def _marks() -> str:
    """Every combining mark, as ranges of a character class. Python's \\w leaves them out, but many scripts
    write their vowels with them."""
    codes = [code for code in range(0x0300, 0x1E900) if unicodedata.category(chr(code)) in {"Mn", "Mc"}]
    starts = [code for code in codes if unicodedata.category(chr(code - 1)) not in {"Mn", "Mc"}]
    ends = [code for code in codes if unicodedata.category(chr(code + 1)) not in {"Mn", "Mc"}]
    return "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))


_LETTERS_AND_DIGITS = r"[^\W_]+"
_WORD = re.compile(
    rf"{_LETTERS_AND_DIGITS}"
    rf"(?:(?:[{_marks()}\u00ad\u200c\u200d\u2060]+|['\u2019\u02bc](?=[^\W_]))(?:{_LETTERS_AND_DIGITS})?)*"
    r"(?:(?:\+\+|(?<![^\W_]{2})#)(?![^\W_]))?"
)
_RUN = re.compile(rf"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_UNSPACED_CHARACTER = re.compile(rf"[{_UNSPACED}]")

# French, Italian and Catalan articles and pronouns that lean on the next word: l'eau, d'un, qu'il, dell'arte.
_ELISION = re.compile(
    r"^(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|dell|nell|sull|dall|all|un)['\u2019](?=\w{2})", re.IGNORECASE
)
_POSSESSIVE = re.compile(r"['\u2019]s$", re.IGNORECASE)


def tokens(text: str) -> Iterator[Token]:
    """The words of ``text`` in order, with their places; ``text`` should be ``normalised``."""
    for start, part in placed(text):
        yield Token(start + part.start, start + part.end, part.surface, part.form, part.paired)


def placed(text: str) -> Iterator[tuple[int, Token]]:
    """The words of ``text`` in order, each with what is to be added to its places: the quicker ``tokens``."""
    for start, word in words(text):
        for part in parts(word):
            yield start, part


def words(text: str) -> list[tuple[int, str]]:
    """What stands between spaces and signs, uncut, with its place: what ``parts`` takes."""
    return [(match.start(), match.group()) for match in _WORD.finditer(text)]


def forms_and_terms(text: str, stemmer: str | None) -> tuple[list[str], set[str]]:
    """What a text is indexed under: the forms of its words in order, and for each different word its other
    terms, joined by spaces.

    The fast way through ``tokens``, for writers: it finds the same and forgets the places.
    """
    if text.isascii() and not _NOT_PLAIN.search(text):
        forms = _PLAIN_WORD.findall(text.lower())
        words = set(forms)
        if max(map(len, words), default=0) <= MAX_WORD:
            return forms, {index_terms(word, stemmer) for word in words}
    found = [part for word in _WORD.findall(text) for part in parts(word)]
    surfaces = {part.surface for part in found}
    return [part.form for part in found], {index_terms(surface, stemmer) for surface in surfaces}


def normalised(text: str) -> str:
    """``text`` in Unicode form NFC, without characters that no database or index can hold."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))


_PLAIN_WORD = re.compile(r"[a-z0-9]+")
_NOT_PLAIN = re.compile(r"['#]|\+\+")


@functools.lru_cache(maxsize=2**17)
def parts(word: str) -> tuple[Token, ...]:
    """What one of ``words`` is made of: usually itself. Places are within the word."""
    if word.isascii() or not _UNSPACED_CHARACTER.search(word):
        return tuple(_word(word, 0))
    found: list[Token] = []
    for run in _RUN.finditer(word):
        unspaced = _UNSPACED_CHARACTER.match(run.group())
        found.extend(_pairs(run.group(), run.start()) if unspaced else _word(run.group(), run.start()))
    return tuple(found)


def _word(surface: str, start: int) -> Iterator[Token]:
    end = start + len(surface)
    if not surface.isalnum():
        elision = _ELISION.match(surface)
        if elision:
            start += elision.end()
            surface = surface[elision.end() :]
        possessive = _POSSESSIVE.search(surface)
        if possessive:
            end -= len(possessive.group())
            surface = surface[: possessive.start()]
    surface = surface.lower()
    form = folded(surface)
    if form:
        yield Token(start, end, surface, form)


def _pairs(run: str, start: int) -> Iterator[Token]:
    """Overlapping pairs, and the last character alone: so every character begins a term, and one character is
    found as the beginning of a term."""
    folded_run = fold(run)
    aligned = len(folded_run) == len(run)
    for place in range(len(folded_run)):
        form = folded_run[place : place + 2]
        if aligned:
            yield Token(start + place, start + place + len(form), form, form, paired=True)
        else:
            yield Token(start, start + len(run), form, form, paired=True)


@functools.lru_cache(maxsize=2**17)
def folded(word: str) -> str:
    """The form of one word; never with a space in it, whatever a ligature unfolds to."""
    return "".join(fold(word).split())[:MAX_WORD]


# ---- Terms -------------------------------------------------------------------------------------------------

# BCP 47 primary language → Snowball algorithm, by the script the algorithm reads.
_LATIN = {
    "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "en": "english", "es": "spanish",
    "et": "estonian", "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hu": "hungarian",
    "id": "indonesian", "it": "italian", "lt": "lithuanian", "nl": "dutch", "no": "norwegian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "sv": "swedish", "tr": "turkish",
}  # fmt: skip
_OTHER_SCRIPTS = {
    "ar": "arabic", "el": "greek", "fa": "persian", "hi": "hindi", "hy": "armenian", "ne": "nepali",
    "ru": "russian", "ta": "tamil", "yi": "yiddish",
}  # fmt: skip
_ALGORITHMS = {**_LATIN, **_OTHER_SCRIPTS}
_SAME_STEMMER = {"nb": "no", "nn": "no", "ms": "id", "gl": "pt"}

_UNSTEMMED = "-"
_BEGINNING = "*"

BEGINNINGS = 3
"""Words are indexed under their first one to three letters too: so few letters begin too many words to look
each of them up."""


def stemmer_of(language: str) -> str | None:
    """The mark of the stemmer for a BCP 47 tag (``de-AT`` → ``de``), None when there is none."""
    primary = language.replace("_", "-").partition("-")[0].lower()
    primary = _SAME_STEMMER.get(primary, primary)
    return primary if primary in _ALGORITHMS else None


def version() -> str:
    """Of everything that decides the terms of a text; indexes with terms of another version are made anew."""
    return f"{_VERSION}/snowball-{Stemmer.version()}/unicode-{unicodedata.unidata_version}"


def stemmers() -> dict[str, str]:
    """Every stemmer there is: its mark and the name of its Snowball algorithm."""
    return dict(_ALGORITHMS)


def beginning(form: str) -> str:
    """The term of all words that begin with ``form``, of at most BEGINNINGS letters."""
    return f"{_BEGINNING}:{form}"


@functools.lru_cache(maxsize=2**18)
def index_terms(surface: str, stemmer: str | None) -> str:
    """What a word of a document is found by, besides its form: its stems and its beginnings, joined by
    spaces."""
    form = folded(surface)
    beginnings = dict.fromkeys(beginning(form[:length]) for length in range(1, BEGINNINGS + 1))
    return " ".join((*stems(surface, stemmer), *beginnings))


def stems(surface: str, stemmer: str | None) -> tuple[str, ...]:
    """The stems of a word in lower case, or its form when its language or its script has no stemmer.

    Two stems when accents matter to the stemmer: people leave them out when they type.
    """
    form = folded(surface)
    if stemmer is None or (form.isascii() and stemmer not in _LATIN) or _UNSPACED_CHARACTER.match(form):
        return (f"{_UNSTEMMED}:{form}",)
    algorithm = _algorithm(stemmer)
    plain = algorithm.stemWord(form)
    if surface.isascii():
        return (f"{stemmer}:{plain}",)
    accented = folded(algorithm.stemWord(surface[:MAX_WORD]))
    return tuple(dict.fromkeys((f"{stemmer}:{accented}", f"{stemmer}:{plain}")))


@functools.lru_cache(maxsize=2**14)
def all_stems(surface: str) -> frozenset[str]:
    """The stems of a word of a query, whose language nobody knows: those of every language of its script."""
    candidates = _LATIN if folded(surface).isascii() else _ALGORITHMS
    return frozenset(stem for stemmer in (None, *candidates) for stem in stems(surface, stemmer))


@functools.cache
def _algorithm(stemmer: str) -> Stemmer.Stemmer:
    return Stemmer.Stemmer(_ALGORITHMS[stemmer], 0)  # no cache of its own: its callers have one
