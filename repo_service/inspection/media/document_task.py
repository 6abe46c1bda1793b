"""PDF documents: pypdf reads what they say of themselves (ISO 32000-2, 14.3), PDFium their text."""

from __future__ import annotations

import base64
import re
from typing import Any, BinaryIO

import pypdfium2
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.media.shrinking import thumbnails
from repo_service.inspection.media.sizes import SIZES

_HEAD = 2048
_VERSION = re.compile(rb"%PDF-([0-9]\.[0-9])")
_MAX_XMP = 1 << 20
_MAX_TEXT = 250_000
_MAX_OUTLINE = 5000
_MAX_DEPTH = 12
_MAX_PAGES = 2000
_FIELDS = {
    "/Title": "title",
    "/Author": "author",
    "/Subject": "description",
    "/Keywords": "keywords",
    "/License": "licence",
    "/Copyright": "licence",
}


def work(file: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """``fields`` are (name, text), ``outline`` (level, title); ``xmp`` is base64.

    Of what is locked with a password only the version is known.
    """
    found = _VERSION.search(file.read(_HEAD))
    version = "" if found is None else found[1].decode("ascii")
    file.seek(0)
    try:
        pdf = pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            return {"version": version, "locked": True, "outline": [], "fields": []}, []
        raise InvalidFile("The PDF document is damaged.", reason="unreadable") from error
    answer: dict[str, Any] = {
        "version": version,
        "locked": False,
        "pages": len(pdf),
        "outline": _outline(pdf),
        "text": _text(pdf),
    }
    file.seek(0)
    return {**answer, **_said(file)}, []


def show(file: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """The first page."""
    pdf = pypdfium2.PdfDocument(file)
    page = pdf[0]
    width, height = page.get_size()
    if not (width > 0 and height > 0):
        raise InvalidFile("The first page has no size.", reason="unreadable")
    scale = min(SIZES[-1][0] / width, SIZES[-1][1] / height)
    return {}, thumbnails(page.render(scale=scale).to_pil())


def _outline(pdf: pypdfium2.PdfDocument) -> list[tuple[int, str]]:
    found = []
    for bookmark in pdf.get_toc(max_depth=_MAX_DEPTH):
        found.append((bookmark.level + 1, bookmark.get_title()[:1000]))
        if len(found) >= _MAX_OUTLINE:
            break
    return found


def _text(pdf: pypdfium2.PdfDocument) -> str:
    pieces: list[str] = []
    left = _MAX_TEXT
    for number in range(min(len(pdf), _MAX_PAGES)):
        page = pdf[number]
        try:
            text = page.get_textpage()
            pieces.append(text.get_text_range(count=min(text.count_chars(), left)))
            text.close()
        except pypdfium2.PdfiumError:
            continue
        finally:
            page.close()
        left -= len(pieces[-1])
        if left <= 0:
            break
    return "\n".join(pieces)


def _said(file: BinaryIO) -> dict[str, Any]:
    """A document that PDFium shows and pypdf cannot read says nothing of itself."""
    try:
        reader = PdfReader(file, strict=False)
        information: Any = reader.metadata or {}
        fields = [
            (name, str(information[key])[:10_000])
            for key, name in _FIELDS.items()
            if isinstance(information.get(key), str)
        ]
        catalogue: Any = reader.trailer["/Root"]
        packet = catalogue.get("/Metadata")
        xmp = b"" if packet is None else packet.get_object().get_data()
        language = catalogue.get("/Lang", "")
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"fields": [], "xmp": "", "language": ""}
    return {
        "fields": fields,
        "xmp": base64.b64encode(xmp[:_MAX_XMP]).decode("ascii"),
        "language": str(language)[:100],
    }
