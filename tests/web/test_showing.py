"""The page of a resource, for the public, for its owner, and for those who may not see it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from lxml import html
from sqlalchemy import update

from repo_service.domain.identity import Role
from repo_service.models import Account, Version
from repo_service.web import csrf, inside
from tests.support.backups import ActivitySpec, backup
from tests.support.service import Service, json_of, send_file
from tests.web.shared import Shared
from tests.web.visitor import Page, Visitor

ACTIVITIES = (
    ActivitySpec(module="label", title="Welcome", section=0),
    ActivitySpec(module="quiz", title="Ecosystems quiz", tags=["graded"]),
    ActivitySpec(module="page", title="Teacher notes", visible=False, files=[("a.txt", b"a")]),
    ActivitySpec(module="subsection", title="Deeper", holds_section="Deeper"),
    ActivitySpec(module="hvp", title="Interactive video"),
)


@pytest.fixture
def draft(service: Service, tmp_path: Path) -> Shared:
    """A described course that nobody but its owner may see."""
    path = backup(
        tmp_path / "course.mbz", activities=ACTIVITIES, questions={"multichoice": 3, "truefalse": 1}
    )
    shared = Shared(
        service, path, licence="CC-BY-4.0", authors=[{"name": "Ada", "url": "https://ada.example/"}]
    )
    service.work()
    return shared


@pytest.fixture
def released(draft: Shared) -> Shared:
    """The same, released."""
    assert draft.owner.send(draft.url, "/release").status_code == 303
    draft.service.work()
    return draft


def _words(item: html.HtmlElement) -> str:
    """What is read of an activity, less the links that download one alone."""
    read = item.xpath(".//text()[not(ancestor::a[@download])]")
    return " ".join(" ".join(read).split())


def _outline(page: Page) -> list[tuple[str, list[str]]]:
    return [
        (
            section.xpath("string(summary/h3)").strip(),
            [_words(item) for item in section.xpath("ul/li")],
        )
        for section in page.all("//details[@class='section']")
    ]


def test_everybody_sees_what_is_inside_a_released_course(released: Shared) -> None:
    page = released.public.get(released.url)
    assert page.one("//h1").text == "Introduction to Ecology"
    assert "Living things and where they live." in page.text
    outline = _outline(page)
    assert [title for title, _ in outline] == ["General", "Week one"]
    assert outline[0][1] == ["Welcome Text and media"]
    assert outline[1][1][:2] == [
        "Ecosystems quiz Quiz graded",
        "Teacher notes Page hidden from students 1 file, 1 byte",
    ]
    assert "Deeper Subsection" in outline[1][1][2]
    counts = {
        li.xpath("string(span[1])"): li.xpath("string(span[2])")
        for li in page.all("//ul[@class='tallies']/li")
    }
    assert counts["Quiz"] == "1"
    assert counts["Multiple choice"] == "3"
    assert "mod_hvp" in page.text  # a plugin that has to be there to restore it
    assert "Moodle 4.5.6" in page.text
    links = page.links()
    assert links["CC BY 4.0 (Attribution)"] == "https://creativecommons.org/licenses/by/4.0/"
    assert links["Ada"] == "https://ada.example/"


def test_the_download_has_the_bytes_and_the_digest_that_the_page_names(released: Shared) -> None:
    page = released.public.get(released.url)
    (address,) = page.all("//section[@aria-labelledby='get']//a[@download]/@href")
    assert address.endswith("/course.mbz")
    got = released.public.client.get(address)
    digest = hashlib.sha256(released.bytes).hexdigest()
    assert hashlib.sha256(got.data).hexdigest() == digest
    assert page.one("//code[@class='digest']").text == digest


def test_the_public_gets_no_buttons(released: Shared) -> None:
    page = released.public.get(released.url)
    assert {form.method for form in page.all("//main//form")} == {"GET"}
    assert "Draft" not in page.text


@pytest.mark.parametrize(
    "path",
    [
        *("", "/embed", "/edit", "/versions/1", "/versions/1/download", "/versions/1/processing"),
        *("/versions/1/cleaning", "/versions/1/restoring", "/versions/1/changes", "/versions/1/licences"),
    ],
)
def test_drafts_of_others_do_not_exist(draft: Shared, path: str) -> None:
    stranger = Visitor(draft.service, draft.service.token("stranger"))
    stranger.get(draft.url + path, 404)
    if path not in ("/edit", "/versions/1/cleaning"):  # they ask to sign in first
        draft.public.get(draft.url + path, 404)


@pytest.mark.parametrize(
    "action",
    ["versions/1/release", "versions/1/clean", "versions/1/inspect", "withdraw", "edit", "versions/new"],
)
def test_nobody_changes_what_belongs_to_others(released: Shared, action: str) -> None:
    stranger = Visitor(released.service, released.service.token("stranger"))
    token = stranger.get("/upload").form("/upload").fields["csrf_token"]
    answer = stranger.client.post(
        f"{released.url}/{action}",
        data={"csrf_token": token, "reason": "because", "title": "Mine"},
        content_type="multipart/form-data",
        headers=stranger.headers,
    )
    assert answer.status_code == 403
    assert "belongs to somebody else" in answer.text
    page = released.public.get(released.url)
    assert page.one("//h1").text == "Introduction to Ecology"


def test_an_owner_gets_a_draft_by_a_signed_link(draft: Shared) -> None:
    owner = draft.owner
    page = owner.get(draft.url)
    assert "Draft" in page.text
    (address,) = page.all("//section[@aria-labelledby='get']//a[@download]/@href")
    onward = owner.client.get(address)
    assert onward.status_code == 302
    assert onward.headers["Cache-Control"] == "no-store"
    got = draft.service.client().get(onward.location)  # the API side knows no session
    assert got.data == draft.bytes
    plain = onward.location.partition("?")[0]
    assert draft.service.client().get(plain).status_code == 404


def test_processing_is_shown_until_it_is_done(service: Service, tmp_path: Path) -> None:
    shared = Shared(service, backup(tmp_path / "course.mbz"), licence="CC-BY-4.0")
    owner = shared.owner
    page = owner.get(shared.url)
    assert "Looking inside the file" in page.text
    (address,) = page.all("//@data-processing")
    asked = json_of(owner.client.get(address))
    assert asked == {"state": "queued", "progress": 0.0, "finished": False}
    service.work()
    assert json_of(owner.client.get(address))["finished"] is True
    assert "Looking inside" not in owner.get(shared.url).text


def test_a_release_too_early_is_refused_with_the_reason(service: Service, tmp_path: Path) -> None:
    shared = Shared(service, backup(tmp_path / "course.mbz"), licence="CC-BY-4.0")
    refused = Page(shared.owner.send(shared.url, "/release"))
    assert refused.status == 409
    assert "still being inspected" in refused.one("//*[@role='alert']").text_content()


def test_people_inside_stop_a_release_and_the_page_says_so(service: Service, tmp_path: Path) -> None:
    shared = Shared(service, backup(tmp_path / "course.mbz", users=3), licence="CC-BY-4.0")
    service.work()
    page = shared.owner.get(shared.url)
    assert "3 user accounts" in page.text
    refused = Page(shared.owner.send(shared.url, "/release"))
    assert refused.status == 409
    assert "This file holds personal data" in refused.one("//*[@role='alert']").text_content()
    shared.public.get(shared.url, 404)


def test_a_missing_licence_stops_a_release_and_the_page_says_so(service: Service, tmp_path: Path) -> None:
    shared = Shared(service, backup(tmp_path / "course.mbz"))
    service.work()
    assert "No licence is chosen yet." in shared.owner.get(shared.url).text
    refused = Page(shared.owner.send(shared.url, "/release"))
    assert refused.status == 409
    assert "Choose a licence first" in refused.text


def test_an_unreadable_file_shows_why_and_can_be_tried_again(service: Service, tmp_path: Path) -> None:
    whole = backup(tmp_path / "whole.mbz").read_bytes()
    broken = tmp_path / "broken.mbz"
    broken.write_bytes(whole[: len(whole) // 2])
    shared = Shared(service, broken)
    service.work()
    page = shared.owner.get(shared.url)
    assert "The file could not be read" in page.text
    assert shared.owner.send(shared.url, "/inspect").status_code == 303


def test_withdrawn_resources_are_gone_with_the_reason_and_come_back(released: Shared) -> None:
    owner = released.owner
    reason = "Replaced by a better course."
    assert owner.send(released.url, "/withdraw", reason=reason).location == "/mine"
    gone = released.public.get(released.url, 410)
    assert reason in gone.text
    assert "My resources" not in gone.text
    page = owner.get(released.url, 410)
    assert "It is yours: you can restore it" in page.text
    assert page.links()["My resources"] == "/mine"
    other = Visitor(released.service, released.service.token("other"))
    assert "restore" not in other.get(released.url, 410).text
    assert owner.send("/mine", "/restore").status_code == 303
    assert released.public.get(released.url).status == 200


@pytest.mark.parametrize("role", [Role.MEMBER, Role.MODERATOR])
def test_an_owner_reads_that_a_moderator_hid_it_and_cannot_bring_it_back(
    released: Shared, role: Role
) -> None:
    """A moderator neither, when it is their own."""
    with released.service.services.database.write() as session:
        session.execute(update(Account).where(Account.username == "teacher").values(role=role.value))
    owner = Visitor(released.service, released.token)
    moderator = Visitor(released.service, released.service.token("mod", Role.MODERATOR))
    moderator.send(released.url, "/withdraw", reason="It is a book that is still sold.")
    page = owner.get(released.url, 410)
    for said in ("still sold", "You cannot bring it back yourself", "answer the letter"):
        assert said in page.text
    assert page.links()["share a file without what is wrong"] == "/upload"
    mine = owner.get("/mine")
    assert mine.links()["Read why, and what you can do"] == released.url
    for each in (page, mine):
        assert not each.all("//form[contains(@action, '/restore')]")
        assert "you can restore it" not in each.text
    forged = {csrf.FIELD: page.form("/sign-out").fields[csrf.FIELD]}
    assert owner.client.post(f"{released.url}/restore", data=forged, headers=owner.headers).status_code == 403
    released.public.get(released.url, 410)


def test_what_is_not_kept_any_more_is_not_offered_back(released: Shared) -> None:
    released.owner.send(released.url, "/withdraw", reason="Old.")
    with released.service.services.database.write() as session:
        session.execute(update(Version).values(digest=None))
    moderator = Visitor(released.service, released.service.token("mod", Role.MODERATOR))
    for page in (released.owner.get(released.url, 410), moderator.get(released.url, 410)):
        assert "Its files have been deleted: it cannot be restored." in page.text
        assert not page.all("//form[contains(@action, '/restore')]")
    mine = released.owner.get("/mine")
    assert "Its files have been deleted: it cannot be restored." in mine.text
    assert not mine.all("//form[contains(@action, '/restore')]")


def test_a_withdrawal_needs_a_reason(released: Shared) -> None:
    answer = released.owner.send(released.url, "/withdraw", reason=" \n ")
    assert answer.status_code == 422
    assert "Say in a few words why it goes." in answer.text
    assert released.public.get(released.url).status == 200


def test_a_moderator_withdraws_and_restores_but_does_not_edit(released: Shared) -> None:
    moderator = Visitor(released.service, released.service.token("mod", Role.MODERATOR))
    page = moderator.get(released.url)
    assert "Edit description" not in page.links()
    moderator.get(f"{released.url}/edit", 403)
    assert moderator.send(released.url, "/withdraw", reason="Not allowed").status_code == 303
    assert moderator.send(released.url, "/restore", on_status=410).status_code == 303
    assert released.public.get(released.url).status == 200


def test_versions_stand_side_by_side_for_the_owner(released: Shared, tmp_path: Path) -> None:
    second = backup(tmp_path / "second.mbz", activities=[ActivitySpec(title="New page")])
    client = released.service.client(released.token)
    url = f"/api/v1/resources/{released.id}/versions"
    json_of(send_file(client, second, url=url, change_note="Shorter"), 201)
    released.service.work()
    page = released.owner.get(released.url)
    assert "New page" in page.text
    assert "Shorter" in page.text
    first = released.owner.get(page.links()["Version 1"])
    assert "Ecosystems quiz" in first.text
    assert first.links()["see the newest"] == released.url
    public = released.public.get(released.url)
    assert "Ecosystems quiz" in public.text  # the last released one
    released.public.get(f"{released.url}/versions/2", 404)


def test_a_file_of_another_kind_has_a_plain_page(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Grass, hare, fox.\n" * 20)
    shared = Shared(service, path, licence="CC0-1.0", title="Notes", release=True)
    service.work()
    page = shared.public.get(shared.url)
    assert "What is inside" not in page.text
    assert page.one("//h1").text == "Notes"


def test_a_huge_outline_is_cut_and_says_so(released: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "MAX_ITEMS", 3)
    page = released.public.get(released.url)
    assert len(page.all("//li[starts-with(@class, 'activity ')]")) < len(ACTIVITIES)
    assert "more entr" in page.text


def test_a_version_that_never_was_is_not_found(released: Shared) -> None:
    released.public.get(f"{released.url}/versions/7", 404)
    released.public.get(f"{released.url}/versions/0", 404)
    released.public.get("/resources/00000000-0000-0000-0000-000000000000", 404)
