"""Sound files of every format that a parser reads, made in code: small, and with known metadata.

Each member of ``SAMPLES`` is a file and what an inspection of it must say.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support import media


def packed(members: Mapping[str, bytes | str], *, first: str = "") -> bytes:
    """A zip; the member ``first`` stands uncompressed at its beginning, as EPUB and OpenDocument want it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            method = zipfile.ZIP_STORED if name == first else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), data, method)
    return file.getvalue()


@dataclass(frozen=True)
class Sample:
    """``said`` are fields of the inspection as JSON; ``finds`` are words of its text for search."""

    make: Callable[[], bytes]
    parser: str
    said: Mapping[str, Any]
    finds: tuple[str, ...] = ()
    headings: tuple[str, ...] = field(default=())
    """Titles of the outline, all levels one after the other."""


_PROSE = (
    "Die Pflanzen nehmen Wasser mit den Wurzeln auf und geben es über die Blätter wieder an die Luft ab. "
    "Ohne Licht können sie nicht wachsen."
)


# H5P


def h5p(
    *,
    manifest: Mapping[str, Any] | None = None,
    content: Any = None,
    members: Mapping[str, bytes | str] | None = None,
) -> bytes:
    """A set of two questions with a picture; ``manifest`` is laid over its h5p.json."""
    said: dict[str, Any] = {
        "title": "Leaves &amp; roots",
        "mainLibrary": "H5P.QuestionSet",
        "language": "und",
        "defaultLanguage": "en",
        "license": "CC BY-SA",
        "licenseVersion": "4.0",
        "authors": [{"name": "Ada Lovelace", "role": "Author"}, {"name": "Bob", "role": "Editor"}],
        "preloadedDependencies": [
            {"machineName": "H5P.MultiChoice", "majorVersion": "1", "minorVersion": 16},
            {"machineName": "H5P.QuestionSet", "majorVersion": 1, "minorVersion": 20},
        ],
        **(manifest or {}),
    }
    shown = {
        "file": {
            "path": "images/leaf.png",
            "mime": "image/png",
            "copyright": {"license": "U"},
        }
    }
    questions = {
        "introPage": {"introduction": "<p>About <em>chlorophyll</em></p>"},
        "texts": {"prevButton": "Previous question"},
        "questions": [
            {
                "library": "H5P.MultiChoice 1.16",
                "params": {"question": "<p>What is green?</p>", "UI": {"checkAnswerButton": "Check"}},
                "metadata": {"title": "Colours", "license": "U"},
            },
            {
                "library": "H5P.Image 1.1",
                "params": shown,
                "metadata": {
                    "title": "A leaf",
                    "license": "CC BY-NC",
                    "licenseVersion": "3.0",
                    "authors": [{"name": "Eve", "role": "Author"}],
                    "source": "https://pictures.example/leaf",
                },
            },
        ],
        "background": {
            "path": "images/sky.png",
            "mime": "image/png",
            "copyright": {"license": "PD", "author": "Nobody", "title": "Sky"},
        },
    }
    semantics = [{"name": "texts", "type": "group", "common": True}, {"name": "questions", "type": "list"}]
    return packed(
        {
            "h5p.json": json.dumps(said),
            "content/content.json": json.dumps(questions if content is None else content),
            "H5P.QuestionSet-1.20/semantics.json": json.dumps(semantics),
            **(members or {}),
        }
    )


# What has imsmanifest.xml


def ims(manifest: str, members: Mapping[str, bytes | str] | None = None) -> bytes:
    """A content package with that manifest."""
    return packed(
        {"imsmanifest.xml": f'<?xml version="1.0" encoding="UTF-8"?>\n{manifest}', **(members or {})}
    )


def _lom(prefix: str, string: str) -> str:
    """The same metadata in a binding of LOM: its prefix, and what an element with a language is called."""
    p = f"{prefix}:" if prefix else ""
    return f"""<{p}lom>
      <{p}general>
        <{p}title><{p}{string}>Water for all</{p}{string}></{p}title>
        <{p}language>en-GB</{p}language>
        <{p}description><{p}{string}>How water gets to us.</{p}{string}></{p}description>
        <{p}keyword><{p}{string}>water</{p}{string}></{p}keyword>
      </{p}general>
      <{p}lifecycle><{p}contribute>
        <{p}role><{p}source>LOMv1.0</{p}source><{p}value>author</{p}value></{p}role>
        <{p}entity>BEGIN:VCARD
FN:Ada Lovelace
N:Lovelace;Ada
END:VCARD</{p}entity>
      </{p}contribute></{p}lifecycle>
      <{p}rights>
        <{p}copyrightandotherrestrictions><{p}value>yes</{p}value></{p}copyrightandotherrestrictions>
        <{p}description><{p}{string}>Creative Commons Attribution 4.0</{p}{string}></{p}description>
      </{p}rights>
    </{p}lom>"""


