"""Moodle's questions as GIFT: question/format/gift/format.php (``readquestion``), as far as it is described.

Questions are parted by empty lines: an optional ``::title::``, an optional ``[format]``, a text, and answers
in braces. ``$CATEGORY:`` says where those that follow belong. ``\\`` keeps ``~ = # { } :`` from meaning that.
"""

from __future__ import annotations

import re

from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import NotThisFormat, Progress, Source
from repo_service.inspection.documents.decoding import decoded
from repo_service.inspection.drafting import Draft
from repo_service.inspection.limits import LIMITS, MIB, Limits

MEDIA_TYPE = "text/x-gift"

_MAX_SIZE = 16 * MIB
_SIGNS = re.compile(rb"(?m)^(?:[ \t]*+::[^:\n]{1,300}::|\$CATEGORY:)")
_CATEGORY = re.compile(r"\$CATEGORY:\s*(.+)")
_TITLE = re.compile(r"::((?:\\.|[^\\:]|:(?!:)){1,500})::")
_FORMAT = re.compile(r"\[(?:html|moodle|plain|markdown)\]")
_BEGIN, _END = re.compile(r"(?<!\\)\{"), re.compile(r"(?<!\\)\}")
"""Of the answers of a question, which are all that stands in its first braces."""
_ESCAPED = re.compile(r"\\([~=#{}:\\])")
_BLOCKS = re.compile(r"\n[ \t]*\n")


class GiftParser:
    """A text that begins with a question that has a title, or with a category."""

    name = "gift"
    version = 1

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits

    def sniff(self, head: bytes, name: str) -> bool:
        return _SIGNS.search(head) is not None

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        text = None if source.size > _MAX_SIZE else decoded(source, limit=_MAX_SIZE)
        if text is None:
            raise NotThisFormat
        draft = Draft(self._limits)
        questions = categories = 0
        level = 1
        for block in _BLOCKS.split(text):
            lines = [line for line in block.split("\n") if not line.lstrip().startswith("//")]
            begin = 0
            while begin < len(lines) and (category := _CATEGORY.match(lines[begin].strip())) is not None:
                begin += 1
                categories, level = categories + 1, 2
                draft.head(1, category[1].rstrip("/").rpartition("/")[2], "category")
            question = _parts("\n".join(lines[begin:]).strip())
            if question is not None:
                questions += 1
                _describe(draft, *question, level)
        if not questions:
            raise NotThisFormat
        draft.facts |= {"questions": questions, "categories": categories}
        progress(1.0)
        return draft.inspection("gift", media_type=MEDIA_TYPE, size=source.size, name=name)


def _parts(block: str) -> tuple[str, str, str] | None:
    """What stands before the answers, they themselves, and what follows; None for what is no question."""
    begin = _BEGIN.search(block)
    end = None if begin is None else _END.search(block, begin.end())
    if begin is None or end is None:
        return None
    return block[: begin.start()], block[begin.end() : end.start()], block[end.end() :]


def _describe(draft: Draft, before: str, answers: str, after: str, level: int) -> None:
    titled = _TITLE.match(before)
    begin = 0 if titled is None else titled.end()
    words = f"{before[begin:]} _____ {after}".removesuffix("_____ ")
    words = _plain(_FORMAT.sub("", words, count=1))
    draft.head(level, words if titled is None else _plain(titled[1]), _type_of(answers))
    draft.add_html(words)
    draft.add_html(_plain(re.sub(r"(?<!\\)[~=]|->", " ", answers)))


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text).strip()


def _type_of(answers: str) -> str:
    """As ``readquestion`` tells them apart; Moodle's names of question types."""
    answers = answers.strip()
    if not answers:
        return "essay"
    if answers.startswith("#"):
        return "numerical"
    if re.search(r"(?<!\\)~", answers):
        return "multichoice"
    if "->" in answers and "=" in answers:
        return "match"
    if re.match(r"(?i)(?:t|true|f|false)(?![a-z])", answers):
        return "truefalse"
    return "shortanswer"
