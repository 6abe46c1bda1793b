"""Values of forms as clean text. Databases keep no NUL, and nothing here means any control character."""

from __future__ import annotations

import re

from werkzeug.datastructures import MultiDict

from repo_service.inspection.text import clean_line, clean_paragraphs

Fields = MultiDict[str, str]


def text_field(fields: Fields, name: str, *, limit: int) -> str:
    """One field as text of one or more lines, cut at ``limit`` characters."""
    return clean_paragraphs(fields.get(name, ""), limit=limit).strip()


def line_field(fields: Fields, name: str, *, limit: int) -> str:
    """One field as one line, cut at ``limit`` characters."""
    return clean_line(fields.get(name, ""), limit=limit).strip()


def words_field(fields: Fields, name: str, *, limit: int, most: int) -> list[str]:
    """A comma-separated field as at most ``most`` words, each cut at ``limit`` characters."""
    words = re.split(r"[,;\n]", fields.get(name, ""))
    cleaned = (clean_line(word, limit=limit).strip() for word in words)
    return list(dict.fromkeys(word for word in cleaned if word))[:most]


def codes_field(fields: Fields, name: str, *, most: int) -> list[str]:
    """The ticked values of a list."""
    return [clean_line(value, limit=200) for value in fields.getlist(name)][:most]
