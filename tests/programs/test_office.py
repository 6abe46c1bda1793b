"""Documents of LibreOffice and pandoc."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs.support import described, headings, licences, names, program

pytestmark = pytest.mark.programs

_SPACES = " ".join(
    f'xmlns:{prefix}="{address}"'
    for prefix, address in {
        "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
        "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
        "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
        "draw": "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0",
        "svg": "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0",
        "presentation": "urn:oasis:names:tc:opendocument:xmlns:presentation:1.0",
        "style": "urn:oasis:names:tc:opendocument:xmlns:style:1.0",
        "fo": "urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0",
        "meta": "urn:oasis:names:tc:opendocument:xmlns:meta:1.0",
        "dc": "http://purl.org/dc/elements/1.1/",
    }.items()
)
_BODIES = {
    "text": '<office:text><text:h text:outline-level="1">The source</text:h>'
    '<text:h text:outline-level="2">A spring</text:h><text:p>Clear and cold water.</text:p></office:text>',
    "spreadsheet": '<office:spreadsheet><table:table table:name="Lengths"><table:table-row><table:table-cell '
    'office:value-type="string"><text:p>Danube</text:p></table:table-cell></table:table-row></table:table>'
    '<table:table table:name="Depths"><table:table-row><table:table-cell office:value-type="string">'
    "<text:p>Rhine</text:p></table:table-cell></table:table-row></table:table></office:spreadsheet>",
    "presentation": '<office:presentation><draw:page draw:name="One" draw:master-page-name="M">'
    '<draw:frame presentation:class="title" svg:width="20cm" svg:height="3cm"><draw:text-box>'
    "<text:p>The source</text:p></draw:text-box></draw:frame></draw:page></office:presentation>",
}
_FLAT = {"text": "fodt", "spreadsheet": "fods", "presentation": "fodp"}


def _written(kind: str, folder: Path) -> Path:
    """A document in flat XML, with metadata, for LibreOffice to make others of."""
    path = folder / f"river.{_FLAT[kind]}"
    path.write_text(
        f"""<?xml version="1.0" encoding="UTF-8"?>
<office:document {_SPACES} office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.{kind}">
<office:meta><dc:title>The course of a river</dc:title>
<dc:subject>Rivers of Europe</dc:subject><dc:description>From spring to sea</dc:description>
<meta:initial-creator>Ada Lovelace</meta:initial-creator><dc:creator>Ada Lovelace</dc:creator>
<meta:keyword>water</meta:keyword><meta:keyword>land</meta:keyword><dc:language>en-GB</dc:language>
<meta:user-defined meta:name="License" meta:value-type="string">CC BY-SA 4.0</meta:user-defined></office:meta>
<office:styles><style:default-style style:family="paragraph"><style:text-properties fo:language="en"
 fo:country="GB"/></style:default-style></office:styles>
