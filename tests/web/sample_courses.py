"""Courses and other resources as teachers share them, in several languages, to look at pages with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.backups import MOODLE_52, ActivitySpec, backup


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A resource that ``owner`` releases: a backup of these ``parts``, or other ``content``."""

    name: str
    owner: str
    file_name: str
    parts: dict[str, Any]
    content: bytes | None = None
    licence: str
    language: str
    subject: str
    level: str
    types: tuple[str, ...] = ("course",)
    author: str
    keywords: tuple[str, ...]
    title: str | None = None

    @property
    def metadata(self) -> dict[str, Any]:
        """What its owner says of it."""
        return {
            **({} if self.title is None else {"title": self.title}),
            "licence": self.licence,
            "languages": [self.language],
            "subjects": [self.subject],
            "levels": [self.level],
            "types": self.types,
            "authors": [{"name": self.author}],
            "keywords": self.keywords,
            "release": True,
        }

    def write(self, folder: Path) -> Path:
        """Put its file into ``folder``."""
        path = folder / self.file_name
        if self.content is None:
            return backup(path, **self.parts)
        path.write_bytes(self.content)
        return path


_PDF: Final = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n" * 900
WATER: Final[dict[str, Any]] = {
    "fullname": "Environmental science: water and life",
    "shortname": "ENV-WATER",
    "summary": "<p>From the water cycle to a healthy river: six weeks with experiments, discussions and a "
    "field trip.</p><p>Made for classes of thirty, with little equipment.</p>",
    "tags": ["water", "ecology"],
    "section_titles": ["General", "The water cycle", "Rivers and lakes", "Clean water for all"],
    "questions": {"multichoice": 24, "truefalse": 10, "essay": 3},
    "blocks": ["html", "calendar_month"],
    "activities": [
        ActivitySpec(module="forum", title="Announcements", section=0),
        ActivitySpec(module="page", title="How to work with this course", section=0),
        ActivitySpec(
            module="page", title="Where rain comes from", section=1, files=[("cycle.svg", b"<svg/>" * 500)]
        ),
        ActivitySpec(module="quiz", title="What do you know about water?", section=1),
        ActivitySpec(module="assign", title="Build a rain gauge", section=1),
        ActivitySpec(
            module="book",
            title="A river from spring to sea",
            section=2,
            files=[("river.jpg", b"\xff\xd8" * 9000)],
        ),
        ActivitySpec(module="h5pactivity", title="Name the animals of a pond", section=2),
        ActivitySpec(module="glossary", title="Words about water", section=2, visible=False),
        ActivitySpec(module="hvp", title="The treatment plant (interactive video)", section=3),
        ActivitySpec(module="workshop", title="Plan a well for a village", section=3, tags=["project"]),
    ],
}
WATER_AGAIN: Final = [
    *WATER["activities"][:4],
    *WATER["activities"][5:],
    ActivitySpec(module="choice", title="Which river do we visit?", section=3),
]
_ANALYSIS: Final[dict[str, Any]] = {
    "fullname": "Analysis I: Grenzwerte und Ableitungen",
    "shortname": "ANA1",
    "summary": "<p>Folgen, Grenzwerte und die Ableitung, mit Aufgaben zur Selbstkontrolle.</p>",
    "section_titles": ["Allgemeines", "Folgen", "Grenzwerte", "Die Ableitung"],
    "questions": {"numerical": 40, "calculated": 12},
    "activities": [
        ActivitySpec(module="lesson", title="Was ist eine Folge?", section=1),
        ActivitySpec(module="quiz", title="Übung: Grenzwerte bestimmen", section=2),
        ActivitySpec(module="assign", title="Hausaufgabe 3", section=3),
    ],
}
_ART: Final[dict[str, Any]] = {
    "fullname": "Histoire de l'art : de la Renaissance au baroque",
    "shortname": "HIST-ART",
    "summary": "<p>Dix œuvres, dix séances : regarder, décrire, comparer.</p>",
    "section_titles": ["Généralités", "La Renaissance", "Le baroque"],
    "activities": [
        ActivitySpec(module="book", title="Florence au XVe siècle", section=1),
        ActivitySpec(module="data", title="Notre musée imaginaire", section=2),
        ActivitySpec(module="quiz", title="Qui a peint quoi ?", section=2),
    ],
}
_CELLS: Final[dict[str, Any]] = {
    "fullname": "Biología celular: la vida bajo el microscopio",
    "shortname": "BIO-CEL",
    "summary": "<p>La célula animal y la vegetal, con prácticas de laboratorio.</p>",
    "section_titles": ["General", "La célula", "La membrana"],
    "activities": [
        ActivitySpec(module="scorm", title="Viaje por la célula", section=1),
        ActivitySpec(module="quiz", title="Orgánulos", section=1),
        ActivitySpec(module="assign", title="Informe de laboratorio", section=2),
    ],
}
_ARABIC: Final[dict[str, Any]] = {
    "fullname": "أساسيات القراءة والكتابة بالعربية",
    "shortname": "ARA1",
    "summary": "<p>دروس قصيرة للمبتدئين مع تمارين في الخط والاستماع.</p>",
    "section_titles": ["عام", "الحروف", "الكلمات الأولى"],
    "activities": [
        ActivitySpec(module="page", title="الحروف الهجائية", section=1),
        ActivitySpec(module="quiz", title="تمرين: صل الحرف بالصورة", section=2),
    ],
}
_ROMANS: Final[dict[str, Any]] = {
    "fullname": "Roman Britain: roads, towns and everyday life",
    "shortname": "ROM2",
    "summary": "<p>Sources, maps and a debate for twelve lessons.</p>",
    "section_titles": ["General", "Conquest", "Towns", "The end of Roman rule"],
    "release": MOODLE_52,
    "activities": [
        ActivitySpec(module="url", title="The Vindolanda tablets", section=1),
        ActivitySpec(module="forum", title="Debate: did Rome civilise Britain?", section=2),
        ActivitySpec(module="wiki", title="Our town in the year 150", section=2),
    ],
}
_PYTHON: Final[dict[str, Any]] = {
    "fullname": "Programming with Python: first steps",
    "shortname": "PY1",
    "summary": "<p>Variables, loops and functions in ten small programs.</p>",
    "section_titles": ["General", "Variables", "Loops", "Functions"],
    "activities": [
        ActivitySpec(module="vpl", title="Say hello", section=1),
        ActivitySpec(
            module="resource", title="Cheat sheet", section=1, files=[("cheat.txt", b"for i in\n" * 900)]
        ),
        ActivitySpec(module="quiz", title="Predict the output", section=2),
        ActivitySpec(module="lti", title="Notebook", section=3),
    ],
}
_VERBS: Final[dict[str, Any]] = {
    "kind": "activity",
    "activities": [ActivitySpec(module="quiz", title="Irregular verbs: fifty questions")],
    "questions": {"shortanswer": 30, "match": 20},
}

