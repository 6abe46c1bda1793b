"""Where in a backup something stands, in words."""

from __future__ import annotations

from typing import Any

import pytest

from repo_service.web.places import Places


def _activity(
    id_: int, module: str, title: str, sections: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {"id": id_, "module": module, "title": title, "sections": sections or []}


_DEEPER = {"id": 9, "number": 2, "title": "Deeper", "activities": [_activity(13, "page", "Roots")]}
_PLACES = Places(
    {
        "backup_format": "moodle2",
        "course_format": "weeks",
        "outline": [
            {"id": 7, "number": 0, "title": " ", "activities": [_activity(11, "quiz", "Rivers")]},
            {
                "id": 8,
                "number": 1,
                "title": "Water",
                "activities": [_activity(12, "subsection", "Deeper", [_DEEPER]), _activity(14, "forum", " ")],
            },
            {"id": None, "number": None, "title": "", "activities": [_activity(15, "hvp", "Film")]},
        ],
    }
)


@pytest.mark.parametrize(
    ("member", "name", "module"),
    [
        ("activities/quiz_11/quiz.xml", "Rivers", "Quiz"),
        ("activities/quiz_11/blocks/html_3/block.xml", "Rivers", "Quiz"),
        ("activities/page_13/page.xml", "Roots", "Page"),
        ("activities/forum_14/forum.xml", "Forum", ""),
        ("activities/hvp_15/hvp.xml", "Film", "hvp"),
        ("activities/wiki_99/wiki.xml", "Wiki", ""),
        ("activities", "Another part of the backup", ""),
        ("sections/section_7/section.xml", "General", ""),
        ("sections/section_8/section.xml", "Water", ""),
        ("sections/section_9/section.xml", "Deeper", ""),
        ("sections/section_99/section.xml", "A section", ""),
        ("course/blocks/html_4/block.xml", "A text block", ""),
        ("course/blocks/badges_4/block.xml", "Block “badges”", ""),
        ("course/enrolments.xml", "Enrolment methods", ""),
        ("gradebook.xml", "Grade book", ""),
        ("plagiarism.xml", "Another part of the backup", ""),
        ("", "Another part of the backup", ""),
    ],
)
def test_a_member_has_a_name_in_words(member: str, name: str, module: str) -> None:
    place = _PLACES.of(member)
    assert (place.name, place.module) == (name, module)


def test_a_name_of_the_file_is_told_from_ours() -> None:
    assert _PLACES.of("activities/quiz_11/quiz.xml").named
    assert not _PLACES.of("activities/forum_14/forum.xml").named
    assert not _PLACES.of("sections/section_7/section.xml").named


def test_a_file_without_an_outline_has_parts_all_the_same() -> None:
    assert Places({"findings": []}).of("users.xml").name == "List of users"
