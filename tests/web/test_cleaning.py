"""What an owner is told of persons and secrets in a file, and the button for a clean copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from repo_service.domain.identity import Role
from repo_service.models import InspectionRecord
from repo_service.web import found
from tests.support.backups import moodle1_backup, write_targz
from tests.support.private import private_backup, private_members
from tests.support.service import MakeService, Service, json_of
from tests.web.shared import Shared
from tests.web.visitor import Page, Visitor

_PANEL = "//section[@aria-labelledby='found']"


@pytest.fixture
def shared(service: Service, tmp_path: Path) -> Shared:
    """A course with learners' data and keys in it, inspected."""
    return _share(service, private_backup(tmp_path / "course.mbz"), licence="CC-BY-4.0")


def _share(service: Service, path: Path, **metadata: Any) -> Shared:
    made = Shared(service, path, **metadata)
    service.work()
    return made


def _group(page: Page, title: str) -> tuple[list[str], dict[str, str]]:
    """The counts of one group, and what stands where."""
    (group,) = [g for g in page.all(f"{_PANEL}//section") if g.xpath("string(h3)") == title]
    counts = [item.text_content() for item in group.xpath("ul/li")]
    spots = {
        " ".join(item.xpath("string(span[1])").split()): item.xpath("string(span[last()])")
        for item in group.xpath("details/ul/li")
    }
    return counts, spots


def _cleaned(shared: Shared) -> Page:
    """The page of the clean copy, after the owner asked for it."""
    assert shared.owner.send(shared.url, "/clean").status_code == 303
    shared.service.work()
    page = shared.owner.get(f"{shared.url}/versions/1")
    return shared.owner.get(page.links()["Go to the clean copy"])


def test_an_owner_is_told_what_was_found_and_where_in_words(shared: Shared) -> None:
    page = shared.owner.get(shared.url)
    assert page.one("//h2[@id='found']").text == "This file holds personal data"
    counts, spots = _group(page, "Learners and other users")
    assert {"1 user account", "1 submission of a learner", "1 attempt of a learner"} <= set(counts)
    assert spots["List of users"] == "1 user account"
    assert spots["Essay"] == "1 submission of a learner"
    assert spots["Quiz on rivers"] == "1 attempt of a learner, 1 comment"
    assert spots["Enrolment methods"] == "1 enrolment of a user"
    counts, spots = _group(page, "Keys and contacts")
    assert {"1 enrolment key", "1 quiz password", "1 contact address of a badge"} <= set(counts)
    assert spots["Groups"] == "1 enrolment key of a group"
    counts, spots = _group(page, "To confirm")
    assert counts == ["1 file with a named author: Ada Lehrer", "2 mentions of persons' names in texts"]
    assert set(spots) == {"Files", "A text block", "Name and summary of the course"}
    _group(page, "Numbers and other leftovers")
    assert page.links()["This file holds personal data"] == "#found"


def test_paths_of_the_file_stand_apart_from_the_words(shared: Shared) -> None:
    page = shared.owner.get(shared.url)
    exact = [code.text for code in page.all(f"{_PANEL}//details/details//code")]
    assert "activities/quiz_101/quiz.xml" in exact
    assert "activity/quiz/attempts/attempt" in exact
    for element in page.all(f"{_PANEL}//details/details"):
        element.drop_tree()
    assert ".xml" not in page.one(_PANEL).text_content()


def test_the_button_makes_a_clean_copy_that_its_owner_confirms_and_releases(shared: Shared) -> None:
    page = shared.owner.get(shared.url)
    assert "Forum discussions" not in page.text  # there is none in this one
    assert "Enrolment methods that lose their key are switched off." in page.text
    answer = shared.owner.send(shared.url, "/clean")
    assert (answer.status_code, answer.location) == (303, f"{shared.url}/versions/1")
    shared.service.work()
    source = shared.owner.get(f"{shared.url}/versions/1")
    assert "Version 2 is its clean copy" in source.text
    assert not [form for form in source.tree.forms if (form.action or "").endswith("/clean")]

    clean = shared.owner.get(source.links()["Go to the clean copy"])
    assert clean.one("//h2[@id='found']").text_content() == "Clean copy of version 1"
    removed = {item.text_content() for item in clean.all(f"{_PANEL}/ul/li")}
    assert {"1 user account", "1 enrolment key", "1 file of a learner"} <= removed
    counts, _ = _group(clean, "To confirm")
    panel = clean.one("//section[@aria-labelledby='manage']")
    assert [item.text_content() for item in panel.xpath("ul/li")] == counts
    assert panel.xpath("string(form/button)") == "Confirm and release version 2"

    assert shared.owner.send(f"{shared.url}/versions/2", "/2/release").status_code == 303
    assert "It is released." in shared.owner.get(f"{shared.url}/versions/1").text
    shared.public.get(f"{shared.url}/versions/2")
    shared.public.get(f"{shared.url}/versions/1", 404)