COURSES: Final = (
    Sample(
        name="art",
        owner="maria",
        file_name="histoire-art.mbz",
        parts=_ART,
        licence="CC-BY-SA-4.0",
        language="fr",
        subject="0213",
        level="level3",
        author="Claire Fontaine",
        keywords=("Renaissance", "baroque"),
    ),
    Sample(
        name="cells",
        owner="tomas",
        file_name="biologia-celular.mbz",
        parts=_CELLS,
        licence="CC-BY-NC-4.0",
        language="es",
        subject="0511",
        level="level3",
        author="Tomás Herrera",
        keywords=("célula", "microscopio"),
    ),
    Sample(
        name="arabic",
        owner="tomas",
        file_name="arabic.mbz",
        parts=_ARABIC,
        licence="CC-BY-4.0",
        language="ar",
        subject="0231",
        level="level1",
        author="ليلى حداد",
        keywords=("قراءة", "خط"),
    ),
    Sample(
        name="romans",
        owner="maria",
        file_name="roman-britain.mbz",
        parts=_ROMANS,
        licence="CC-BY-SA-4.0",
        language="en",
        subject="0222",
        level="level2",
        author="Edward Whitlock",
        keywords=("Rome", "Britain"),
    ),
    Sample(
        name="python",
        owner="tomas",
        file_name="python.mbz",
        parts=_PYTHON,
        licence="CC0-1.0",
        language="en",
        subject="0613",
        level="level3",
        author="Ada Lovelace",
        keywords=("Python", "loops"),
    ),
    Sample(
        name="volcano",
        owner="maria",
        file_name="volcanoes.pdf",
        parts={},
        licence="CC-BY-4.0",
        language="en",
        subject="0532",
        level="level2",
        author="Maria Lehmann",
        keywords=("volcano", "worksheets"),
        content=_PDF,
        types=("lesson_plan", "worksheet"),
        title="Volcanoes: a lesson plan with worksheets",
    ),
    Sample(
        name="verbs",
        owner="maria",
        file_name="verbs.mbz",
        parts=_VERBS,
        licence="CC-BY-4.0",
        language="en",
        subject="0231",
        level="level2",
        author="Maria Lehmann",
        keywords=("verbs", "grammar"),
        types=("drill_and_practice",),
    ),
    Sample(
        name="analysis",
        owner="maria",
        file_name="analysis.mbz",
        parts=_ANALYSIS,
        licence="CC-BY-SA-4.0",
        language="de",
        subject="0541",
        level="level3",
        author="Maria Lehmann",
        keywords=("Ableitung", "Grenzwert"),
    ),
    Sample(
        name="water",
        owner="maria",
        file_name="water-and-life.mbz",
        parts=WATER,
        licence="CC-BY-4.0",
        language="en",
        subject="0521",
        level="level3",
        author="Maria Lehmann",
        keywords=("water", "ecosystems", "climate"),
    ),
)
"""The oldest first."""