_LOM_SAID: Mapping[str, Any] = {
    "title": "Water for all",
    "description": "How water gets to us.",
    "language": "en-GB",
    "language_detected": False,
    "keywords": ["water"],
    "authors": [{"name": "Ada Lovelace", "role": ""}],
    "licences": [{"scheme": "text", "text": "Creative Commons Attribution 4.0", "version": "", "extras": ""}],
}

_TREE = """<organizations default="O"><organization identifier="O"><title>The whole</title>
      <item identifier="I1"><title>Rivers</title>
        <item identifier="I2" identifierref="R1"><title>Springs</title></item>
      </item>
      <item identifier="I3" identifierref="R2"><title>Wells</title></item>
    </organization></organizations>"""
_PAGES = {
    "springs.html": "<html><head><title>S</title></head><body><p>Where a brook begins</p></body></html>",
    "wells.html": "<html><body>Digging deep</body></html>",
}


def scorm12() -> bytes:
    """SCORM 1.2."""
    return ims(
        f"""<manifest xmlns="http://www.imsproject.org/xsd/imscp_rootv1p1p2"
    xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2">
    <metadata><schema>ADL SCORM</schema><schemaversion>1.2</schemaversion>{_lom("", "langstring")}</metadata>
    {_TREE}
    <resources>
      <resource identifier="R1" type="webcontent" adlcp:scormtype="sco" href="springs.html?x=1"/>
      <resource identifier="R2" type="webcontent" adlcp:scormtype="asset" href="wells.html"/>
    </resources></manifest>""",
        _PAGES,
    )


def scorm2004() -> bytes:
    """SCORM 2004, whose manifest does not name itself in its metadata."""
    return ims(
        f"""<manifest xmlns="http://www.imsglobal.org/xsd/imscp_v1p1"
    xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_v1p3">
    <metadata>{_lom("lom", "string")}</metadata>{_TREE}
    <resources><resource identifier="R1" type="webcontent" adlcp:scormType="sco" href="springs.html"/>
    </resources></manifest>""",
        _PAGES,
    )


def imscp() -> bytes:
    """A content package of no narrower kind."""
    return ims(
        f"""<manifest xmlns="http://www.imsglobal.org/xsd/imscp_v1p1">
    <metadata><schema>IMS Content</schema><schemaversion>1.1.4</schemaversion>{_lom("imsmd", "langstring")}
    </metadata>{_TREE}
    <resources><resource identifier="R1" type="webcontent" href="springs.html">
      <file href="springs.html"/><file href="wells.html"/></resource></resources></manifest>""",
        _PAGES,
    )


def imscc(version: str = "1.3.0") -> bytes:
    """A cartridge with a page, a link, a discussion and a quiz."""
    number = version[2]
    return ims(
        f"""<manifest xmlns="http://www.imsglobal.org/xsd/imsccv1p{number}/imscp_v1p1">
    <metadata><schema>IMS Common Cartridge</schema><schemaversion>{version}</schemaversion>
    {_lom("lomimscc", "string")}</metadata>
    <organizations><organization identifier="O" structure="rooted-hierarchy"><item identifier="root">
      <item identifier="I1"><title>Rivers</title>
        <item identifier="I2" identifierref="R1"><title>Springs</title></item>
        <item identifier="I3" identifierref="R2"><title>Atlas</title></item>
        <item identifier="I4" identifierref="R3"><title>Talk</title></item>
        <item identifier="I5" identifierref="R4"><title>Test</title></item>
      </item></item></organization></organizations>
    <resources>
      <resource identifier="R1" type="webcontent" href="springs.html"><file href="springs.html"/></resource>
      <resource identifier="R2" type="imswl_xmlv1p{number}"><file href="link.xml"/></resource>
      <resource identifier="R3" type="imsdt_xmlv1p{number}"><file href="talk.xml"/></resource>
      <resource identifier="R4" type="imsqti_xmlv1p2/imscc_xmlv1p{number}/assessment">
        <file href="test.xml"/></resource>
    </resources></manifest>""",
        {
            **_PAGES,
            "link.xml": "<webLink><title>Atlas</title><url href='https://maps.example/'/></webLink>",
            "talk.xml": "<topic><title>Talk</title><text texttype='text/html'>&lt;p&gt;Say hi&lt;/p&gt;"
            "</text></topic>",
            "test.xml": "<questestinterop><assessment><section><item><presentation><material>"
            "<mattext>How deep is a well?</mattext></material></presentation></item></section></assessment>"
            "</questestinterop>",
        },
    )


