"""Drawings: SVG 1.1 and 2, with Dublin Core and a licence in their metadata, as Inkscape writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from repo_service.domain.errors import InvalidFile
from repo_service.domain.inspection import FileInspection, InspectionWarning
from repo_service.domain.texts import text
from repo_service.inspection.base import Progress, Source
from repo_service.inspection.drafting import Draft
from repo_service.inspection.packages.lom import dublin_core, local
from repo_service.inspection.signatures import SignatureParser
from repo_service.inspection.xml_files import read_xml, root_named

MEDIA_TYPE = "image/svg+xml"

_PIXELS = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)(?:px)?\s*")


class VectorParser(SignatureParser):
    """An XML document whose root is ``svg``."""

    name = "svg"
    version = 1
    signature = root_named("svg", prefix="svg", may_have_doctype=True)

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        draft = Draft(self._limits)
        reader = _DrawingReader(draft)
        try:
            read_xml(source, reader, self._limits, progress, may_name_dtd=True)
        except InvalidFile as error:
            # Programs write entities of their own into drawings: one that we do not read is a drawing, too.
            draft.warnings.append(InspectionWarning(code=error.reason, message=_UNREAD))
        progress(1.0)
        return draft.inspection("image", media_type=MEDIA_TYPE, size=source.size, name=name)


_UNREAD = text("The file is damaged, or of a kind that cannot be read.")


class _DrawingReader:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._tell = dublin_core(draft)

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if len(path) == 1:
            for name in ("width", "height"):
                if (found := _PIXELS.fullmatch(attributes.get(name, ""))) is not None:
                    self._draft.facts[name] = round(float(found[1]))
            self._draft.say_language(attributes.get("xml:lang", ""))
        elif path[-1] == "cc:license":
            self._draft.add_licence(attributes.get("rdf:resource", ""))

    def end(self, path: list[str], text: str) -> None:
        text = text.strip()
        if not text:
            return
        names = [local(tag) for tag in (*path[:4], *path[4:][-3:])]
        if names[-1] in ("text", "tspan", "desc"):
            self._draft.add_text(text)
        if names[1:] == ["title"]:
            self._draft.name_it(text)
        elif names[1:] == ["desc"]:
            self._draft.describe(text)
        elif "metadata" in names:
            # <dc:creator><cc:Agent><dc:title>Ada</dc:title></cc:Agent></dc:creator>, or the text at once
            within = names[-3] if names[-2:] == ["agent", "title"] else names[-1]
            listed = names[-3] if names[-2:] == ["bag", "li"] else within
            if listed in self._tell:
                self._tell[listed](text)
