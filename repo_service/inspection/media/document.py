"""PDF documents. Read by PDFium and pypdf, in a process of its own."""

from __future__ import annotations

import re

from repo_service.domain.inspection import FileInspection, InspectionWarning
from repo_service.domain.texts import text
from repo_service.inspection.base import Progress, Source
from repo_service.inspection.drafting import ITSELF, Draft
from repo_service.inspection.media.asking import DocumentSaid, ask, packet_of
from repo_service.inspection.media.xmp import read_xmp
from repo_service.inspection.signatures import SignatureParser

MEDIA_TYPE = "application/pdf"

_SIGNATURE = re.compile(rb".{0,1024}?%PDF-[12]\.\d", re.DOTALL)
"""Within the first 1,024 bytes, as readers look for it (ISO 32000-1, annex H, implementation note 13)."""


class DocumentParser(SignatureParser):
    """What begins with ``%PDF-``."""

    name = "pdf"
    version = 1
    signature = _SIGNATURE

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        draft = Draft(self._limits)
        said = ask("document", source, DocumentSaid, draft)
        if said is not None and said.locked:
            draft.warnings.append(
                InspectionWarning(code="locked", message=text("The document is locked with a password."))
            )
        elif said is not None:
            read_xmp(packet_of(said.xmp), draft)
            draft.say_language(said.language)
            for field, value in said.fields:
                _tell(draft, field, value)
            for level, title in said.outline:
                draft.head(level, title, "chapter")
            draft.facts["pages"] = said.pages
            draft.add_text(said.text)
            draft.cover = ITSELF
        progress(1.0)
        return draft.inspection(
            "pdf",
            media_type=MEDIA_TYPE,
            size=source.size,
            name=name,
            version="" if said is None else said.version,
        )


def _tell(draft: Draft, field: str, value: str) -> None:
    match field:
        case "title":
            draft.name_it(value)
        case "author":
            draft.add_authors(value)
        case "description":
            draft.describe(value)
        case "keywords":
            draft.add_keywords(re.split("[;,]", value))
        case "licence":
            draft.add_licence(value)