def qti() -> bytes:
    """A test of two items."""
    item = (
        '<assessmentItem xmlns="http://www.imsglobal.org/xsd/imsqti_v2p1" title="{}" xml:lang="en">'
        "<itemBody><p>{} <em>river</em>?</p></itemBody></assessmentItem>"
    )
    return ims(
        """<manifest xmlns="http://www.imsglobal.org/xsd/imscp_v1p1">
    <metadata><schema>QTIv2.1 Package</schema><schemaversion>1.0.0</schemaversion></metadata>
    <organizations/><resources>
      <resource identifier="I1" type="imsqti_item_xmlv2p1" href="one.xml"/>
      <resource identifier="I2" type="imsqti_item_xmlv2p1" href="two.xml"/>
      <resource identifier="T" type="imsqti_test_xmlv2p1" href="test.xml"/>
    </resources></manifest>""",
        {
            "one.xml": item.format("Length", "How long is a"),
            "two.xml": item.format("Source", "Where begins a"),
            "test.xml": '<assessmentTest title="Rivers"><testPart><assessmentSection title="First"/>'
            "</testPart></assessmentTest>",
        },
    )


# Books and documents


def epub(version: str = "3.0") -> bytes:
    """A book of two chapters; its contents are a navigation document, in EPUB 2 an NCX."""
    is_old = version.startswith("2")
    role = 'opf:role="aut"' if is_old else ""
    meta = (
        ""
        if is_old
        else '<meta refines="#a" property="role">aut</meta><meta refines="#b" property="role">ill</meta>'
    )
    contents = (
        '<item id="toc" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
        if is_old
        else '<item id="toc" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    )
    return packed(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
            '<rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/>'
            "</rootfiles></container>",
            "OEBPS/book.opf": f"""<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf"
    version="{version}"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:opf="http://www.idpf.org/2007/opf">
    <dc:title>The book of water</dc:title><dc:language>fr</dc:language>
    <dc:creator id="a" {role}>Ada Lovelace</dc:creator>
    <dc:contributor id="b"{' opf:role="ill"' if is_old else ""}>Eve</dc:contributor>
    <dc:description>&lt;p&gt;All about it&lt;/p&gt;</dc:description><dc:subject>water</dc:subject>
    <dc:rights>https://creativecommons.org/licenses/by/4.0/</dc:rights>{meta}</metadata>
    <manifest>{contents}
      <item id="c1" href="text/one%20.xhtml" media-type="application/xhtml+xml"/>
      <item id="c2" href="text/two.xhtml" media-type="application/xhtml+xml"/></manifest>
    <spine><itemref idref="c1"/><itemref idref="c2"/></spine></package>""",
            "OEBPS/nav.xhtml": """<!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"
    xmlns:epub="http://www.idpf.org/2007/ops"><body><nav epub:type="landmarks"><ol><li><a href="x">no</a></li>
    </ol></nav><nav epub:type="toc"><ol><li><a href="text/one%20.xhtml">First <i>drops</i></a><ol><li>
    <a href="text/one%20.xhtml#r">Rain</a></li></ol></li><li><a href="text/two.xhtml">Floods</a></li></ol>
    </nav></body></html>""",
            "OEBPS/toc.ncx": """<?xml version="1.0"?><!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN"
    "http://www.daisy.org/z3986/2005/ncx-2005-1.dtd"><ncx><navMap>
    <navPoint><navLabel><text>First drops</text></navLabel>
      <navPoint><navLabel><text>Rain</text></navLabel></navPoint></navPoint>
    <navPoint><navLabel><text>Floods</text></navLabel></navPoint></navMap></ncx>""",
            "OEBPS/text/one .xhtml": "<html><body><h1>First drops</h1><p>It begins to drizzle</p></body>"
            "</html>",
            "OEBPS/text/two.xhtml": "<html><body><p>The dam broke</p></body></html>",
        },
        first="mimetype",
    )


