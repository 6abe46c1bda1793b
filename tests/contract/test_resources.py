"""Resources over their life: draft, described, released, withdrawn, restored; and who sees what of it."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from repo_service.domain.identity import Role
from tests.contract.support import (
    DRAFT_BYTES,
    nothing_changes,
    path_of,
    pointers,
    problem_of,
    publish,
    sha256,
    share,
)
from tests.support.backups import ActivitySpec, backup
from tests.support.service import Service, json_of, send_file

_NOWHERE = "/api/v1/resources/00000000-0000-7000-8000-000000000000"


def _moderator(service: Service) -> FlaskClient:
    return service.client(service.token("moderator", role=Role.MODERATOR))


def _withdraw(client: FlaskClient, resource: Any, reason: str = "Old.") -> None:
    response = client.post(f"{path_of(resource['api_url'])}/withdraw", json={"reason": reason})
    assert response.status_code == 204, response.text


# Who sees what


def test_a_draft_is_its_owners(any_service: Service) -> None:
    """Others get 404 for everything about it, and can change nothing. A moderator may look."""
    service = any_service
    owner, other, public = service.member("owner"), service.member("other"), service.client()
    resource = share(owner, licence="CC-BY-4.0")
    service.work()
    url, version = path_of(resource["api_url"]), resource["versions"][0]
    assert json_of(owner.get(url))["visibility"] == "draft"
    reads = [url, path_of(version["inspection_url"]), path_of(version["download_url"])]
    with nothing_changes(service):
        for path in reads:
            for client in (other, public):
                problem_of(client.get(path), "not-found")
                assert client.head(path).status_code == 404
        problem_of(public.post(f"{url}/versions/1/download-link"), "not-found")
        problem_of(other.post(f"{url}/versions/1/download-link"), "not-found")
        problem_of(other.patch(url, json={"title": "Mine"}), "not-found")
        problem_of(other.post(f"{url}/withdraw", json={"reason": "x"}), "not-found")
        problem_of(other.post(f"{url}/restore"), "not-found")
        problem_of(other.post(f"{url}/versions/1/release"), "not-found")
        problem_of(other.post(f"{url}/versions/1/inspection"), "not-found")
        problem_of(public.patch(url, json={"title": "Mine"}), "unauthorised")
    assert json_of(other.get("/api/v1/me/resources"))["items"] == []
    moderator = _moderator(service)
    for path in reads:
        assert moderator.get(path).status_code == 200
    with nothing_changes(service):
        problem_of(moderator.patch(url, json={"title": "Mine"}), "forbidden")
        problem_of(moderator.post(f"{url}/versions/1/release"), "forbidden")


def test_a_public_resource_is_read_by_all_and_changed_by_its_owner(any_service: Service) -> None:
    """403 for strangers: they know that it is there."""
    owner, other = any_service.member("owner"), any_service.member("other")
    resource = publish(any_service, owner)
    url = path_of(resource["api_url"])
    assert json_of(other.get(url))["owner"] == "owner"
    with nothing_changes(any_service):
        problem_of(other.patch(url, json={"title": "Mine"}), "forbidden")
        problem_of(other.post(f"{url}/withdraw", json={"reason": "x"}), "forbidden")
        problem_of(other.post(f"{url}/versions/1/release"), "forbidden")
        problem_of(other.post(f"{url}/versions/1/inspection"), "forbidden")
        problem_of(send_file(other, b"x", url=f"{url}/versions"), "forbidden")
        problem_of(other.post(f"{url}/restore"), "not-found")


def test_what_is_not_there(service: Service) -> None:
    """404, whatever the method; ids that are none as well."""
    teacher = service.member()
    with nothing_changes(service):
        problem_of(teacher.get(_NOWHERE), "not-found")
        problem_of(teacher.patch(_NOWHERE, json={"title": "x"}), "not-found")
        problem_of(teacher.post(f"{_NOWHERE}/withdraw", json={"reason": "x"}), "not-found")
        problem_of(teacher.post(f"{_NOWHERE}/restore"), "not-found")
        problem_of(teacher.post(f"{_NOWHERE}/versions/1/release"), "not-found")
        problem_of(send_file(teacher, b"x", url=f"{_NOWHERE}/versions"), "not-found")
        problem_of(teacher.get("/api/v1/resources/not-an-id"), "not-found")
        problem_of(teacher.delete(_NOWHERE), "method-not-allowed")


def test_old_versions_stay_for_the_owner_and_the_public_sees_released_ones(any_service: Service) -> None:
    """A new version changes nothing for readers until it is released."""
    owner, public = any_service.member(), any_service.client()
    resource = publish(any_service, owner, b"first edition")
    url = path_of(resource["api_url"])
    added = send_file(
        owner, b"second edition", url=f"{url}/versions", file_name="new.txt", change_note="Typos."
    )
    assert added.headers["Location"] == resource["api_url"]
    both = json_of(added, 201)
    any_service.work()
    assert [(v["number"], v["change_note"]) for v in both["versions"]] == [(2, "Typos."), (1, "")]
    shown = json_of(public.get(url))
    assert [v["number"] for v in shown["versions"]] == [1]
    for path in (f"{url}/versions/2/inspection", path_of(both["versions"][0]["download_url"])):
        problem_of(public.get(path), "not-found")
        assert owner.get(path).status_code == 200
    problem_of(public.post(f"{url}/versions/2/download-link"), "not-found")

    json_of(owner.post(f"{url}/versions/2/release"))
    shown = json_of(public.get(url))
    assert [v["number"] for v in shown["versions"]] == [2, 1]
    assert public.get(path_of(shown["versions"][0]["download_url"])).data == b"second edition"
    assert public.get(path_of(shown["versions"][1]["download_url"])).data == b"first edition"
    assert [v["sha256"] for v in json_of(owner.get(url))["versions"]] == [
        sha256(b"second edition"),
        sha256(b"first edition"),
    ]


# Releasing


def test_release_is_refused_while_it_is_not_inspected(any_service: Service) -> None:
    """And works once it is; a second time changes nothing."""
    owner = any_service.member()
    resource = share(owner, licence="CC-BY-4.0")
    release = f"{path_of(resource['api_url'])}/versions/1/release"
    with nothing_changes(any_service):
        assert problem_of(owner.post(release), "not-inspected")["state"] == "queued"
    any_service.work()
    assert json_of(owner.post(release))["visibility"] == "public"
    with nothing_changes(any_service):
        json_of(owner.post(release))


def test_release_is_refused_with_people_inside(any_service: Service, tmp_path: Path) -> None:
    """Asked for at the upload or afterwards: the draft stays a draft."""
    owner = any_service.member()
    content = backup(tmp_path / "c.mbz", users=3).read_bytes()
    resource = json_of(send_file(owner, content, licence="CC-BY-4.0", release=True), 201)
    any_service.work()
    url = path_of(resource["api_url"])
    shown = json_of(owner.get(url))
    assert shown["visibility"] == "draft"
    assert shown["versions"][0]["released_at"] is None
    assert shown["versions"][0]["release_requested"] is False
    with nothing_changes(any_service):
        problem = problem_of(owner.post(f"{url}/versions/1/release"), "blocking-findings")
    refused = {"code": "blocking-findings", "detail": problem["detail"]}
    assert shown["versions"][0]["release_refused"] == refused
    assert problem["findings"]
    problem_of(any_service.client().get(url), "not-found")
    inspection = json_of(owner.get(f"{url}/versions/1/inspection"))
    assert inspection["users"] == 3
    blocking = [f["code"] for f in inspection["findings"] if f["finding_class"] == "blocking"]
    assert blocking == problem["findings"]


def test_release_is_refused_without_a_licence(any_service: Service) -> None:
    """The problem points at what is missing; with it the release works."""
    owner = any_service.member()
    resource = share(owner, release=True)
    any_service.work()
    url = path_of(resource["api_url"])
    assert json_of(owner.get(url))["versions"][0]["release_refused"]["code"] == "incomplete"
    with nothing_changes(any_service):
        problem = problem_of(owner.post(f"{url}/versions/1/release"), "incomplete")
    assert pointers(problem) == ["/licence"]
    json_of(owner.patch(url, json={"licence": "CC-BY-4.0"}))
    assert json_of(owner.get(url))["visibility"] == "draft", "nothing is released behind the owner's back"
    released = json_of(owner.post(f"{url}/versions/1/release"))
    assert released["visibility"] == "public"
    assert released["versions"][0]["release_refused"] is None


def test_release_is_refused_for_a_file_that_cannot_be_read(any_service: Service, tmp_path: Path) -> None:
    """A backup that was cut short: the owner is told why, and the bytes can still be had."""
    owner = any_service.member()
    whole = backup(tmp_path / "c.mbz").read_bytes()
    cut = whole[: len(whole) // 2]
    resource = json_of(send_file(owner, cut, licence="CC-BY-4.0", release=True), 201)
    any_service.work()
    url = path_of(resource["api_url"])
    processing = json_of(owner.get(url))["versions"][0]["processing"]
    assert processing["state"] == "failed"
    assert processing["reason"]
    with nothing_changes(any_service):
        for response in (owner.post(f"{url}/versions/1/release"), owner.get(f"{url}/versions/1/inspection")):
            assert problem_of(response, "invalid-file")["reason"]
    assert owner.get(path_of(resource["versions"][0]["download_url"])).data == cut


def test_release_at_the_upload_of_a_version(any_service: Service) -> None:
    """As soon as nothing stands against it."""
    owner = any_service.member()
    resource = publish(any_service, owner, b"one")
    versions = f"{path_of(resource['api_url'])}/versions"
    json_of(send_file(owner, b"two", url=versions, file_name="two.txt", release=True), 201)
    assert len(json_of(any_service.client().get(path_of(resource["api_url"])))["versions"]) == 1
    any_service.work()
    assert len(json_of(any_service.client().get(path_of(resource["api_url"])))["versions"]) == 2


# Describing


def test_what_is_found_fills_what_the_owner_left_open(any_service: Service, tmp_path: Path) -> None:
    """And no more: what they said stays, and what they say later is theirs."""
    owner = any_service.member()
    content = backup(
        tmp_path / "c.mbz", fullname="Ecology", summary="<p>Life</p>", language="fr", tags=["rivers"]
    ).read_bytes()
    resource = json_of(send_file(owner, content, title="My ecology"), 201)
    assert resource["found"] == ["summary", "languages", "keywords"]
    any_service.work()
    url = path_of(resource["api_url"])
    shown = json_of(owner.get(url))
    assert (shown["title"], shown["summary_text"]) == ("My ecology", "Life")
    assert (shown["languages"], shown["keywords"]) == (["fr"], ["rivers"])
    assert json_of(owner.patch(url, json={"keywords": ["lakes"]}))["found"] == ["summary", "languages"]
    json_of(owner.post(f"{url}/versions/1/inspection"), 202)
    any_service.work()
    shown = json_of(owner.get(url))
    assert (shown["title"], shown["keywords"]) == ("My ecology", ["lakes"])


def test_codes_go_by_any_name_and_are_kept_by_one(any_service: Service) -> None:
    """URIs, other catalogues' identifiers and old spellings; tags of languages in their canonical form."""
    owner = any_service.member()
    url = path_of(share(owner)["api_url"])
    said = {
        "title": "  Rivers \t and\nlakes ",
        "licence": "https://creativecommons.org/licenses/by/4.0/",
        "languages": ["EN-us", "pt_br", "deu", "en-US"],
        "subjects": ["0521", "0521"],
        "keywords": [" water ", "water", "  "],
        "authors": [{"name": "Ada", "url": "https://example.org/ada"}, {"name": "Bob"}],
    }
    shown = json_of(owner.patch(url, json=said))
    assert shown["title"] == "Rivers and lakes"
    assert shown["licence"] == "CC-BY-4.0"
    assert shown["languages"] == ["en-US", "pt-BR", "de"]
    assert shown["subjects"] == ["0521"]
    assert shown["keywords"] == ["water"]
    assert shown["authors"] == [{"name": "Ada", "url": "https://example.org/ada"}, {"name": "Bob", "url": ""}]
    assert json_of(owner.get(url)) == shown