<office:automatic-styles><style:page-layout style:name="P"/></office:automatic-styles>
<office:master-styles><style:master-page style:name="M" style:page-layout-name="P"/></office:master-styles>
<office:body>{_BODIES[kind]}</office:body></office:document>""",
        "utf-8",
    )
    return path


@pytest.mark.parametrize(
    ("kind", "to", "outline", "words"),
    [
        ("text", "odt", ["The source", "A spring"], "Clear and cold water."),
        ("text", "docx", ["The source", "A spring"], "Clear and cold water."),
        ("spreadsheet", "ods", ["Lengths", "Depths"], "Danube"),
        ("spreadsheet", "xlsx", ["Lengths", "Depths"], "Danube"),
        ("presentation", "odp", ["One"], "The source"),
        ("presentation", "pptx", ["The source"], "The source"),
    ],
)
def test_documents_of_libreoffice(kind: str, to: str, outline: list[str], words: str, tmp_path: Path) -> None:
    program("soffice")("--headless", "--convert-to", to, _written(kind, tmp_path), folder=tmp_path)
    found = described(tmp_path / f"river.{to}")
    assert found["format"] == to
    assert found["title"] == "The course of a river"
    assert found["description"] == "From spring to sea"
    assert names(found) == ["Ada Lovelace"]
    # LibreOffice writes the keywords of Office's formats without anything between them.
    keywords = ["water", "land"] if to.startswith("od") else ["water land"]
    assert set(found["keywords"]) == {"Rivers of Europe", *keywords}
    assert licences(found) == ["CC BY-SA 4.0"]
    assert found["language"] == "en-GB"
    assert headings(found["outline"]) == outline
    assert words in found["text"]


def test_a_pdf_of_libreoffice(tmp_path: Path) -> None:
    filters = 'pdf:writer_pdf_Export:{"ExportBookmarks":{"type":"boolean","value":"true"}}'
    program("soffice")("--headless", "--convert-to", filters, _written("text", tmp_path), folder=tmp_path)
    found = described(tmp_path / "river.pdf")
    assert found["format"] == "pdf"
    assert found["title"] == "The course of a river"
    assert found["description"] == "Rivers of Europe"  # all that LibreOffice writes into a PDF
    assert names(found) == ["Ada Lovelace"]
    assert found["keywords"] == ["water", "land"]
    assert found["facts"]["pages"] == 1
    assert headings(found["outline"]) == ["The source", "A spring"]
    assert "Clear and cold water." in found["text"]
    assert found["language"] == "en-GB"


def test_a_locked_pdf(tmp_path: Path) -> None:
    program("soffice")("--headless", "--convert-to", "pdf", _written("text", tmp_path), folder=tmp_path)
    program("qpdf")("--encrypt", "a", "b", "256", "--", "river.pdf", "locked.pdf", folder=tmp_path)
    from tests.inspection.support import inspect_path

    found = inspect_path(tmp_path / "locked.pdf")
    assert [warning.code for warning in found.warnings] == ["locked"]


def test_slides_of_pandoc_and_libreoffice(tmp_path: Path) -> None:
    convert = program("soffice")
    (tmp_path / "river.md").write_text(_MARKDOWN, "utf-8")
    program("pandoc")("river.md", "--slide-level=2", "--output", "river.pptx", folder=tmp_path)
    convert("--headless", "--convert-to", "odp", "river.pptx", folder=tmp_path)
    for name in ("river.pptx", "river.odp"):
        found = described(tmp_path / name)
        assert found["title"] == "The course of a river"
        assert headings(found["outline"]) == ["The course of a river", "The source", "A spring"], name
        assert found["facts"]["slides"] == 3


_MARKDOWN = """---
title: The course of a river
author: [Ada Lovelace, Bob]
description: From spring to sea
subject: water
lang: en-GB
rights: CC BY-SA 4.0
---

# The source

## A spring

Clear and cold water.
"""


@pytest.mark.parametrize(
    ("to", "format_"), [("epub2", "epub"), ("epub3", "epub"), ("docx", "docx"), ("odt", "odt")]
)
def test_documents_of_pandoc(to: str, format_: str, tmp_path: Path) -> None:
    (tmp_path / "river.md").write_text(_MARKDOWN, "utf-8")
    program("pandoc")("river.md", "--to", to, "--output", f"river.{format_}", folder=tmp_path)
    found = described(tmp_path / f"river.{format_}")
    assert found["format"] == format_
    assert found["title"] == "The course of a river"
    assert names(found) == ["Ada Lovelace", "Bob"]
    assert {"The source", "A spring"} <= set(headings(found["outline"]))
    assert "Clear and cold water." in found["text"]
    if format_ == "epub":
        assert found["description"] == "From spring to sea"
        assert licences(found) == ["CC BY-SA 4.0"]
        assert found["language"] == "en-GB"
        assert found["format_version"] == ("2.0" if to == "epub2" else "3.0")


def test_a_book_that_calibre_described(tmp_path: Path) -> None:
    tell = program("ebook-meta")
    (tmp_path / "river.md").write_text(_MARKDOWN, "utf-8")
    program("pandoc")("river.md", "--to", "epub3", "--output", "river.epub", folder=tmp_path)
    tell(
        "river.epub",
        "--title=Another title",
        "--authors=Grace Hopper & Eve",
        "--comments=<p>All <b>about</b> it</p>",
        "--tags=sea,wind",
        "--language=de",
        folder=tmp_path,
    )
    found = described(tmp_path / "river.epub")
    assert found["title"] == "Another title"
    assert names(found)[:2] == ["Grace Hopper", "Eve"]
    assert found["description"] == "All about it"
    assert {"sea", "wind"} <= set(found["keywords"])
    assert found["language"] == "de"


def test_a_website_of_pandoc(tmp_path: Path) -> None:
    pack = program("zip")
    (tmp_path / "river.md").write_text(_MARKDOWN, "utf-8")
    program("pandoc")("river.md", "--standalone", "--output", "index.html", folder=tmp_path)
    pack("site.zip", "index.html", folder=tmp_path)
    found = described(tmp_path / "site.zip")
    assert found["format"] == "website"
    assert found["title"] == "The course of a river"
    assert names(found) == ["Ada Lovelace", "Bob"]
    assert found["language"] == "en-GB"
    assert "Clear and cold water." in found["text"]