_WORD = "application/vnd.openxmlformats-officedocument"
_RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def _open_xml(main: str, kind: str, members: Mapping[str, bytes | str]) -> bytes:
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    return packed(
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            f'<Override PartName="/{main}" ContentType="{_WORD}.{kind}.main+xml"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{package}">'
            f'<Relationship Id="1" Type="{_RELS}/officeDocument" Target="{main}"/>'
            f'<Relationship Id="2" Type="{package}/metadata/core-properties" Target="docProps/core.xml"/>'
            f'<Relationship Id="3" Type="{_RELS}/extended-properties" Target="docProps/app.xml"/>'
            f'<Relationship Id="4" Type="{_RELS}/custom-properties" Target="docProps/custom.xml"/>'
            "</Relationships>",
            "docProps/core.xml": "<cp:coreProperties xmlns:cp='c' xmlns:dc='d'><dc:title>Rivers</dc:title>"
            "<dc:creator>Ada Lovelace; Bob</dc:creator><dc:description>Where they go</dc:description>"
            "<cp:keywords>water, land</cp:keywords><dc:language>en-US</dc:language></cp:coreProperties>",
            "docProps/app.xml": "<Properties><Pages>3</Pages><Words>120</Words></Properties>",
            "docProps/custom.xml": "<Properties><property name='Licence'><vt:lpwstr xmlns:vt='v'>CC BY 4.0"
            "</vt:lpwstr></property></Properties>",
            **members,
        }
    )


def docx() -> bytes:
    """Two headings, of which one is of a style with a name of its own, and a paragraph."""

    def paragraph(style: str, *words: str) -> str:
        runs = "".join(f"<w:r><w:t>{word}</w:t></w:r>" for word in words)
        return f"<w:p><w:pPr><w:pStyle w:val='{style}'/></w:pPr>{runs}</w:p>"

    return _open_xml(
        "word/document.xml",
        "wordprocessingml.document",
        {
            "word/_rels/document.xml.rels": "<Relationships>"
            f"<Relationship Id='s' Type='{_RELS}/styles' Target='styles.xml'/></Relationships>",
            "word/styles.xml": "<w:styles xmlns:w='w'><w:style w:styleId='berschrift1'>"
            "<w:name w:val='heading 1'/></w:style>"
            "<w:style w:styleId='Own'><w:name w:val='Own'/><w:pPr><w:outlineLvl w:val='1'/></w:pPr>"
            "</w:style></w:styles>",
            "word/document.xml": "<w:document xmlns:w='w'><w:body>"
            + paragraph("berschrift1", "The ", "source")
            + paragraph("Own", "A spring")
            + paragraph("Normal", "Clear ", "and cold")
            + "</w:body></w:document>",
        },
    )


def pptx() -> bytes:
    """Two slides, shown in another order than that of their files."""

    def slide(title: str, text: str) -> str:
        return (
            "<p:sld xmlns:p='p' xmlns:a='a'><p:cSld><p:spTree>"
            "<p:sp><p:nvSpPr><p:nvPr><p:ph type='title'/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r>"
            f"<a:t>{title}</a:t></a:r></a:p></p:txBody></p:sp>"
            f"<p:sp><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
            "</p:spTree></p:cSld></p:sld>"
        )

    return _open_xml(
        "ppt/presentation.xml",
        "presentationml.presentation",
        {
            "ppt/presentation.xml": "<p:presentation xmlns:p='p' xmlns:r='r'><p:sldIdLst><p:sldId r:id='b'/>"
            "<p:sldId r:id='a'/></p:sldIdLst></p:presentation>",
            "ppt/_rels/presentation.xml.rels": "<Relationships>"
            f"<Relationship Id='a' Type='{_RELS}/slide' Target='slides/slide1.xml'/>"
            f"<Relationship Id='b' Type='{_RELS}/slide' Target='/ppt/slides/slide2.xml'/></Relationships>",
            "ppt/slides/slide1.xml": slide("Mouth", "into the sea"),
            "ppt/slides/slide2.xml": slide("Source", "from the rock"),
        },
    )