def test_every_identifier_that_a_vocabulary_serves_is_taken(service: Service) -> None:
    """By code, by URI, and by what it is called elsewhere: all come back as the code."""
    owner, public = service.member(), service.client()
    url = path_of(share(owner)["api_url"])
    fields = {"isced-f-2013": "subjects", "isced-2011": "levels", "hcrt": "types", "licences": "licence"}
    for name, field in fields.items():
        served = json_of(public.get(f"/vocabularies/{name}"))
        concept = next(c for c in served["concepts"] if c["exact_match"] or c["uri"])
        known = {concept["code"], concept["uri"], *chain(*concept["exact_match"].values())} - {None}
        for identifier in known:
            given = identifier if field == "licence" else [identifier]
            shown = json_of(owner.patch(url, json={field: given}))
            assert shown[field] == (concept["code"] if field == "licence" else [concept["code"]])


def test_licences_are_served_with_the_nearest_ones_of_moodle(service: Service) -> None:
    """Moodle has no CC0: what comes nearest there is not the same, and so not taken as input."""
    served = json_of(service.client().get("/vocabularies/licences"))["concepts"]
    cc0 = next(concept for concept in served if concept["code"] == "CC0-1.0")
    assert cc0["close_match"]["moodle"] == ["public"]
    assert "moodle" not in cc0["exact_match"]