def test_names_of_learners_in_texts_of_the_clean_copy_are_shown(service: Service, tmp_path: Path) -> None:
    """The copy itself cannot tell any more whose names those are."""
    made = private_members()
    made["activities/page_100/page.xml"] = made["activities/page_100/page.xml"].replace(
        b"<intro></intro>", b"<intro>Well done, Ngozi Adichie-Brandt!</intro>"
    )
    shared = _share(service, write_targz(tmp_path / "course.mbz", made))
    counts, spots = _group(_cleaned(shared), "To confirm")
    assert "3 mentions of persons' names in texts" in counts
    assert spots["Food webs"] == "1 mention of a person's name in a text"


def test_a_clean_copy_is_released_at_once_only_when_that_was_ticked(shared: Shared) -> None:
    form = shared.owner.get(shared.url).form("/clean")
    assert form.fields["release"] is None
    assert shared.owner.send(shared.url, "/clean", release="1").status_code == 303
    assert "It is released as soon as it is there" in shared.owner.get(shared.url).text
    shared.service.work()
    page = shared.public.get(shared.url)
    assert "Clean copy" not in page.text


def test_without_a_licence_no_release_is_offered(service: Service, tmp_path: Path) -> None:
    shared = _share(service, private_backup(tmp_path / "course.mbz"))
    assert "release" not in shared.owner.get(shared.url).form("/clean").fields


def test_progress_is_shown_until_the_clean_copy_is_there(shared: Shared) -> None:
    owner = shared.owner
    owner.send(shared.url, "/clean")
    page = owner.get(shared.url)
    status = page.one("//*[@role='status']")
    assert "Making a clean copy" in status.text_content()
    assert status.xpath("progress[@aria-labelledby='cleaning']")
    assert page.all("//script[contains(@src, 'processing.js')]")
    address = status.get("data-processing")
    asked = owner.client.get(address)
    assert json_of(asked) == {"state": "queued", "progress": 0.0, "finished": False}
    assert asked.headers["Cache-Control"] == "no-store"
    assert "Make a clean copy" not in page.text
    shared.service.work()
    assert json_of(owner.client.get(address))["finished"] is True
    Visitor(shared.service, shared.service.token("stranger")).get(address, 404)
    assert shared.public.client.get(address).status_code == 303


def test_a_failure_says_why_and_can_be_tried_again(make_service: MakeService, tmp_path: Path) -> None:
    path = private_backup(tmp_path / "course.mbz")
    service = make_service(quota=len(path.read_bytes()) + 1000)
    shared = _share(service, path, licence="CC-BY-4.0")
    shared.owner.send(shared.url, "/clean")
    service.work()
    page = shared.owner.get(shared.url)
    alert = page.one("//*[@role='alert']").text_content()
    assert "The clean copy could not be made" in alert
    reason = json_of(service.client(shared.token).get(f"/api/v1{shared.url}/versions/1/clean"))["reason"]
    assert reason in alert
    assert "add it as a version" in page.links()
    assert page.form("/clean").xpath("string(button)") == "Try again"
    assert shared.owner.send(shared.url, "/clean").status_code == 303
    assert "Making a clean copy" in shared.owner.get(shared.url).text


def test_only_keys_are_called_so(service: Service, tmp_path: Path) -> None:
    shared = _share(service, private_backup(tmp_path / "keys.mbz", users=False))
    page = shared.owner.get(shared.url)
    assert page.one("//h2[@id='found']").text == "This file holds keys and contacts"
    assert "Learners" not in page.text
    assert "users, and all that they did" not in page.text
    assert page.form("/clean").xpath("string(button)") == "Make a clean copy"