def xlsx() -> bytes:
    """Two sheets."""
    return _open_xml(
        "xl/workbook.xml",
        "spreadsheetml.sheet",
        {
            "xl/workbook.xml": "<workbook><sheets><sheet name='Lengths'/><sheet name='Depths'/></sheets>"
            "</workbook>",
            "xl/_rels/workbook.xml.rels": "<Relationships>"
            f"<Relationship Id='a' Type='{_RELS}/sharedStrings' Target='sharedStrings.xml'/></Relationships>",
            "xl/sharedStrings.xml": "<sst><si><t>Danube</t></si><si><r><t>Rhi</t></r><r><t>ne</t></r></si>"
            "</sst>",
        },
    )


def odt() -> bytes:
    """Two headings and a paragraph with a span."""
    return _open_document(
        "text",
        "<office:text><text:h text:outline-level='1'>The <text:span>source</text:span></text:h>"
        "<text:h text:outline-level='2'>A spring</text:h><text:p>Clear<text:s/>and cold</text:p>"
        "</office:text>",
    )


def odp() -> bytes:
    """A slide with a title, one without."""
    return _open_document(
        "presentation",
        "<office:presentation><draw:page draw:name='page1'><draw:frame presentation:class='title'>"
        "<draw:text-box><text:p>Source</text:p></draw:text-box></draw:frame></draw:page>"
        "<draw:page draw:name='page2'><draw:frame><draw:text-box><text:p>from the rock</text:p>"
        "</draw:text-box></draw:frame></draw:page></office:presentation>",
    )


def ods() -> bytes:
    """Two sheets."""
    return _open_document(
        "spreadsheet",
        "<office:spreadsheet><table:table table:name='Lengths'><table:table-row><table:table-cell>"
        "<text:p>Danube</text:p></table:table-cell></table:table-row></table:table>"
        "<table:table table:name='Depths'/></office:spreadsheet>",
    )


def _open_document(kind: str, body: str) -> bytes:
    spaces = " ".join(
        f"xmlns:{prefix}='{prefix}'"
        for prefix in ("office", "text", "draw", "table", "presentation", "meta", "dc", "style", "fo")
    )
    return packed(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "meta.xml": f"<office:document-meta {spaces} office:version='1.3'><office:meta>"
            "<dc:title>Rivers</dc:title><dc:description>Where they go</dc:description>"
            "<meta:initial-creator>Ada Lovelace</meta:initial-creator><dc:creator>Bob</dc:creator>"
            "<meta:keyword>water</meta:keyword><dc:language>en-GB</dc:language>"
            "<meta:user-defined meta:name='License'>CC BY-SA 4.0</meta:user-defined>"
            "<meta:document-statistic meta:page-count='3' meta:word-count='120'/></office:meta>"
            "</office:document-meta>",
            "content.xml": f"<office:document-content {spaces}><office:body>{body}</office:body>"
            "</office:document-content>",
        },
        first="mimetype",
    )


def website() -> bytes:
    """An index and another page, within a folder."""
    return packed(
        {
            "site/index.html": "<!DOCTYPE html><html lang='es'><head><meta charset='utf-8'>"
            "<title>Ríos</title>"
            "<meta name='description' content='Sobre ríos'><meta name='author' content='Ada Lovelace'>"
            "<link rel='license' href='https://creativecommons.org/licenses/by-sa/4.0/'></head>"
            "<body><p>El agua corre</p></body></html>",
            "site/more/two.htm": "<p>hasta el mar</p>",
            "__MACOSX/site/._index.html": "x",
        }
    )


# Texts


def moodle_xml() -> bytes:
    """Two questions in a category."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- question: 0 -->
<quiz>
  <question type="category"><category><text>$course$/top/Botany/Leaves</text></category></question>
  <question type="multichoice"><name><text>Colour</text></name>
    <questiontext format="html"><text><![CDATA[<p>{_PROSE}</p>]]></text></questiontext>
    <answer fraction="100"><text>grün</text></answer></question>
  <question type="essay"><name><text>Growth</text></name><questiontext><text>Why?</text></questiontext>
  </question>
</quiz>""".encode()


def gift() -> bytes:
    """Questions of several types, one of which has no title."""
    return rb"""// Made by hand
$CATEGORY: $course$/Rivers

::Longest:: Which river is the longest? {
  =Nile#yes
  ~Rhine
}

Two plus two \= {#4}

::Sea\: salty:: The sea is salty. {T}

::Pairs:: Match. { =Danube -> Black Sea =Rhine -> North Sea }

Write about rivers. {}
"""