def test_wrong_values_are_named_one_by_one(any_service: Service) -> None:
    """By JSON Pointer; and nothing of the change is kept, what was right neither."""
    owner = any_service.member()
    url = path_of(share(owner, title="As it was")["api_url"])
    wrong = {
        "title": "New",
        "licence": "GPL-0",
        "languages": ["en", "not a language"],
        "subjects": ["9999"],
        "levels": ["x"],
        "types": ["y"],
        "authors": [{"name": " "}, {"name": "Eve", "url": "javascript:alert(1)"}],
    }
    with nothing_changes(any_service):
        problem = problem_of(owner.patch(url, json=wrong), "invalid-input")
    assert sorted(pointers(problem)) == [
        "/authors/0/name",
        "/authors/1/url",
        "/languages/1",
        "/levels/0",
        "/licence",
        "/subjects/0",
        "/types/0",
    ]
    assert json_of(owner.get(url))["title"] == "As it was"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"title": ""}, "/title"),
        ({"title": "\u200b \t"}, "/title"),
        ({"title": "x" * 501}, "/title"),
        ({"title": 5}, "/title"),
        ({"title": "a\u0000b"}, "/title"),
        ({"colour": "red"}, "/colour"),
        ({"languages": "en"}, "/languages"),
        ({"keywords": ["x"] * 51}, "/keywords"),
        ({"keywords": ["x" * 201]}, "/keywords/0"),
        ({"authors": [{"url": "https://x.example"}]}, "/authors/0/name"),
        ({"summary": "x" * 50_001}, "/summary"),
        ({"visibility": "public"}, "/visibility"),
        ({"owner": "somebody"}, "/owner"),
    ],
)
def test_what_is_no_description(service: Service, body: Any, pointer: str) -> None:
    """Too long, of another type, unknown, or not the owner's to say."""
    owner = service.member()
    url = path_of(share(owner)["api_url"])
    with nothing_changes(service):
        assert pointers(problem_of(owner.patch(url, json=body), "invalid-input")) == [pointer]


