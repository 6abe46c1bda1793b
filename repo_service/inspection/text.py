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
"""Characters of HTML, foreign or clean."""

# C0 and C1 controls, lone surrogates, and the characters that turn the direction of what follows them.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_LONG_REFERENCE = re.compile(r"&#[0-9]{20,}+;?")
_LINE_BREAKS = re.compile("[\t\n\r\u2028\u2029]+")

_TAG = re.compile(r"<(?:!--.*?(?:-->|\Z)|(/?)([a-zA-Z][a-zA-Z0-9]*+)[^<>]*+>|[!?/][^<>]*+>)", re.DOTALL)
_UNSHOWN = {"script", "style", "object", "iframe", "noscript", "template", "svg", "math", "title", "textarea"}
_BLOCKS = {
    *("p", "br", "hr", "div", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre"),
    *("li", "dt", "dd", "tr", "caption", "table", "ul", "ol", "section", "article", "header", "footer"),
}
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
# The elements of which an unclosed one goes on in the next block.
_FORMATTING = {
    "a",
    "b",
    "big",
    "code",
    "em",
    "font",
    "i",
    "nobr",
    "s",
    "small",
    "strike",
    "strong",
    "tt",
    "u",
}
_FLOOD = 100_000
_ROUNDS = 4
"""How often HTML is cleaned until that changes nothing: twice, but for markup that is nested wrongly."""
_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)


def clean_line(text: str, *, limit: int = LINE_LIMIT) -> str:
    """One line of plain text. Spaces at its ends stay: a name is compared with what Moodle has."""
    return _UNWANTED.sub("", _LINE_BREAKS.sub(" ", text))[:limit]


def clean_paragraphs(text: str, *, limit: int = PARAGRAPH_LIMIT) -> str:
    """Plain text of several lines."""
    return _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))[:limit]


def short_references(text: str) -> str:
    """HTML in which numbers of characters have so few digits that Python takes them for numbers: others mean
    U+FFFD anyway (HTML Standard, 13.2.5.80)."""
    return _LONG_REFERENCE.sub("\N{REPLACEMENT CHARACTER}", text)


def unescape(text: str) -> str:
    """``html.unescape`` of foreign text."""
    return html.unescape(short_references(text))


def clean_html(text: str) -> str:
    """HTML with formatting, tables and web links; no images, styles, scripts, forms or embedded things.

    It is no longer than HTML_LIMIT, and cleaned again it is the same: whoever takes it over loses nothing.
    Markup that does not come to that, or that an HTML parser answers with a flood of elements, is reduced to
    its text, of which PARAGRAPH_LIMIT characters are kept.
    """
    text = _UNWANTED.sub("", text)[:HTML_LIMIT]
    last = text
    for _ in range(_ROUNDS):
        if len(last) > HTML_LIMIT or _would_flood(last):
            break
        cleaned = _sanitised(last)
        if cleaned == last:
            return cleaned
        last = cleaned
    return _sanitised(text_to_html(html_to_text(text)))


def _sanitised(text: str) -> str:
    return nh3.clean(
        text,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_only_web_links,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow ugc",
        clean_content_tags=_UNSHOWN - {"title", "textarea"},
    )


def _would_flood(text: str) -> bool:
    """Whether formatting is left open so often that a parser would flood us with it.

    It opens all of it again in each block that follows (HTML Standard, 13.2.4.3: reconstruct the active
    formatting elements), so the effort is their number times that of the blocks.
    """
    open_now = most = blocks = 0
    for tag in _TAG.finditer(text):
        name = (tag[2] or "").lower()
        if name in _FORMATTING:
            open_now = max(0, open_now - 1) if tag[1] else open_now + 1
            most = max(most, open_now)
        else:
            blocks += 1
    return most * blocks > _FLOOD


def html_to_text(text: str) -> str:
    """The plain text of HTML, with line breaks where blocks end.

    A scan for tags and not an HTML parser, because its time must be in proportion to the text.
    """
    text = _UNWANTED.sub("", text)[:HTML_LIMIT]
    pieces: list[str] = []
    within = ""
    at = 0
    for tag in _TAG.finditer(text):
        if not within:
            pieces.append(text[at : tag.start()])
        at = tag.end()
        closing, name = tag[1], (tag[2] or "").lower()
        if within:
            within = "" if closing and name == within else within
        elif name in _UNSHOWN:
            within = "" if closing else name
        elif name in _BLOCKS:
            pieces.append("\n")
        elif name in ("td", "th"):
            pieces.append(" ")
    if not within:
        pieces.append(text[at:])
    plain = clean_paragraphs(unescape("".join(pieces)))
    return _EMPTY_LINES.sub("\n", _BLANKS.sub(" ", plain)).strip()


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

    def paragraphs(self, text: str, *, limit: int = PARAGRAPH_LIMIT) -> str:
        """``clean_paragraphs``. Raises InvalidFile when the allowance is used up."""
        return self._take(clean_paragraphs(text, limit=limit))

    def text_of_html(self, text: str) -> str:
        """``html_to_text``. Raises InvalidFile when the allowance is used up."""
        return self._take(html_to_text(text)) if text else ""

    def _take(self, text: str) -> str:
        self._left -= len(text)
        if self._left < 0:
            raise InvalidFile("The file holds too many or too long titles.", reason="too-much-text")
        return text