SRT = (
    "1\r\n00:00:01,000 --> 00:00:03,500\r\n<i>Die Quelle</i> liegt hoch oben\r\n\r\n"
    "2\r\n00:01:00,000 --> 00:01:04,250\r\nund das Wasser fließt ins Tal hinab bis zum Meer\r\n"
).encode()
VTT = (
    b"WEBVTT\nLanguage: en\n\n00:01.000 --> 00:03.500\nThe source\n\n"
    b"00:01:00.000 --> 00:01:04.250\n<v Ada>and the sea\n"
)
ASS = b"""[Script Info]
Title: The river
Original Script: Ada Lovelace
ScriptType: v4.00+

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:03.50,Default,,0,0,0,,The {\\i1}source{\\i0}
Comment: 0,0:09:01.00,0:09:03.50,Default,,0,0,0,,not said
"""
MARKDOWN = b"""---
title: The course of a river
author: Ada Lovelace
lang: en
license: CC-BY-4.0
keywords: [water, land]
---

# From the *source*

Some text about [springs](https://example.org/).

## Down to the sea

- waves
"""

_AUTHORS = [{"name": "Ada Lovelace", "role": ""}]


def _licence(text: str) -> list[dict[str, str]]:
    return [{"scheme": "text", "text": text, "version": "", "extras": ""}]


_OFFICE: Mapping[str, Any] = {
    "title": "Rivers",
    "description": "Where they go",
    "language_detected": False,
}
_TREE_HEADINGS = ("Rivers", "Springs", "Wells")
_CC_HEADINGS = ("Rivers", "Springs", "Atlas", "Talk", "Test")