def test_html_of_strangers_is_cleaned(any_service: Service) -> None:
    """Scripts, handlers, frames and odd addresses go; the words stay."""
    owner = any_service.member()
    url = path_of(share(owner)["api_url"])
    evil = (
        '<p onclick="steal()">Rivers <script>alert(1)</script><b>flow</b></p><iframe src="//x"></iframe>'
        '<a href="javascript:alert(1)">here</a><img src=x onerror=alert(1)><style>*{}</style>'
        "<svg/onload=alert(1)>"
    )
    shown = json_of(owner.patch(url, json={"summary": evil}))
    for bad in ("script", "onclick", "onerror", "onload", "iframe", "javascript", "style", "alert"):
        assert bad not in shown["summary"].lower()
    assert "<b>flow</b>" in shown["summary"]
    assert shown["summary_text"].startswith("Rivers flow")
    assert "<" not in shown["summary_text"]


def test_if_match(any_service: Service) -> None:
    """A change on what was read; 412 on anything else, and for tags that can never match."""
    owner = any_service.member()
    url = path_of(share(owner)["api_url"])
    read = owner.get(url).headers["ETag"]
    changed = owner.patch(url, json={"title": "One"}, headers={"If-Match": read})
    assert changed.status_code == 200
    now_read = changed.headers["ETag"]
    assert now_read != read
    with nothing_changes(any_service):
        for tag in (read, '"nonsense"', f"W/{now_read}", f'{read}, "x"'):
            problem_of(
                owner.patch(url, json={"title": "Two"}, headers={"If-Match": tag}), "precondition-failed"
            )
    for tag in (now_read, "*"):
        response = owner.patch(url, json={"title": "Two"}, headers={"If-Match": tag})
        assert response.status_code == 200
    several = f'"x", {owner.get(url).headers["ETag"]}'
    assert owner.patch(url, json={"title": "Three"}, headers={"If-Match": several}).status_code == 200


