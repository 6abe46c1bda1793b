"""Names for codes, in the visitor's language where there is one and else in English.

Each says which language it is in, so that screen readers pronounce it right.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from babel import Locale, UnknownLocaleError
from flask import g

from repo_service.backups.licences import Licence
from repo_service.domain.formats import FORMATS
from repo_service.domain.search import Facet
from repo_service.domain.texts import text
from repo_service.domain.vocabularies import Concept, vocabulary
from repo_service.languages import SOURCE
from repo_service.web.speaking import asked_for, say, spoken


@dataclass(frozen=True, slots=True)
class Label:
    """A text and its language (BCP 47), that of the page unless it says another."""

    text: str
    language: str = field(default_factory=lambda: spoken().tag)

    @property
    def is_foreign(self) -> bool:
        """Whether it has to be marked as being in another language than the page."""
        return self.language.partition("-")[0] != spoken().tag


MODULES = {
    "assign": text("Assignment"),
    "assignment": text("Assignment (2.2)"),
    "bigbluebuttonbn": text("BigBlueButton"),
    "book": text("Book"),
    "chat": text("Chat"),
    "choice": text("Choice"),
    "data": text("Database"),
    "feedback": text("Feedback"),
    "folder": text("Folder"),
    "forum": text("Forum"),
    "glossary": text("Glossary"),
    "h5pactivity": text("H5P"),
    "imscp": text("IMS content package"),
    "label": text("Text and media"),
    "lesson": text("Lesson"),
    "lti": text("External tool"),
    "page": text("Page"),
    "qbank": text("Question bank"),
    "quiz": text("Quiz"),
    "resource": text("File"),
    "scorm": text("SCORM package"),
    "subsection": text("Subsection"),
    "survey": text("Survey"),
    "url": text("URL"),
    "wiki": text("Wiki"),
    "workshop": text("Workshop"),
}
"""Names of Moodle's own activity modules, as its English language pack has them (``mod/*/lang/en``)."""

PURPOSES = {
    "assessment": ("assign", "assignment", "quiz", "workshop"),
    "collaboration": ("data", "forum", "glossary", "wiki"),
    "communication": ("bigbluebuttonbn", "chat", "choice", "feedback", "survey"),
    "content": ("book", "folder", "imscp", "label", "page", "resource", "url"),
    "interactive": ("h5pactivity", "lesson", "scorm"),
}
"""Roughly what each is for, as Moodle's activity chooser colours them; others are ``other``."""
_PURPOSE_OF = {module: purpose for purpose, modules in PURPOSES.items() for module in modules}

QUESTION_TYPES = {
    "calculated": text("Calculated"),
    "calculatedmulti": text("Calculated multiple choice"),
    "calculatedsimple": text("Simple calculated"),
    "ddimageortext": text("Drag and drop onto image"),
    "ddmarker": text("Drag and drop markers"),
    "ddwtos": text("Drag and drop into text"),
    "description": text("Description"),
    "essay": text("Essay"),
    "gapselect": text("Select missing words"),
    "match": text("Matching"),
    "missingtype": text("Missing type"),
    "multianswer": text("Embedded answers (Cloze)"),
    "multichoice": text("Multiple choice"),
    "numerical": text("Numerical"),
    "ordering": text("Ordering"),
    "random": text("Random"),
    "randomsamatch": text("Random short-answer matching"),
    "shortanswer": text("Short answer"),
    "truefalse": text("True/False"),
}

KINDS = {
    "course": text("Moodle course"),
    "section": text("Moodle section"),
    "activity": text("Moodle activity"),
    "file": text("File"),
}

ENTRY_KINDS = {
    "community": text("Community"),
    "collection": text("Collection"),
    "resource": text("Resource"),
    "user": text("Person"),
}
"""What other servers have."""

DIFFERENCES = {
    "category": text("category"),
    "content": text("content"),
    "files": text("files"),
    "questions": text("questions"),
    "settings": text("settings"),
    "title": text("name"),
    "visibility": text("visibility"),
}
"""In what a part of a backup can differ from the same part of another (``backups/changes.py``)."""

_FACET_VOCABULARY = {
    Facet.TYPE: "hcrt",
    Facet.SUBJECT: "isced-f-2013",
    Facet.LEVEL: "isced-2011",
}