SAMPLES: Mapping[str, Sample] = {
    "h5p": Sample(
        h5p,
        "h5p",
        {
            "format": "h5p",
            "format_version": "1.20",
            "title": "Leaves & roots",
            "language": "en",
            "authors": [*_AUTHORS, {"name": "Bob", "role": "Editor"}],
            "licences": [{"scheme": "h5p", "text": "CC BY-SA", "version": "4.0", "extras": ""}],
            "libraries": [
                {"name": "H5P.QuestionSet", "version": "1.20"},
                {"name": "H5P.MultiChoice", "version": "1.16"},
            ],
            "media": [
                {
                    "place": "content/images/leaf.png",
                    "title": "A leaf",
                    "authors": [{"name": "Eve", "role": ""}],
                    "licence": {"scheme": "h5p", "text": "CC BY-NC", "version": "3.0", "extras": ""},
                    "source": "https://pictures.example/leaf",
                },
                {
                    "place": "content/images/sky.png",
                    "title": "Sky",
                    "authors": [{"name": "Nobody", "role": ""}],
                    "licence": {"scheme": "h5p", "text": "PD", "version": "", "extras": ""},
                    "source": "",
                },
            ],
        },
        ("chlorophyll", "What is green?"),
        ("Colours", "A leaf"),
    ),
    "SCORM 1.2": Sample(
        scorm12,
        "scorm",
        {**_LOM_SAID, "format": "scorm", "format_version": "1.2", "facts": {"scos": 1, "resources": 2}},
        ("Where a brook begins", "Digging deep"),
        _TREE_HEADINGS,
    ),
    "SCORM 2004": Sample(
        scorm2004,
        "scorm",
        {**_LOM_SAID, "format": "scorm", "format_version": "2004"},
        ("Where a brook begins",),
        _TREE_HEADINGS,
    ),
    "content package": Sample(
        imscp,
        "imscp",
        {**_LOM_SAID, "format": "imscp", "format_version": "1.1.4"},
        ("Where a brook begins", "Digging deep"),
        _TREE_HEADINGS,
    ),
    **{
        f"Common Cartridge {version}": Sample(
            lambda version=version: imscc(version),  # type: ignore[misc]
            "imscc",
            {
                **_LOM_SAID,
                "format": "imscc",
                "format_version": version[:3],
                "media_type": f"application/vnd.ims.imsccv1p{version[2]}",
                "facts": {"discussions": 1, "links": 1, "pages": 1, "questions": 1, "quizzes": 1},
            },
            ("Where a brook begins", "Say hi", "How deep is a well?"),
            _CC_HEADINGS,
        )
        for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0")
    },
    "QTI": Sample(
        qti,
        "qti",
        {
            "format": "qti",
            "format_version": "2.1",
            "title": "Rivers",
            "language": "en",
            "facts": {"questions": 2, "tests": 1},
        },
        ("How long is a river", "First"),
        ("Rivers", "Length", "Source"),
    ),
    **{
        f"EPUB {version}": Sample(
            lambda version=version: epub(version),  # type: ignore[misc]
            "epub",
            {
                "format": "epub",
                "format_version": version,
                "media_type": "application/epub+zip",
                "title": "The book of water",
                "description": "All about it",
                "language": "fr",
                "keywords": ["water"],
                "authors": [*_AUTHORS, {"name": "Eve", "role": "ill"}],
                "licences": _licence("https://creativecommons.org/licenses/by/4.0/"),
                "facts": {"chapters": 2},
            },
            ("It begins to drizzle", "The dam broke"),
            ("First drops", "Rain", "Floods"),
        )
        for version in ("2.0", "3.0")
    },
    **{
        format_: Sample(
            make,
            "ooxml",
            {
                **_OFFICE,
                "format": format_,
                "media_type": f"{_WORD}.{kind}",
                "language": "en-US",
                "keywords": ["water", "land"],
                "authors": [*_AUTHORS, {"name": "Bob", "role": ""}],
                "licences": _licence("CC BY 4.0"),
                "facts": {"pages": 3, "words": 120, **facts},
            },
            finds,
            headings,
        )
        for format_, make, kind, facts, finds, headings in (
            ("docx", docx, "wordprocessingml.document", {}, ("Clear and cold",), ("The source", "A spring")),
            (
                "pptx",
                pptx,
                "presentationml.presentation",
                {"slides": 2},
                ("into the sea", "from the rock"),
                ("Source", "Mouth"),
            ),
            ("xlsx", xlsx, "spreadsheetml.sheet", {"sheets": 2}, ("Danube", "Rhine"), ("Lengths", "Depths")),
        )
    },
    **{
        format_: Sample(
            make,
            "odf",
            {
                **_OFFICE,
                "format": format_,
                "format_version": "1.3",
                "media_type": f"application/vnd.oasis.opendocument.{kind}",
                "language": "en-GB",
                "keywords": ["water"],
                "authors": _AUTHORS,
                "licences": _licence("CC BY-SA 4.0"),
                "facts": {"pages": 3, "words": 120, **facts},
            },
            finds,
            headings,
        )
        for format_, make, kind, facts, finds, headings in (
            ("odt", odt, "text", {}, ("Clear and cold",), ("The source", "A spring")),
            ("odp", odp, "presentation", {"slides": 2}, ("from the rock",), ("Source", "from the rock")),
            ("ods", ods, "spreadsheet", {"sheets": 2}, ("Danube",), ("Lengths", "Depths")),
        )
    },
    "website": Sample(
        website,
        "website",
        {
            "format": "website",
            "title": "Ríos",
            "description": "Sobre ríos",
            "language": "es",
            "authors": _AUTHORS,
            "licences": _licence("https://creativecommons.org/licenses/by-sa/4.0/"),
            "facts": {"pages": 2},
        },
        ("El agua corre", "hasta el mar"),
    ),
    "Moodle XML": Sample(
        moodle_xml,
        "moodle-xml",
        {
            "format": "moodle-xml",
            "language": "de",
            "language_detected": True,
            "facts": {"questions": 2, "questions_essay": 1, "questions_multichoice": 1, "categories": 1},
        },
        ("Pflanzen", "grün"),
        ("Leaves", "Colour", "Growth"),
    ),
    "GIFT": Sample(
        gift,
        "gift",
        {"format": "gift", "facts": {"questions": 5, "categories": 1}, "language": "en"},
        ("Which river is the longest?", "Two plus two ="),
        ("Rivers", "Longest", "Two plus two =", "Sea: salty", "Pairs", "Write about rivers."),
    ),
    "SubRip": Sample(
        lambda: SRT,
        "subtitles",
        {
            "format": "subtitles",
            "format_version": "srt",
            "media_type": "application/x-subrip",
            "language": "de",
            "language_detected": True,
            "facts": {"cues": 2, "duration": 64.25},
        },
        ("Die Quelle liegt hoch oben",),
    ),
    "WebVTT": Sample(
        lambda: VTT,
        "subtitles",
        {
            "format": "subtitles",
            "format_version": "vtt",
            "media_type": "text/vtt",
            "language": "en",
            "language_detected": False,
            "facts": {"cues": 2, "duration": 64.25},
        },
        ("and the sea",),
    ),
    "SubStation Alpha": Sample(
        lambda: ASS,
        "subtitles",
        {
            "format": "subtitles",
            "format_version": "ass",
            "title": "The river",
            "authors": _AUTHORS,
            "facts": {"cues": 1, "duration": 3.5},
        },
        ("The source",),
    ),
    "Markdown": Sample(
        lambda: MARKDOWN,
        "text",
        {
            "format": "markdown",
            "media_type": "text/markdown",
            "title": "The course of a river",
            "language": "en",
            "authors": _AUTHORS,
            "keywords": ["water", "land"],
            "licences": _licence("CC-BY-4.0"),
        },
        ("Some text about springs",),
        ("From the source", "Down to the sea"),
    ),
    **{
        f"{format_} picture": Sample(
            lambda format_=format_: media.picture(format_, xmp=media.XMP),  # type: ignore[misc]
            "picture",
            {
                "format": "image",
                "media_type": f"image/{format_.lower()}",
                "title": "The mouth of a river",
                "description": "Where it ends",
                "keywords": ["water", "sea"],
                "authors": [*_AUTHORS, {"name": "Bob", "role": ""}, {"name": "Grace Hopper", "role": ""}],
                "licences": [
                    *_licence("https://creativecommons.org/licenses/by-sa/4.0/"),
                    *_licence("CC BY 4.0"),
                ],
                "facts": {"width": 64, "height": 48},
                "cover": ".",
            },
        )
        for format_ in ("JPEG", "WEBP")
    },
    "PNG picture": Sample(
        lambda: media.picture("PNG"),
        "picture",
        {
            "format": "image",
            "media_type": "image/png",
            "title": "A river",
            "authors": [{"name": "Grace Hopper", "role": ""}],
            "licences": _licence("CC BY 4.0"),
        },
    ),
    "drawing": Sample(
        lambda: media.DRAWING,
        "svg",
        {
            "format": "image",
            "media_type": "image/svg+xml",
            "title": "A delta",
            "description": "Seen from above",
            "keywords": ["water"],
            "authors": _AUTHORS,
            "licences": _licence("https://creativecommons.org/licenses/by/4.0/"),
            "facts": {"width": 120, "height": 80},
        },
        ("Many arms",),
    ),
    "PDF": Sample(
        media.pdf,
        "pdf",
        {
            "format": "pdf",
            "format_version": "1.7",
            "media_type": "application/pdf",
            "title": "The mouth of a river",
            "description": "Where it ends",
            "language": "en-GB",
            "keywords": ["water", "sea", "rivers", "lakes"],
            "authors": [*_AUTHORS, {"name": "Bob", "role": ""}, {"name": "Grace Hopper", "role": ""}],
            "licences": _licence("https://creativecommons.org/licenses/by-sa/4.0/"),
            "facts": {"pages": 2},
            "cover": ".",
        },
        ("Page 1 of a river", "Page 2 of a river"),
        ("Source", "A spring"),
    ),
    **{
        f"{kind} recording": Sample(
            lambda kind=kind: media.recording(kind, video=kind in ("matroska", "mp4")),  # type: ignore[misc]
            "recording",
            {
                "format": "video" if kind in ("matroska", "mp4") else "audio",
                "media_type": media_type,
                "title": "The sound of a river",
                "description": "Heard at night",
                "authors": _AUTHORS,
                "licences": _licence("CC BY-SA 4.0"),
                "facts": {
                    "duration": 2.0,
                    **({"width": 64, "height": 48} if kind in ("matroska", "mp4") else {}),
                },
                "cover": "." if kind in ("matroska", "mp4") else "",
            },
        )
        for kind, media_type in (
            ("matroska", "video/x-matroska"),
            ("mp4", "video/mp4"),
            ("wav", "audio/x-wav"),
            ("flac", "audio/flac"),
            ("ogg", "audio/ogg"),
        )
    },
    "plain text": Sample(
        lambda: _PROSE.encode("cp1252"),
        "text",
        {"format": "text", "language": "de", "language_detected": True, "title": ""},
        ("über die Blätter",),
    ),
}