def test_etags_and_304(any_service: Service) -> None:
    """For the public and the owner, whose views and tags are not the same; a change makes a new one."""
    owner, public = any_service.member(), any_service.client()
    resource = publish(any_service, owner)
    url = path_of(resource["api_url"])
    for client in (owner, public):
        first = client.get(url)
        etag = first.headers["ETag"]
        again = client.get(url, headers={"If-None-Match": etag})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
        assert "Authorization" in again.headers["Vary"]
        assert client.get(url, headers={"If-None-Match": f'"x", W/{etag}'}).status_code == 304
        assert client.get(url, headers={"If-None-Match": '"x"'}).status_code == 200
    owners, publics = owner.get(url).headers["ETag"], public.get(url).headers["ETag"]
    assert owners != publics
    json_of(owner.patch(url, json={"title": "New"}))
    assert owner.get(url, headers={"If-None-Match": owners}).status_code == 200
    assert public.get(url, headers={"If-None-Match": publics}).status_code == 200
    draft = path_of(share(owner, b"draft")["api_url"])
    tag = owner.get(draft).headers["ETag"]
    problem_of(public.get(draft, headers={"If-None-Match": tag}), "not-found")
    any_service.work()
    assert owner.get(draft, headers={"If-None-Match": tag}).status_code == 200, "it was inspected meanwhile"


# Withdrawing and restoring


