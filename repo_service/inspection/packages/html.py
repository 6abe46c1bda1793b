"""Pages of HTML within a package: what their head says, and their text."""

from __future__ import annotations

import codecs
import re
from html.parser import HTMLParser

from repo_service.inspection.drafting import Draft
from repo_service.inspection.limits import KIB
from repo_service.inspection.packages.opened import Package
from repo_service.inspection.text import short_references

_PAGE = 256 * KIB
"""Bytes of a page that are looked at."""
_HEAD = 32 * 1024
"""Characters in which its head should be."""
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([\w-]{1,40})", re.IGNORECASE)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ENCODINGS = frozenset(
    {
        *("utf-8", "utf8", "us-ascii", "ascii", "latin1", "macintosh", "koi8-r", "koi8-u", "ibm866"),
        *(f"iso-8859-{part}" for part in (*range(1, 12), *range(13, 17))),
        *(f"windows-{page}" for page in range(1250, 1259)),
        *("gb2312", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "iso-2022-jp", "euc-kr"),
    }
)
"""As Encoding Standard, 4.2, has them. Python knows more, some of which take forever."""
_NO_TAGS = re.compile(r"<!--.*?(?:-->|\Z)|<[!?][^<>]*+>", re.DOTALL)
_STRAY = re.compile(r"<(?![a-zA-Z/][^<>]*+>)")
_MAX_PAGES = 200
_NAMES = re.compile(r"\.x?html?$", re.IGNORECASE)


def is_page(name: str) -> bool:
    """Whether a member is a page, by its name."""
    return _NAMES.search(name) is not None


def decoded(data: bytes) -> str:
    """By its byte order mark, its own word, else UTF-8 (HTML Standard, 13.2.3.2, without its guessing)."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    said = _CHARSET.search(data[:1024])
    encoding = "utf-8" if said is None else said[1].decode("ascii", "replace").lower()
    return data.decode(encoding if encoding in _ENCODINGS else "utf-8", "replace")


def read_head(page: str, draft: Draft) -> None:
    """Title, language, description, author and licence, as the head of a page says them."""
    reader = _Head(draft)
    reader.feed(_tags_only(page[:_HEAD]))
    reader.close()


def add_pages(package: Package, names: list[str], draft: Draft) -> None:
    """The text of pages, as long as the draft wants some."""
    for name in names[:_MAX_PAGES]:
        if not draft.wants_text:
            return
        if name in package and is_page(name):
            draft.add_html(decoded(package.head(name, _PAGE)))


def _tags_only(page: str) -> str:
    """A page without comments and declarations, each ``<`` in it the begin of a tag that ends: of others
    Python's parser looks for the end again and again, or fails."""
    return _STRAY.sub("&lt;", _NO_TAGS.sub("", short_references(page)))


class _Head(HTMLParser):
    def __init__(self, draft: Draft) -> None:
        super().__init__(convert_charrefs=True)
        self._draft = draft
        self._title: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "html":
            self._draft.say_language(values.get("lang") or values.get("xml:lang", ""))
        elif tag == "title" and not self._draft.title:
            self._title = []
        elif tag == "meta":
            self._meta(values.get("name", "").lower(), values.get("content", ""))
        elif tag in ("link", "a") and "license" in values.get("rel", "").lower().split():
            self._draft.add_licence(values.get("href", ""))

    def handle_data(self, data: str) -> None:
        if self._title is not None:
            self._title.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "title" and self._title is not None:
            self._draft.name_it("".join(self._title))
            self._title = None

    def _meta(self, name: str, content: str) -> None:
        if name in ("description", "dcterms.description", "dc.description"):
            self._draft.describe(content)
        elif name in ("author", "dcterms.creator", "dc.creator"):
            self._draft.add_author(content)
        elif name == "keywords":
            self._draft.add_keywords(content.split(","))
        elif name in ("dcterms.rights", "dc.rights", "dcterms.license", "licence", "license", "copyright"):
            self._draft.add_licence(content)
