"""Foreign text made safe: plain text without control characters, HTML without anything active or remote."""

from __future__ import annotations

import html
import re

import nh3

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.limits import LIMITS, Limits

LINE_LIMIT = 1500
"""Characters of a name or title (Moodle 5 allows 1,333)."""
PARAGRAPH_LIMIT = 10_000
HTML_LIMIT = 64 * 1024

# C0 and C1 controls, lone surrogates, and the characters that turn the direction of what follows them.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_LINE_BREAKS = re.compile("[\t\n\r\u2028\u2029]+")

_BLOCK_END = re.compile(r"</(?:p|div|li|h[1-6]|tr|dd|dt|pre|blockquote|caption)>|<(?:br|hr)>")
_CELL_END = re.compile(r"</t[dh]>")
_TAG = re.compile(r"<[^>]*>")
_BLANKS = re.compile(r"[ \t\xa0]+")
_EMPTY_LINES = re.compile(r" ?\n[ \n]*")

_TAGS = {
    *("p", "br", "hr", "div", "span", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre"),
    *(
        "a",
        "abbr",
        "b",
        "code",
        "del",
        "em",
        "i",
        "ins",
        "kbd",
        "q",
        "s",
        "samp",
        "small",
        "strong",
        "sub",
        "sup",
    ),
    *("u", "var", "ol", "ul", "li", "dl", "dt", "dd"),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"),
}
_ATTRIBUTES = {
    "a": {"href"},
    "abbr": {"title"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)


def clean_line(text: str, *, limit: int = LINE_LIMIT) -> str:
    """One line of plain text. Spaces at its ends stay: a name is compared with what Moodle has."""
    return _UNWANTED.sub("", _LINE_BREAKS.sub(" ", text))[:limit]


def clean_paragraphs(text: str, *, limit: int = PARAGRAPH_LIMIT) -> str:
    """Plain text of several lines."""
    return _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))[:limit]


def clean_html(text: str) -> str:
    """HTML with formatting, tables and web links; no images, styles, scripts, forms or embedded things."""
    return nh3.clean(
        _UNWANTED.sub("", text)[:HTML_LIMIT],
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_only_web_links,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow ugc",
        clean_content_tags={"script", "style", "object", "iframe", "noscript", "template", "svg", "math"},
    )


def html_to_text(text: str) -> str:
    """The plain text of HTML, with line breaks where blocks end."""
    cleaned = _TAG.sub("", _CELL_END.sub(" ", _BLOCK_END.sub("\n", clean_html(text))))
    return _EMPTY_LINES.sub("\n", _BLANKS.sub(" ", clean_paragraphs(html.unescape(cleaned)))).strip()


def text_to_html(text: str) -> str:
    """Plain text as HTML, its lines kept."""
    return html.escape(clean_paragraphs(text)).replace("\n", "<br>")


def _only_web_links(tag: str, attribute: str, value: str) -> str | None:
    """Relative links and Moodle's own placeholders ($@PAGEVIEWBYID*1@$) lead nowhere here."""
    if attribute == "href":
        return value if _LINK.match(value) else None
    return value


class TextAllowance:
    """Counts what an inspection keeps, so that no archive makes it grow without bound."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._left = limits.max_text

    def line(self, text: str, *, limit: int = LINE_LIMIT) -> str:
        """``clean_line``. Raises InvalidFile when the allowance is used up."""
        return self._take(clean_line(text, limit=limit))

    def text_of_html(self, text: str) -> str:
        """``html_to_text``. Raises InvalidFile when the allowance is used up."""
        return self._take(html_to_text(text)) if text else ""

    def _take(self, text: str) -> str:
        self._left -= len(text)
        if self._left < 0:
            raise InvalidFile("The backup holds too many or too long titles.", reason="too-much-text")
        return text