def test_withdrawn_is_gone_with_the_reason(any_service: Service) -> None:
    """For everybody and every address; it is not found any more, and its trail stays."""
    owner, other, public = any_service.member("owner"), any_service.member("other"), any_service.client()
    resource = publish(any_service, owner)
    url, version = path_of(resource["api_url"]), resource["versions"][0]
    _withdraw(owner, resource, "A newer course replaces it.")
    for client in (public, other, owner):
        for path in (url, path_of(version["download_url"]), path_of(version["inspection_url"])):
            problem = problem_of(client.get(path), "gone")
            assert problem["reason"] == "A newer course replaces it."
            assert problem["withdrawn_at"]
    with nothing_changes(any_service):
        problem_of(owner.patch(url, json={"title": "x"}), "gone")
        problem_of(owner.post(f"{url}/withdraw", json={"reason": "Again."}), "gone")
        problem_of(owner.post(f"{url}/versions/1/release"), "gone")
        problem_of(owner.post(f"{url}/versions/1/inspection"), "gone")
        problem_of(public.post(f"{url}/versions/1/download-link"), "gone")
        problem_of(send_file(owner, b"new", url=f"{url}/versions"), "gone")
        problem_of(other.post(f"{url}/restore"), "not-found")
        problem_of(public.post(f"{url}/restore"), "unauthorised")
    (own,) = json_of(owner.get("/api/v1/me/resources"))["items"]
    assert own["visibility"] == "withdrawn"
    asked = {"noun": "resource", "noun_id": resource["id"]}
    trail = json_of(_moderator(any_service).get("/api/v1/audit", query_string=asked))["items"]
    assert trail[0]["action"] == "withdraw"
    assert trail[0]["details"]["reason"] == "A newer course replaces it."


def test_a_draft_that_was_withdrawn_was_never_there(any_service: Service) -> None:
    """404 for others, as before; 410 for its owner."""
    owner = any_service.member("owner")
    resource = share(owner)
    _withdraw(owner, resource)
    url = path_of(resource["api_url"])
    for client in (any_service.client(), any_service.member("other")):
        problem_of(client.get(url), "not-found")
        problem_of(client.get(path_of(resource["versions"][0]["download_url"])), "not-found")
    problem_of(owner.get(url), "gone")


@pytest.mark.parametrize("reason", ["", None, "x" * 1001, 5, "a\u0000"])
def test_withdrawing_needs_a_reason(service: Service, reason: Any) -> None:
    """One that can be shown."""
    owner = service.member()
    resource = publish(service, owner)
    with nothing_changes(service):
        response = owner.post(f"{path_of(resource['api_url'])}/withdraw", json={"reason": reason})
        assert pointers(problem_of(response, "invalid-input")) == ["/reason"]


def test_restoring(any_service: Service) -> None:
    """By whoever withdrew it, or a moderator: to what it was before."""
    owner, moderator, public = any_service.member("owner"), _moderator(any_service), any_service.client()
    resource = publish(any_service, owner)
    draft = share(owner, b"draft")
    url = path_of(resource["api_url"])
    with nothing_changes(any_service):
        problem_of(owner.post(f"{url}/restore"), "conflict")
        problem_of(owner.post(f"{_NOWHERE}/restore"), "not-found")
    for thing, visibility in ((resource, "public"), (draft, "draft")):
        _withdraw(owner, thing)
        assert json_of(owner.post(f"{path_of(thing['api_url'])}/restore"))["visibility"] == visibility
    assert public.get(path_of(resource["versions"][0]["download_url"])).data == DRAFT_BYTES

    _withdraw(moderator, resource, "Against the rules.")
    with nothing_changes(any_service):
        problem_of(owner.post(f"{url}/restore"), "forbidden")
    assert json_of(moderator.post(f"{url}/restore"))["visibility"] == "public"

    _withdraw(owner, resource)
    _withdraw(moderator, resource, "Against the rules.")
    with nothing_changes(any_service):
        problem_of(owner.post(f"{url}/restore"), "forbidden")


