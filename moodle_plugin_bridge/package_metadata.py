"""What a Moodle says of a package that it shares: a name and a description, both plain text.

``lib/classes/moodlenet/moodlenet_client.php`` sends them as JSON, and nothing else: no licence, no language.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from repo_service.http import json_bodies
from repo_service.inspection.text import clean_paragraphs, text_to_html
from repo_service.services.descriptions import SUMMARY_LENGTH, Description, can_be_seen, plain_line

WRAPPED_AT = 75
"""Columns (``html_to_text`` in ``lib/weblib.php``, through which every description goes)."""


def description_of(text: str) -> Description:
    """The name as a title, the description as a summary.

    What is missing, or no JSON at all, is left open: inspection fills it. The file is what counts, and a
    Moodle that is refused leaves its teacher with a raw exception.
    """
    try:
        said: Any = json_bodies.parse(text)
    except ValueError:
        said = None
    name, description = (_text(said, key) for key in ("name", "description"))
    title = plain_line(name)
    summary = unwrapped(clean_paragraphs(description, limit=SUMMARY_LENGTH)).strip()
    return Description(
        title=title if can_be_seen(title) else None,
        summary=text_to_html(summary) if can_be_seen(summary) else None,
    )


def unwrapped(text: str) -> str:
    """``text`` with the line breaks taken back that wrapping it has made.

    One was made where the next word would not have fitted into the line: any other stood in the text.
    """
    lines = text.split("\n")
    return lines[0] + "".join(_joined(lines))


def _joined(lines: list[str]) -> Iterator[str]:
    for before, line in pairwise(lines):
        yield (" " if _was_wrapped(before, line) else "\n") + line


def _was_wrapped(before: str, line: str) -> bool:
    word = line.partition(" ")[0]
    if not before.strip() or not word:
        return False
    # PHP's wordwrap counts bytes, others characters.
    return max(len(before) + len(word), len(f"{before}{word}".encode())) + 1 > WRAPPED_AT


def _text(said: Any, key: str) -> str:
    value = said.get(key) if isinstance(said, dict) else None
    return value if isinstance(value, str) else ""
