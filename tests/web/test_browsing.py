"""Browse: shelves of subjects, levels, types, languages and people; the page of a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from repo_service.domain.identity import Role
from repo_service.web import browsing
from tests.support.backups import backup
from tests.support.service import OPERATOR, Service, json_of, send_file
from tests.web.visitor import Visitor


@pytest.fixture
def shelves(service: Service, tmp_path: Path) -> Service:
    """Ecology and music by a teacher, a draft of theirs, and a text by somebody else."""
    teacher, other = service.member("teacher"), service.member("other")
    for title, subject, level, release in (
        ("Ecology", "0521", "level3", True),
        ("Music", "0215", "level2", True),
        ("Secret plans", "0311", "level6", False),
    ):
        path = backup(tmp_path / f"{title}.mbz", fullname=title)
        json_of(
            send_file(
                teacher, path, licence="CC-BY-4.0", release=release, subjects=[subject], levels=[level]
            ),
            201,
        )
    send_file(
        other, b"A text.", file_name="t.txt", title="Rivers", licence="CC0-1.0", release=True, subjects=["05"]
    )
    service.work()
    return service


def test_subjects_are_a_tree_of_what_there_is(shelves: Service) -> None:
    page = Visitor(shelves).get("/browse")
    fields = [element.text_content() for element in page.all("//details/summary/span[@class='field-name']")]
    assert fields == ["Arts and humanities", "Natural sciences, mathematics and statistics"]
    links = page.links()
    assert links["Environmental sciences"] == "/?subject=0521"
    assert links["All of Arts and humanities"] == "/?subject=02"
    assert "Social sciences" not in page.text  # only a draft is about that
    (broad,) = page.all("//details[contains(@class, 'field-05')]/summary")
    assert "(2 resources)" in broad.text_content()


def test_levels_and_people(shelves: Service) -> None:
    page = Visitor(shelves).get("/browse")
    assert page.links()["Lower secondary education"] == "/?level=level2"
    assert page.links()["teacher"] == "/people/teacher"
    assert page.links()["other"] == "/people/other"


def test_an_empty_repository_has_no_shelves(service: Service) -> None:
    assert "Nothing is shared yet." in Visitor(service).get("/browse").text


def test_the_page_of_a_person_shows_what_is_public(shelves: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Visitor(shelves).get("/people/teacher")
    assert [a.text_content() for a in page.all("//article//h2/a")] == ["Music", "Ecology"]
    assert "Secret plans" not in page.text
    monkeypatch.setattr(browsing, "PAGE_SIZE", 1)
    first = Visitor(shelves).get("/people/teacher")
    second = Visitor(shelves).get(first.links()["Next page"])
    assert [a.text_content() for a in second.all("//article//h2/a")] == ["Ecology"]
    assert "Next page" not in second.links()
    Visitor(shelves).get("/people/teacher?cursor=%00", status=400)


def test_who_shared_nothing_in_public_is_nobody(shelves: Service) -> None:
    shelves.token("silent")
    for name in ("silent", "nobody", "%3Cscript%3E", "teacher%00"):
        Visitor(shelves).get(f"/people/{name}", status=404)


def test_a_blocked_person_has_no_page(shelves: Service) -> None:
    account = next(
        a for a in shelves.services.accounts.list(OPERATOR, limit=9).items if a.username == "other"
    )
    administrator = shelves.client(shelves.token("chief", Role.ADMINISTRATOR))
    json_of(administrator.patch(f"/api/v1/accounts/{account.id}", json={"blocked": True}))
    Visitor(shelves).get("/people/other", status=404)
    assert "other" not in Visitor(shelves).get("/browse").links()


def test_cards_lead_to_the_person(shelves: Service) -> None:
    assert Visitor(shelves).get("/?q=ecology").links()["teacher"] == "/people/teacher"


def test_covers_look_like_their_subject_and_kind(shelves: Service) -> None:
    def drawn(words: str) -> tuple[str, str]:
        page = Visitor(shelves).get(f"/?q={words}")
        cover = page.all("//article/*[1]")[0]
        return cover.attrib["class"], cover.find("use").attrib["href"].partition("#")[2]

    assert drawn("ecology") == ("cover cover-05", "course")
    assert drawn("music") == ("cover cover-02", "course")
    assert drawn("rivers") == ("cover cover-05", "file")
