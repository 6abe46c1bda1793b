"""Moodle's questions as XML: the format of question/format/xml/format.php (``writequestion``)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from repo_service.domain.errors import InvalidFile
from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import NotThisFormat, Progress, Source
from repo_service.inspection.drafting import Draft
from repo_service.inspection.signatures import SignatureParser
from repo_service.inspection.xml_files import read_xml, root_named

MEDIA_TYPE = "application/xml"

_QUESTION = ["quiz", "question"]
_PLUGIN = re.compile(r"[a-z][a-z0-9_]{0,99}")


class MoodleXmlParser(SignatureParser):
    """An XML document whose root is ``quiz``."""

    name = "moodle-xml"
    version = 1
    signature = root_named("quiz")

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        draft = Draft(self._limits)
        reader = _QuizReader(draft)
        read_xml(source, reader, self._limits, progress)
        if not reader.types:
            raise NotThisFormat
        draft.facts["questions"] = sum(reader.types.values())
        draft.facts |= {f"questions_{type_}": n for type_, n in sorted(reader.types.items())}
        draft.facts["categories"] = reader.categories
        progress(1.0)
        return draft.inspection("moodle-xml", media_type=MEDIA_TYPE, size=source.size, name=name)


class _QuizReader:
    """``question`` elements; one of the type ``category`` says where those that follow belong."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._type = ""
        self.types: Counter[str] = Counter()
        self.categories = 0
        self._level = 1

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if path == _QUESTION:
            said = attributes.get("type", "")
            self._type = said if _PLUGIN.fullmatch(said) else "unknown"
            if self._type == "category":
                self.categories += 1
            else:
                self.types[self._type] += 1
                if len(self.types) > 1000:
                    raise InvalidFile("There are too many types of questions.", reason="too-many-values")

    def end(self, path: list[str], text: str) -> None:
        match path[2:]:
            case ["category", "text"]:
                self._level = 2
                self._draft.head(1, _category(text), "category")
            case ["name", "text"]:
                self._draft.head(self._level, text, self._type)
            case ["questiontext" | "generalfeedback" | "answer", "text"]:
                self._draft.add_html(text)


def _category(path: str) -> str:
    """``$course$/top/Plants/Leaves``: the last part; a slash within a name is written twice
    (``get_category_path`` of question/format.php)."""
    parts = [part for part in re.split(r"(?<!/)/(?!/)", path.strip()) if part]
    named = [part for part in parts if part != "top" and not re.fullmatch(r"\$\w+\$", part)]
    return named[-1].replace("//", "/") if named else ""
