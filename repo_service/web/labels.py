"""Names for codes, in the visitor's language where there is one and else in English.

Each says which language it is in, so that screen readers pronounce it right.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from babel import Locale, UnknownLocaleError
from flask import request

from repo_service.domain.search import Facet
from repo_service.domain.vocabularies import Concept, vocabulary

PAGE_LANGUAGE = "en"
"""Of everything that is written in the templates."""


@dataclass(frozen=True, slots=True)
class Label:
    """A text and its language (BCP 47)."""

    text: str
    language: str = PAGE_LANGUAGE

    @property
    def is_foreign(self) -> bool:
        """Whether it has to be marked as being in another language than the page."""
        return self.language.partition("-")[0] != PAGE_LANGUAGE


MODULES = {
    "assign": "Assignment",
    "assignment": "Assignment (2.2)",
    "bigbluebuttonbn": "BigBlueButton",
    "book": "Book",
    "chat": "Chat",
    "choice": "Choice",
    "data": "Database",
    "feedback": "Feedback",
    "folder": "Folder",
    "forum": "Forum",
    "glossary": "Glossary",
    "h5pactivity": "H5P",
    "imscp": "IMS content package",
    "label": "Text and media",
    "lesson": "Lesson",
    "lti": "External tool",
    "page": "Page",
    "qbank": "Question bank",
    "quiz": "Quiz",
    "resource": "File",
    "scorm": "SCORM package",
    "subsection": "Subsection",
    "survey": "Survey",
    "url": "URL",
    "wiki": "Wiki",
    "workshop": "Workshop",
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
    "calculated": "Calculated",
    "calculatedmulti": "Calculated multiple choice",
    "calculatedsimple": "Simple calculated",
    "ddimageortext": "Drag and drop onto image",
    "ddmarker": "Drag and drop markers",
    "ddwtos": "Drag and drop into text",
    "description": "Description",
    "essay": "Essay",
    "gapselect": "Select missing words",
    "match": "Matching",
    "missingtype": "Missing type",
    "multianswer": "Embedded answers (Cloze)",
    "multichoice": "Multiple choice",
    "numerical": "Numerical",
    "ordering": "Ordering",
    "random": "Random",
    "randomsamatch": "Random short-answer matching",
    "shortanswer": "Short answer",
    "truefalse": "True/False",
}

KINDS = {
    "course": "Moodle course",
    "section": "Moodle section",
    "activity": "Moodle activity",
    "file": "File",
}

_FACET_VOCABULARY = {
    Facet.TYPE: "hcrt",
    Facet.SUBJECT: "isced-f-2013",
    Facet.LEVEL: "isced-2011",
}


def module_name(module: str) -> str:
    """An activity module's name; a plugin's is its own."""
    return MODULES.get(module, module)


def purpose(module: str) -> str:
    """What an activity module is for, as a word for style sheets."""
    return _PURPOSE_OF.get(module, "other")


def question_type_name(kind: str) -> str:
    """A question type's name; a plugin's is its own."""
    return QUESTION_TYPES.get(kind, kind)


def kind_name(kind: str | None) -> str:
    """What a file is."""
    return KINDS.get(kind or "file", kind or "")


def facet_value(facet: Facet, value: str) -> Label:
    """The name of one value of a facet."""
    if facet is Facet.LICENCE:
        return licence_name(value)
    if facet in _FACET_VOCABULARY:
        return concept(_FACET_VOCABULARY[facet], value)
    if facet is Facet.LANGUAGE:
        return language(value)
    if facet is Facet.MODULE:
        return Label(module_name(value))
    return Label(f"Moodle {value}" if facet is Facet.MOODLE_RELEASE else value)


def concept(name: str, code: str) -> Label:
    """The name of a code of a vocabulary; an unknown code stands for itself."""
    found = vocabulary(name).get(code)
    return Label(code) if found is None else label_of(found)


def label_of(found: Concept) -> Label:
    """The name of a concept."""
    for tag in (*visitor_languages(), PAGE_LANGUAGE):
        candidate = tag
        while candidate:
            if candidate in found.labels:
                return Label(found.labels[candidate], candidate)
            candidate = candidate.rpartition("-")[0]
    return Label(found.code)


def licence_name(code: str) -> Label:
    """A licence as people call it: ``CC BY 4.0``; its name in words where it has no such short form."""
    found = vocabulary("licences").get(code)
    short = None if found is None else found.in_scheme("short")
    return concept("licences", code) if short is None else Label(short)


def licence_link(code: str) -> str | None:
    """Where the text of a licence is, when it has an address."""
    found = vocabulary("licences").get(code)
    return None if found is None else found.uri


def language(tag: str) -> Label:
    """The name of a language; an unknown one stands for its tag."""
    for wanted in (*visitor_languages(), PAGE_LANGUAGE):
        name = _language_name(tag, wanted)
        if name:
            return Label(name, wanted)
    return Label(tag)


def visitor_languages() -> Sequence[str]:
    """What the visitor reads, best first (BCP 47)."""
    return [tag for tag in request.accept_languages.values() if tag != "*"][:8]


@functools.lru_cache(maxsize=4096)
def _language_name(tag: str, wanted: str) -> str | None:
    try:
        return Locale.parse(tag, sep="-").get_display_name(Locale.parse(wanted, sep="-"))
    except (UnknownLocaleError, ValueError, TypeError):
        return None