def module_name(module: str) -> str:
    """An activity module's name; a plugin's is its own."""
    return _named(MODULES, module)


def purpose(module: str) -> str:
    """What an activity module is for, as a word for style sheets."""
    return _PURPOSE_OF.get(module, "other")


def question_type_name(kind: str) -> str:
    """A question type's name; a plugin's is its own."""
    return _named(QUESTION_TYPES, kind)


def kind_name(kind: str | None, format_code: str = "") -> str:
    """What a file is: a backup of what, or of which format."""
    return say(FORMATS[format_code]) if format_code in FORMATS else _named(KINDS, kind or "file")


def entry_kind(kind: str) -> str:
    """What something of another server is."""
    return _named(ENTRY_KINDS, kind)


def part_kind(kind: str) -> str:
    """What a part of a backup is: a module, a type of question, or the media type of a file."""
    for names in (MODULES, QUESTION_TYPES):
        if kind in names:
            return say(names[kind])
    return kind


def difference(what: str) -> str:
    """In what a part differs."""
    return _named(DIFFERENCES, what)


def facet_value(facet: Facet, value: str) -> Label:
    """The name of one value of a facet."""
    if facet is Facet.LICENCE:
        return licence_name(value)
    if facet in _FACET_VOCABULARY:
        return concept(_FACET_VOCABULARY[facet], value)
    if facet is Facet.LANGUAGE:
        return language(value)
    namers: Mapping[Facet, Callable[[str], str]] = {
        Facet.FORMAT: lambda code: kind_name(code, code),
        Facet.KIND: entry_kind,
        Facet.MODULE: module_name,
        Facet.MOODLE_RELEASE: "Moodle {}".format,
    }
    return Label(namers.get(facet, str)(value))


def concept(name: str, code: str) -> Label:
    """The name of a code of a vocabulary; an unknown code stands for itself."""
    named = _concept_name(name, code, readable())
    return Label(code) if named is None else Label(*named)


def label_of(found: Concept) -> Label:
    """The name of a concept."""
    named = _name_of(found, readable())
    return Label(found.code) if named is None else Label(*named)


def licence_name(code: str) -> Label:
    """A licence as people call it: ``CC BY 4.0``; its name in words where it has no such short form."""
    found = vocabulary("licences").get(code)
    short = None if found is None else found.in_scheme("short")
    return concept("licences", code) if short is None else Label(short)


def licence_label(found: Licence) -> Label:
    """The same for what a file says of its licence, which not everybody knows."""
    return Label(found.label) if vocabulary("licences").get(found.code) is None else licence_name(found.code)


def licence_link(code: str) -> str | None:
    """Where the text of a licence is, when it has an address."""
    found = vocabulary("licences").get(code)
    return None if found is None else found.uri


def language(tag: str) -> Label:
    """The name of a language; an unknown one stands for its tag."""
    for wanted in readable():
        name = _language_name(tag, wanted)
        if name:
            return Label(name, wanted)
    return Label(tag)


def readable() -> tuple[str, ...]:
    """Where names are looked for: in what the visitor reads, in the language of the page, in ours."""
    found: tuple[str, ...] | None = g.get("readable")
    if found is None:  # a page of results asks two hundred times
        found = g.readable = tuple(dict.fromkeys((*asked_for(), spoken().tag, SOURCE)))
    return found


def _named(names: Mapping[str, str], code: str) -> str:
    return say(names[code]) if code in names else code


@functools.lru_cache(maxsize=4096)
def _concept_name(name: str, code: str, wanted: tuple[str, ...]) -> tuple[str, str] | None:
    found = vocabulary(name).get(code)
    return None if found is None else _name_of(found, wanted)


def _name_of(found: Concept, wanted: Sequence[str]) -> tuple[str, str] | None:
    """A name and its language."""
    for tag in wanted:
        candidate = tag
        while candidate:
            if candidate in found.labels:
                return found.labels[candidate], candidate
            candidate = candidate.rpartition("-")[0]
    return None


@functools.lru_cache(maxsize=4096)
def _language_name(tag: str, wanted: str) -> str | None:
    try:
        return Locale.parse(tag, sep="-").get_display_name(Locale.parse(wanted, sep="-"))
    except (UnknownLocaleError, ValueError, TypeError):
        return None