def test_what_nobody_can_judge_is_named_and_no_button_offered(service: Service, tmp_path: Path) -> None:
    made = private_members()
    made["activities/hvp_150/hvp.xml"] = b"<activity><hvp><played><by>7</by></played></hvp></activity>"
    made["course/blocks/exam_70/exam.xml"] = b"<exam><seat>7</seat></exam>"
    shared = _share(service, write_targz(tmp_path / "course.mbz", made))
    page = shared.owner.get(shared.url)
    action = page.one("//div[@class='found-action']")
    assert [code.text for code in action.xpath(".//code")] == ["block_exam", "mod_hvp"]
    assert action.xpath(".//a/@href") == [f"{shared.url}/versions/new"]
    assert not [form for form in page.tree.forms if (form.action or "").endswith("/clean")]
    _, spots = _group(page, "What we cannot judge")
    assert spots["hvp"] == "1 part of a plugin that may hold data of users"

    refused = Page(_post(shared.owner, f"{shared.url}/versions/1/clean"))
    assert refused.status == 409
    alert = refused.one("//*[@role='alert']").text_content()
    assert "No clean copy" in alert
    assert "mod_hvp" in alert


def test_numbers_of_users_that_nobody_knows_are_shown_with_their_place(
    service: Service, tmp_path: Path
) -> None:
    made = private_members()
    made["activities/page_100/page.xml"] = made["activities/page_100/page.xml"].replace(
        b"<intro></intro>", b"<odd><teacherid>7</teacherid></odd>"
    )
    shared = _share(service, write_targz(tmp_path / "course.mbz", made))
    page = shared.owner.get(shared.url)
    assert "We do not know what some parts of it say about users" in page.text
    _, spots = _group(page, "What we cannot judge")
    assert spots == {"Food webs": "1 mention of a user that we cannot judge"}


def test_an_old_backup_with_users_is_refused_with_the_way_out(service: Service, tmp_path: Path) -> None:
    shared = _share(service, moodle1_backup(tmp_path / "old.mbz", users=2))
    page = shared.owner.get(shared.url)
    assert "Clean copies can be made of backups of Moodle 2.0 and later only" in page.text
    assert _group(page, "Learners and other users")[0] == ["2 user accounts"]
    assert not [form for form in page.tree.forms if (form.action or "").endswith("/clean")]


def test_a_refused_release_shows_the_way_out(shared: Shared) -> None:
    refused = Page(shared.owner.send(shared.url, "/release"))
    assert refused.status == 409
    alert = refused.one("//*[@role='alert']").text_content()
    assert "Not released" in alert
    assert "This file holds personal data" in alert
    assert refused.form("/clean").xpath("string(button)") == "Make a clean copy"
    back = shared.owner.client.get(f"{shared.url}/versions/1/clean", headers=shared.owner.headers)
    assert (back.status_code, back.location) == (302, f"{shared.url}/versions/1")


def test_everybody_reads_the_authors_of_files_and_nothing_else_that_was_found(shared: Shared) -> None:
    _cleaned(shared)
    shared.owner.send(f"{shared.url}/versions/2", "/2/release")
    stranger = Visitor(shared.service, shared.service.token("stranger"))
    for visitor in (shared.public, stranger):
        page = visitor.get(shared.url)
        named = {
            term.text_content(): term.getnext().text_content()
            for term in page.all("//dl[@class='details']/dt")
        }
        assert named["Authors of its files"] == "Ada Lehrer"
        assert not page.all("//*[@id='found'] | //*[contains(@class, 'found')]")
        for words in ("Clean copy", "mention", "taken out", "1 user account", "To confirm"):
            assert words not in page.text
    owner = shared.owner.get(shared.url)
    assert owner.all("//details[contains(@class, 'found') and not(@open)]")
    assert "Clean copy of version 1: what was taken out, and what stays" in owner.text


