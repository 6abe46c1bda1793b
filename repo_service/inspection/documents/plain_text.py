"""Texts: Markdown (CommonMark, read by markdown-it-py) where it looks like it, and plain ones."""

from __future__ import annotations

import re

from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import NotThisFormat, Progress, Source
from repo_service.inspection.documents.decoding import decoded, encoding_of
from repo_service.inspection.drafting import Draft
from repo_service.inspection.limits import KIB, LIMITS, MIB, Limits
from repo_service.inspection.media_types import media_type

_READ = 1 * MIB
"""Bytes of a text that are looked at: the rest has no room in the text for search anyway."""
_MARKDOWN_READ = 256 * KIB
_HEADING = re.compile(r"(?m)^#{1,6} \S|^\S[^\n]{0,200}\n(?:={3,}|-{3,})[ \t]*$")
_OTHER_SIGNS = re.compile(r"(?m)^```|^[*-] \S|^\d{1,3}\. \S|\[[^\]\n]{1,200}\]\([^)\n]{1,500}\)|\*\*\S")
_FRONT_MATTER = re.compile(r"---\n(.{0,5000}?)\n(?:---|\.\.\.)\n", re.DOTALL)
_FIELD = re.compile(
    r"(?m)^(title|author|lang|language|description|abstract|licen[cs]e|rights|keywords): *(.+)$"
)


class TextParser:
    """What libmagic takes for plain text."""

    name = "text"
    version = 1

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits

    def sniff(self, head: bytes, name: str) -> bool:
        return bool(head) and encoding_of(head) is not None

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        found = media_type(source.read_at(0, 64 * KIB), name)
        text = decoded(source, limit=_READ)
        if not found.startswith("text/") or text is None:
            raise NotThisFormat
        draft = Draft(self._limits)
        matter = _FRONT_MATTER.match(text)
        if matter is not None:
            _read_front_matter(matter[1], draft)
            text = text[matter.end() :]
        format_ = ""
        if found in ("text/html", "text/xml"):
            draft.add_html(text)
        elif matter is not None or _looks_like_markdown(text):
            format_, found = "markdown", "text/markdown"
            _read_markdown(text[:_MARKDOWN_READ], draft)
        else:
            format_ = "text" if found == "text/plain" else ""
            draft.add_text(text)
        progress(1.0)
        return draft.inspection(format_, media_type=found, size=source.size, name=name)


def _looks_like_markdown(text: str) -> bool:
    """A heading and something else: a comment in a script begins with ``#``, too."""
    head = text[: 64 * 1024]
    return _HEADING.search(head) is not None and _OTHER_SIGNS.search(head) is not None


def _read_front_matter(matter: str, draft: Draft) -> None:
    """The plain fields of what pandoc and static sites write (YAML); nested ones are passed over."""
    for key, written in _FIELD.findall(matter):
        value = written.strip().strip("\"'")
        match key:
            case "title":
                draft.name_it(value)
            case "author":
                draft.add_author(value)
            case "lang" | "language":
                draft.say_language(value)
            case "description" | "abstract":
                draft.describe(value)
            case "keywords":
                draft.add_keywords(value.strip("[]").split(","))
            case _:
                draft.add_licence(value)


def _read_markdown(text: str, draft: Draft) -> None:
    from markdown_it import MarkdownIt

    level: int | None = None
    for token in MarkdownIt("commonmark", {"maxNesting": 20}).parse(text):
        if token.type == "heading_open":
            level = int(token.tag[1:])
        elif token.type == "inline":
            words = "".join(
                " " if child.type in ("softbreak", "hardbreak") else child.content
                for child in token.children or ()
                if child.type in ("text", "code_inline", "softbreak", "hardbreak")
            )
            if level is not None:
                draft.head(level, words, "heading")
                if level == 1:
                    draft.name_it(words)
                level = None
            draft.add_text(words)
        elif token.type in ("fence", "code_block"):
            draft.add_text(token.content)