def test_a_moderator_undoes_no_decision_about_their_own(any_service: Service) -> None:
    """Neither at once nor by withdrawing it again, as if they had been the one who did."""
    owner = any_service.client(any_service.token("owner", Role.MODERATOR))
    moderator = _moderator(any_service)
    resource = publish(any_service, owner)
    url = path_of(resource["api_url"])
    _withdraw(moderator, resource, "Against the rules.")
    with nothing_changes(any_service):
        problem_of(owner.post(f"{url}/restore"), "forbidden")
        problem_of(owner.post(f"{url}/withdraw", json={"reason": "Mine."}), "gone")
        problem_of(owner.post(f"{url}/restore"), "forbidden")
    assert json_of(moderator.post(f"{url}/restore"))["visibility"] == "public"
    _withdraw(owner, resource)
    assert json_of(owner.post(f"{url}/restore"))["visibility"] == "public"


# Lists


def test_paging_ones_own(any_service: Service) -> None:
    """Newest first, each once, also when others come in between."""
    owner = any_service.member("owner")
    share(any_service.member("other"), b"other")
    made = [share(owner, f"text {n}".encode())["id"] for n in range(5)]
    seen, cursor = [], None
    while True:
        asked = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = json_of(owner.get("/api/v1/me/resources", query_string=asked))
        seen += [item["id"] for item in page["items"]]
        if cursor is None:
            share(owner, b"meanwhile")
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]
    problem_of(any_service.client().get("/api/v1/me/resources"), "unauthorised")
    for garbage in ("x", "!!!", "bm90LWEtdXVpZA", "\u20ac", "%00", "MTIz"):
        for path in ("/api/v1/me/resources", "/api/v1/resources"):
            problem_of(owner.get(path, query_string={"cursor": garbage}), "invalid-cursor")


def test_the_search_names_what_it_does_not_take(service: Service) -> None:
    """Unknown facets, too many, too long."""
    public = service.client()
    for asked in ({"facet": "colour"}, {"limit": "0"}, {"q": "x" * 501}, {"module": "x" * 201}):
        problem = problem_of(public.get("/api/v1/resources", query_string=asked), "invalid-input")
        assert {error["location"] for error in problem["errors"]} == {"query"}
        assert problem["errors"][0]["pointer"].startswith(f"/{next(iter(asked))}")


def test_filters_and_facets_over_the_api(any_service: Service, tmp_path: Path) -> None:
    """Alternatives within one filter, all filters together; a facet is counted as if it was not filtered."""
    owner, public = any_service.member(), any_service.client()
    for number, (module, licence) in enumerate(
        [("quiz", "CC0-1.0"), ("forum", "CC0-1.0"), ("quiz", "CC-BY-4.0")]
    ):
        content = backup(
            tmp_path / f"{number}.mbz", activities=[ActivitySpec(module=module, title=f"Thing {number}")]
        ).read_bytes()
        json_of(send_file(owner, content, licence=licence, release=True, languages=["en"]), 201)
    any_service.work()

    def ask(**asked: Any) -> Any:
        return json_of(public.get("/api/v1/resources", query_string=asked))

    assert ask()["total"] == 3
    assert ask(module="quiz")["total"] == 2
    assert ask(module=["quiz", "forum"])["total"] == 3
    assert ask(module="quiz", licence="CC0-1.0")["total"] == 1
    assert ask(moodle_release="4.5")["total"] == 3
    assert ask(language="fr")["total"] == 0
    assert ask(file_type="mbz")["total"] == 3
    assert ask(file_type=["pdf", "mbz"], module="forum")["total"] == 1
    assert ask(file_type="pdf")["total"] == 0
    assert ask(format="course")["total"] == 3
    assert ask(format=["h5p", "activity"])["total"] == 0
    found = ask(module="quiz", facet=["module", "licence"])
    assert found["facets"]["module"] == [{"value": "quiz", "count": 2}, {"value": "forum", "count": 1}]
    assert {c["value"]: c["count"] for c in found["facets"]["licence"]} == {"CC0-1.0": 1, "CC-BY-4.0": 1}