def test_authors_of_files_who_are_those_of_the_resource_are_named_once(
    service: Service, tmp_path: Path
) -> None:
    path = private_backup(tmp_path / "c.mbz", users=False, secrets=False)
    shared = _share(service, path, licence="CC-BY-4.0", release=True, authors=[{"name": "Ada Lehrer"}])
    page = shared.public.get(shared.url)
    assert "Ada Lehrer" in page.one("//dl[@class='details']").text_content()
    assert "Authors of its files" not in page.text


def test_nobody_else_has_a_clean_copy_made(shared: Shared) -> None:
    stranger = Visitor(shared.service, shared.service.token("stranger"))
    moderator = Visitor(shared.service, shared.service.token("mod", Role.MODERATOR))
    address = f"{shared.url}/versions/1/clean"
    assert _post(stranger, address).status_code == 404
    assert _post(moderator, address).status_code == 403
    seen = moderator.get(shared.url)
    assert "This file holds personal data" in seen.text
    assert "Make a clean copy" not in seen.text
    assert "Only you see it" not in seen.text
    _cleaned(shared)
    shared.owner.send(f"{shared.url}/versions/2", "/2/release")
    assert _post(stranger, f"{shared.url}/versions/2/clean").status_code == 403
    assert [version["number"] for version in shared.json()["versions"]] == [2, 1]


def test_a_mirror_makes_no_clean_copies(make_service: MakeService, tmp_path: Path) -> None:
    before = make_service(data_dir=tmp_path / "data")
    shared = _share(before, private_backup(tmp_path / "course.mbz"), licence="CC-BY-4.0")
    _cleaned(shared)
    shared.owner.send(f"{shared.url}/versions/2", "/2/release")
    before.services.close()
    mirror = Visitor(make_service(data_dir=tmp_path / "data", read_only=True))
    page = mirror.get(shared.url)
    assert {form.method for form in page.tree.forms} == {"GET"}
    assert not page.all("//*[@id='found']")
    for number in (1, 2):
        answer = mirror.client.post(f"{shared.url}/versions/{number}/clean", headers=mirror.headers)
        assert answer.status_code == 403
        assert "read-only mirror" in answer.text


def test_what_was_released_before_it_was_found_says_so(service: Service, tmp_path: Path) -> None:
    path = private_backup(tmp_path / "c.mbz", users=False, secrets=False)
    shared = _share(service, path, licence="CC-BY-4.0", release=True)
    assert shared.public.get(shared.url).status == 200
    key = {"code": "quiz-password", "finding_class": "blocking", "place": "activities/quiz_101/quiz.xml"}
    with service.services.database.write() as session:
        record = session.query(InspectionRecord).one()
        later = [*record.document["findings"], {**key, "element": "", "count": 1, "message": "A password"}]
        record.document = {**record.document, "findings": later}
    page = shared.owner.get(shared.url)
    assert "It was released before this was found, and everybody can download it." in page.text
    assert page.form("/clean").xpath("string(button)") == "Make a clean copy"
    assert "password" not in shared.public.get(shared.url).text


def test_very_many_places_are_cut_and_counted(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "MAX_SPOTS", 1)
    monkeypatch.setattr(found, "MAX_EXACT", 2)
    page = shared.owner.get(shared.url)
    counts, spots = _group(page, "Learners and other users")
    assert len(spots) == 1
    assert "1 user account" in counts
    (group,) = page.all("//section[@aria-labelledby='found-learners']")
    text = " ".join(group.text_content().split())
    places = int(group.xpath("string(details/summary/span[2])").strip("( places)"))
    assert f"And {places - 1} more places: the API gives all of them." in text
    assert "more findings: the API gives all of them." in text
    assert len(group.xpath(".//details/details/ul/li")) == 2


def test_a_file_with_nothing_to_tell_has_no_panel(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Grass, hare, fox.\n")
    shared = _share(service, path, licence="CC0-1.0", title="Notes")
    page = shared.owner.get(shared.url)
    assert not page.all("//*[@id='found']")
    assert page.form("/release").xpath("string(button)") == "Release"


def _post(visitor: Visitor, address: str) -> Any:
    token = visitor.get("/upload").form("/upload").fields["csrf_token"]
    return visitor.client.post(address, data={"csrf_token": token}, headers=visitor.headers)
