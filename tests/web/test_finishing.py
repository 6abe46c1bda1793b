"""A draft is brought to its release on one page: it asks for what is missing, and cleans what holds keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from repo_service.domain.resources import JobKind
from tests.support.backups import ActivitySpec, backup, write_targz
from tests.support.mail import Mailbox
from tests.support.private import private_backup, private_members
from tests.support.service import MakeService, Service, json_of, send_file
from tests.web.person import somebody
from tests.web.shared import Shared
from tests.web.visitor import Page, Visitor

Make = Callable[..., Shared]


@pytest.fixture
def make(service: Service, tmp_path: Path) -> Make:
    """A draft whose file was looked into."""

    def made(path: Path | None = None, **metadata: object) -> Shared:
        shared = Shared(service, path or backup(tmp_path / "course.mbz"), **metadata)  # type: ignore[arg-type]
        service.work()
        return shared

    return made


def _finish(shared: Shared, **fields: Any) -> TestResponse:
    return shared.owner.send(f"{shared.url}/finish", "/finish", **fields)


def _asked(page: Page) -> list[str]:
    names = page.form("/finish").xpath(".//*[@name][not(@type='hidden')]/@name")
    return list(dict.fromkeys(names))


def test_a_course_needs_a_licence_and_may_have_more(make: Make) -> None:
    shared = make()
    page = shared.owner.get(f"{shared.url}/finish")
    assert _asked(page) == ["licence", "authors", "language", "subjects", "levels"]  # it is a course
    assert "2 activities" in page.text
    assert "No data of learners and no keys were found in it." in page.text
    answer = _finish(shared, licence="CC-BY-4.0", language="de", subjects=["0521"], levels=["level3"])
    assert (answer.status_code, answer.location) == (303, f"{shared.url}/finish")
    after = shared.owner.client.get(answer.location)
    assert (after.status_code, after.location) == (303, shared.url)
    resource = json_of(shared.public.client.get(f"/api/v1{shared.url}"))
    assert (resource["visibility"], resource["licence"]) == ("public", "CC-BY-4.0")
    assert (resource["languages"], resource["subjects"]) == (["de"], ["0521"])
    assert (resource["levels"], resource["types"]) == (["level3"], ["course"])


def test_nothing_but_the_licence_has_to_be_said(make: Make) -> None:
    shared = make()
    assert _finish(shared, licence="CC0-1.0").status_code == 303
    assert shared.json()["visibility"] == "public"


def test_what_is_known_is_not_asked_and_not_changed(make: Make, tmp_path: Path) -> None:
    shared = make(
        backup(tmp_path / "a.mbz", language="fr"),
        licence="CC-BY-SA-4.0",
        subjects=["0521"],
        levels=["level3"],
        types=["assessment"],
        authors=[{"name": "Ada Lovelace"}],
    )
    page = shared.owner.get(f"{shared.url}/finish")
    assert _asked(page) == []
    assert "Nothing is missing" in page.text
    answer = _finish(
        shared, licence="CC0-1.0", language="de", subjects=["0111"], levels=["level1"], types=["course"]
    )
    assert answer.status_code == 303
    resource = shared.json()
    assert (resource["licence"], resource["languages"]) == ("CC-BY-SA-4.0", ["fr"])
    assert (resource["subjects"], resource["levels"]) == (["0521"], ["level3"])
    assert resource["types"] == ["assessment"]


def test_a_file_that_says_nothing_is_described(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "week_3_handout.txt"
    path.write_bytes(b"Read this.")
    shared = Shared(service, path)
    service.work()
    page = shared.owner.get(f"{shared.url}/finish")
    assert page.one("//input[@name='title']").attrib["value"] == "week 3 handout"
    assert "Without any, that is you: teacher." in page.text
    answer = _finish(
        shared,
        licence="CC0-1.0",
        title=" Food webs:\ta handout ",
        summary="Hares & foxes\r\nand grass",
        authors="Ada Lovelace\r\n\r\n  Grace Hopper \nAda Lovelace",
        subjects=["0521", "0511"],
    )
    assert answer.status_code == 303
    made = shared.json()
    assert (made["title"], made["summary"]) == ("Food webs: a handout", "Hares &amp; foxes<br>and grass")
    assert [author["name"] for author in made["authors"]] == ["Ada Lovelace", "Grace Hopper"]
    assert made["subjects"] == ["0521", "0511"]


def test_what_is_left_open_stays_as_it_was_found(make: Make) -> None:
    shared = make()
    before = shared.json()
    assert _finish(shared, licence="CC0-1.0", authors=" \r\n ", title="", summary="").status_code == 303
    after = shared.json()
    assert (after["title"], after["authors"]) == (before["title"], [])
    assert after["summary"] == before["summary"] != ""


def test_whom_the_files_name_is_proposed_and_not_said(make: Make, tmp_path: Path) -> None:
    shared = make(write_targz(tmp_path / "course.mbz", private_members(users=False, secrets=False)))
    page = shared.owner.get(f"{shared.url}/finish")
    (name, *_) = page.all("//input[@name='author']/@value")
    assert not page.all("//input[@name='author'][@checked]")
    kept = Page(_finish(shared, licence="", author=[name], authors="Ada Lovelace", levels=["nonsense"]))
    assert kept.status == 422
    assert kept.all("//input[@name='author'][@checked]/@value") == [name]
    assert kept.one("//textarea[@name='authors']").text.strip() == "Ada Lovelace"
    assert _finish(shared, licence="CC-BY-4.0", author=[name], authors="Ada Lovelace").status_code == 303
    assert [author["name"] for author in shared.json()["authors"]] == [name, "Ada Lovelace"]


def test_names_of_authors_are_text(make: Make) -> None:
    shared = make()
    bad = "<b>x</b>\x00" + "y" * 300
    assert _finish(shared, licence="CC0-1.0", authors=bad).status_code == 303
    (author,) = shared.json()["authors"]
    assert len(author["name"]) <= 200
    assert "<b>x</b>" in shared.public.get(shared.url).text


def test_the_tree_opens_where_something_is_chosen(make: Make) -> None:
    shared = make()
    page = Page(_finish(shared, licence="CC0-1.0", subjects=["0521"], levels=["nonsense"]))
    assert page.all("//input[@name='subjects'][@checked]/@value") == ["0521"]
    box = page.one("//input[@id='subjects-0521']")
    assert all("open" in part.attrib for part in box.iterancestors("details"))
    alert = page.one("//fieldset[.//input[@name='levels']]")
    assert "levels-error" in alert.attrib["aria-describedby"]


def test_after_the_release_its_address_is_told_once(service: Service, make: Make) -> None:
    shared = make()
    owner = shared.owner
    answer = owner.send(f"{shared.url}/finish", "/finish", licence="CC0-1.0")
    assert owner.client.get(answer.location).location == shared.url
    page = owner.get(shared.url)
    assert "It is public now" in page.text
    assert f"{service.settings.base_url}{shared.url}" in page.text
    assert "It is public now" not in owner.get(shared.url).text
    assert "It is public now" not in shared.owner.get(shared.url).text
    assert "It is public now" not in shared.public.get(shared.url).text


def test_without_a_licence_it_stays_a_draft_and_keeps_the_answers(make: Make) -> None:
    shared = make()
    answer = _finish(shared, licence="", subjects=["0521"])
    assert answer.status_code == 409
    page = Page(answer)
    assert "Choose a licence first" in page.one("//div[@role='alert']").text_content()
    assert _asked(page) == ["licence", "authors", "language", "levels"]
    assert shared.json()["subjects"] == ["0521"]
    assert shared.json()["visibility"] == "draft"


def test_an_address_to_confirm_is_told_before_and_takes_no_answers_away(
    make_service: MakeService, mailbox: Mailbox
) -> None:
    service = make_service(smtp_url=mailbox.url, mail_from="repo@example.org", registration="open")
    visitor = somebody(service, "ada")
    with visitor.client.session_transaction() as session:
        client = service.client(session["token"])
    url = f"/resources/{json_of(send_file(client, b'Notes', file_name='a.txt'), 201)['id']}"
    service.work()
    page = visitor.get(f"{url}/finish")
    assert "Confirm your e-mail address first We sent a letter to ada@example.org." in page.text
    assert page.links()["My account"] == "/account"
    refused = Page(visitor.send(f"{url}/finish", "/finish", licence="CC-BY-4.0", subjects=["0521"]))
    assert refused.status == 409
    assert "Confirm your e-mail address" in refused.one("//div[@role='alert']").text_content()
    assert _asked(refused) == ["title", "summary", "authors", "language", "levels", "types"]
    visitor.send(mailbox.link("ada@example.org"), "/confirm")
    assert "Confirm your e-mail address" not in visitor.get(f"{url}/finish").text
    assert visitor.send(f"{url}/finish", "/finish").status_code == 303
    assert json_of(client.get(f"/api/v1{url}"))["visibility"] == "public"


def test_whose_draft_it_is_not_learns_as_whom_they_look(service: Service, make: Make) -> None:
    shared = make()
    other = Visitor(service, service.token("other"))
    for path in (shared.url, f"{shared.url}/finish"):
        page = other.get(path, 404)
        assert "you are signed in as other" in page.text
        assert page.links()["sign in with that"] == f"/sign-in?next={path}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("licence", "mine"),
        ("language", "xxxxxxxxxx"),
        ("subjects", "9999"),
        ("levels", "<b>"),
    ],
)
def test_codes_that_nobody_offered_are_refused(make: Make, field: str, value: str) -> None:
    shared = make()
    answer = _finish(shared, **{"licence": "CC0-1.0", field: value})
    assert answer.status_code == 422
    assert Page(answer).one("//div[@role='alert']").text_content().strip()
    assert (shared.json()["visibility"], shared.json()["licence"]) == ("draft", None)


def test_a_licence_that_all_files_have_is_proposed(make: Make, tmp_path: Path) -> None:
    made = private_members(users=False, secrets=False)
    shared = make(write_targz(tmp_path / "course.mbz", made))
    page = shared.owner.get(f"{shared.url}/finish")
    (chosen,) = page.all("//select[@name='licence']/option[@selected]")
    assert chosen.attrib["value"] == "CC-BY-4.0"
    assert "All files inside say CC BY 4.0" in page.text


def test_the_form_waits_for_the_licence_of_the_files(service: Service, tmp_path: Path) -> None:
    """The look inside is over before that is known. Who was asked already would not look again."""
    path = write_targz(tmp_path / "course.mbz", private_members(users=False, secrets=False))
    shared = Shared(service, path)
    service.work(but={JobKind.INDEX})
    page = shared.owner.get(f"{shared.url}/finish")
    assert "Looking inside the file" in page.text
    assert not page.all("//form//select")
    (waiting,) = page.all("//*[@data-processing]")
    address = waiting.attrib["data-processing"]
    assert shared.owner.client.get(address).get_json()["finished"] is False
    service.work()
    assert shared.owner.client.get(address).get_json()["finished"] is True
    (chosen,) = shared.owner.get(f"{shared.url}/finish").all("//select[@name='licence']/option[@selected]")
    assert chosen.attrib["value"] == "CC-BY-4.0"


def test_nobody_else_is_told_how_far_it_is(make: Make) -> None:
    shared = make()
    assert shared.public.client.get(f"{shared.url}/finish/looking").status_code == 303
    stranger = Visitor(shared.service, shared.service.token("stranger"))
    assert stranger.client.get(f"{shared.url}/finish/looking").status_code == 404


def test_files_without_a_licence_propose_none(make: Make) -> None:
    shared = make()
    page = shared.owner.get(f"{shared.url}/finish")
    assert not page.all("//select[@name='licence']/option[@selected]")


def test_keys_are_taken_out_on_the_way(service: Service, make: Make, tmp_path: Path) -> None:
    """As a stock Moodle shares: no users, but the keys of the course."""
    shared = make(private_backup(tmp_path / "keys.mbz", users=False))
    page = shared.owner.get(f"{shared.url}/finish")
    assert "So a clean copy is released in its place." in page.text
    assert "keys, passwords and contact addresses" in page.text
    assert page.one("//form//button[contains(@class, 'btn-lg')]").text == "Release a clean copy"
    _finish(shared, licence="CC-BY-4.0")
    page = shared.owner.get(f"{shared.url}/finish")
    assert page.one("//*[@data-processing]").attrib["data-processing"].endswith("/versions/1/cleaning")
    service.work(but=[JobKind.INSPECT])
    page = shared.owner.get(f"{shared.url}/finish")
    assert page.one("//*[@data-processing]").attrib["data-processing"].endswith("/finish/looking")
    assert "It is released as soon as nothing stands against it." in page.text
    service.work()
    assert shared.owner.client.get(f"{shared.url}/finish").location == shared.url
    versions = json_of(shared.public.client.get(f"/api/v1{shared.url}"))["versions"]
    assert [version["number"] for version in versions] == [2]
    assert (
        b"SELF-KEY-oak"
        not in shared.public.client.get(
            versions[0]["download_url"].removeprefix(service.settings.base_url)
        ).data
    )


def test_learners_are_taken_out_on_the_way(service: Service, make: Make, tmp_path: Path) -> None:
    shared = make(private_backup(tmp_path / "people.mbz"))
    page = shared.owner.get(f"{shared.url}/finish")
    assert "This file holds personal data" in page.text
    _finish(shared, licence="CC-BY-4.0")
    service.work()
    versions = json_of(shared.public.client.get(f"/api/v1{shared.url}"))["versions"]
    assert [version["number"] for version in versions] == [2]


def test_no_copy_is_made_while_the_licence_is_missing(service: Service, make: Make, tmp_path: Path) -> None:
    shared = make(private_backup(tmp_path / "keys.mbz", users=False))
    assert _finish(shared, licence="").status_code == 409
    service.work()
    assert len(shared.json()["versions"]) == 1


def test_what_cannot_be_cleaned_has_no_button(make: Make, tmp_path: Path) -> None:
    made = private_members()
    made["course/blocks/x_9/block.xml"] = b"<block><blockname>x</blockname><teacherid>7</teacherid></block>"
    shared = make(write_targz(tmp_path / "a.mbz", made))
    owner = shared.owner
    page = owner.get(f"{shared.url}/finish")
    assert "no clean copy can be made" in page.text
    assert page.links()["Add a version"] == f"{shared.url}/versions/new"
    assert not page.all("//form[not(@action)]")
    token = owner.get("/upload").form("/upload").fields["csrf_token"]
    answer = owner.client.post(
        f"{shared.url}/finish", data={"csrf_token": token, "licence": "CC0-1.0"}, headers=owner.headers
    )
    assert answer.status_code == 409
    assert "Not released" in answer.text
    assert shared.json()["visibility"] == "draft"


def test_while_the_file_is_looked_into(service: Service, tmp_path: Path) -> None:
    shared = Shared(service, backup(tmp_path / "course.mbz"))
    owner = shared.owner
    page = owner.get(f"{shared.url}/finish")
    assert page.one("//*[@data-processing]").attrib["data-processing"] == f"{shared.url}/finish/looking"
    assert page.links()["Look again"] == f"{shared.url}/finish"
    assert not page.all("//form[not(@action)]")
    token = owner.get("/upload").form("/upload").fields["csrf_token"]
    answer = owner.client.post(
        f"{shared.url}/finish", data={"csrf_token": token, "licence": "CC0-1.0"}, headers=owner.headers
    )
    assert answer.status_code == 409
    assert "still being inspected" in answer.text
    assert shared.json()["licence"] == "CC0-1.0"


@pytest.mark.parametrize("content", [b"nonsense", b"PK\x03\x04"])
def test_a_file_that_cannot_be_read(service: Service, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "course.mbz"
    path.write_bytes(content)
    shared = Shared(service, path)
    service.work()
    page = shared.owner.get(f"{shared.url}/finish")
    assert "The file could not be read" in page.text
    assert "Share it from Moodle once more" in page.text
    assert page.form("/inspect") is not None


def test_why_a_file_cannot_be_read_is_marked_as_english_where_there_are_no_other_words(
    service: Service, tmp_path: Path
) -> None:
    """Reasons are kept as they were found, with the names of members in them."""
    shared = Shared(service, write_targz(tmp_path / "course.mbz", {"moodle_backup.xml": b"<moodle_backup/>"}))
    service.work()
    page = Visitor(service, shared.token, language="de").get(f"{shared.url}/finish")
    said = page.one("//*[@lang='en'][starts-with(., 'moodle_backup.xml does not begin')]")
    assert said.attrib["dir"] == "ltr"
    assert not shared.owner.get(f"{shared.url}/finish").all("//main//*[@lang='en']")


def test_a_file_that_is_no_backup(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"Rivers and lakes\n")
    shared = Shared(service, path)
    service.work()
    page = shared.owner.get(f"{shared.url}/finish")
    assert _asked(page) == [
        "licence",
        "title",
        "summary",
        "authors",
        "language",
        "subjects",
        "levels",
        "types",
    ]
    assert _finish(shared, licence="CC0-1.0", types=["script"]).status_code == 303
    assert (shared.json()["visibility"], shared.json()["types"]) == ("public", ["script"])


def test_the_same_file_again_is_pointed_out(service: Service, make: Make) -> None:
    first = make()
    again = json_of(
        send_file(service.client(first.token), first.bytes, file_name="again.mbz", title="Once more"), 201
    )
    service.work()
    page = first.owner.get(f"/resources/{again['id']}/finish")
    assert "You have shared this very file before" in page.text
    assert page.links()["Introduction to Ecology"] == first.url


def test_the_same_title_again_is_pointed_out(service: Service, make: Make, tmp_path: Path) -> None:
    first = make()
    other = backup(tmp_path / "other.mbz", activities=[ActivitySpec(title="Newer")])
    again = json_of(send_file(service.client(first.token), other), 201)
    service.work()
    page = first.owner.get(f"/resources/{again['id']}/finish")
    assert "something of the same name" in page.text
    first.owner.send(first.url, "/withdraw", reason="Old")
    assert "of the same name" not in first.owner.get(f"/resources/{again['id']}/finish").text


def test_what_has_the_same_title_becomes_a_version_by_one_button(
    service: Service, make: Make, tmp_path: Path
) -> None:
    first = make(licence="CC0-1.0", release=True)
    other = backup(tmp_path / "other.mbz", activities=[ActivitySpec(title="Newer")])
    draft = json_of(send_file(service.client(first.token), other), 201)["id"]
    service.work()
    answer = first.owner.send(f"/resources/{draft}/finish", "/become-version", change_note="Newer\ttexts")
    assert (answer.status_code, answer.location) == (303, f"{first.url}/finish")
    page = first.owner.get(answer.location)
    assert _asked(page) == ["authors", "language", "subjects", "levels"]  # not the licence: that is known
    # Whoever kept the address of the draft is led there, and nobody else.
    assert first.owner.client.get(f"/resources/{draft}").location == first.url
    assert first.owner.client.get(f"/resources/{draft}/finish").location == f"{first.url}/finish"
    first.public.get(f"/resources/{draft}", 404)
    stranger = Visitor(service, service.token("stranger"))
    assert stranger.client.get(f"/resources/{draft}").status_code == 404
    assert stranger.client.get(f"/resources/{draft}/finish").status_code == 404
    _finish(first)
    public = first.public.get(first.url)
    assert "Newer" in public.text
    assert [version["number"] for version in first.json()["versions"]] == [2, 1]


def test_the_same_file_is_not_offered_as_a_version(service: Service, make: Make) -> None:
    first = make()
    again = json_of(send_file(service.client(first.token), first.bytes, file_name="again.mbz"), 201)
    service.work()
    page = first.owner.get(f"/resources/{again['id']}/finish")
    assert "You have shared this very file before" in page.text
    assert "Make it a new version" not in page.text


def test_what_is_public_is_not_offered_as_a_version(service: Service, make: Make, tmp_path: Path) -> None:
    first = make()
    other = backup(tmp_path / "other.mbz", activities=[ActivitySpec(title="Newer")])
    public = json_of(send_file(service.client(first.token), other, licence="CC0-1.0", release=True), 201)[
        "id"
    ]
    service.work()
    newest = backup(tmp_path / "newest.mbz", activities=[ActivitySpec(title="Newest")])
    with newest.open("rb") as file:
        url = f"/resources/{public}/versions/new"
        answer = first.owner.send(url, "/versions/new", change_note="Newest", file=file)
    assert (answer.status_code, answer.location) == (303, f"/resources/{public}/finish")
    service.work()
    page = first.owner.get(f"/resources/{public}/finish")
    assert "something of the same name" in page.text
    assert "Make it a new version" not in page.text


def test_a_version_of_nothing_or_of_somebody_elses(service: Service, make: Make) -> None:
    draft = make()
    theirs = json_of(send_file(service.member("other"), draft.bytes, licence="CC0-1.0", release=True), 201)[
        "id"
    ]
    service.work()
    owner = draft.owner
    token = owner.get("/upload").form("/upload").fields["csrf_token"]

    def ask(of: str) -> int:
        data = {"csrf_token": token, "of": of}
        answer = owner.client.post(f"{draft.url}/become-version", data=data, headers=owner.headers)
        return answer.status_code

    assert [ask(""), ask("x"), ask(theirs), ask(draft.id)] == [422, 422, 403, 409]
    assert draft.json()["visibility"] == "draft"
    assert owner.client.get(f"{draft.url}/become-version").location == draft.url


def test_what_others_have_is_told_to_nobody(service: Service, make: Make) -> None:
    first = make()
    mine = service.token("other")
    again = json_of(send_file(service.client(mine), first.bytes, file_name="a.mbz"), 201)
    service.work()
    page = Visitor(service, mine).get(f"/resources/{again['id']}/finish")
    assert not page.all("//div[@class='notice']")


def test_it_is_the_owners_page(service: Service, make: Make) -> None:
    shared = make()
    url = f"{shared.url}/finish"
    assert shared.public.client.get(url).location == f"/sign-in?next={url}"
    other = Visitor(service, service.token("other"))
    assert other.client.get(url, headers=other.headers).status_code == 404
    _finish(shared, licence="CC0-1.0")
    assert other.client.get(url, headers=other.headers).status_code == 403
    token = other.get("/upload").form("/upload").fields["csrf_token"]
    assert other.client.post(url, data={"csrf_token": token}, headers=other.headers).status_code == 403


def test_a_mirror_has_no_drafts(make_service: MakeService, service: Service, make: Make) -> None:
    shared = make()
    mirror = make_service(
        read_only=True, database_url=service.settings.database_url, store_url=service.settings.store_url
    )
    answer = mirror.app.test_client().get(f"{shared.url}/finish")
    assert answer.status_code == 403


def test_the_draft_leads_there(make: Make) -> None:
    shared = make()
    assert shared.owner.get(shared.url).links()["Finish and release"] == f"{shared.url}/finish"
