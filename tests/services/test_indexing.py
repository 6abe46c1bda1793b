"""The search index follows the catalogue, and the catalogue has the last word."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from tests.contract.support import publish, share
from tests.support.service import Service, json_of


def _found(client: FlaskClient, q: str, **asked: Any) -> list[str]:
    page = json_of(client.get("/api/v1/resources", query_string={"q": q, **asked}))
    return [item["id"] for item in page["items"]]


def test_withdrawn_is_not_found_and_restored_is(any_service: Service) -> None:
    """The index follows within one round of the worker."""
    teacher, public = any_service.member(), any_service.client()
    resource = publish(any_service, teacher, title="Sedimentary rocks")
    url = f"/api/v1/resources/{resource['id']}"
    assert _found(public, "sedimentary") == [resource["id"]]

    assert teacher.post(f"{url}/withdraw", json={"reason": "Old."}).status_code == 204
    any_service.work()
    page = json_of(public.get("/api/v1/resources", query_string={"q": "sedimentary", "facet": "licence"}))
    assert (page["items"], page["total"], page["facets"]["licence"]) == ([], 0, [])

    json_of(teacher.post(f"{url}/restore"))
    any_service.work()
    assert _found(public, "sedimentary") == [resource["id"]]


def test_sql_has_the_last_word_while_the_index_lags(any_service: Service) -> None:
    """What was withdrawn a moment ago is in the index still, and is not shown to anybody, nor counted."""
    teacher, public = any_service.member(), any_service.client()
    gone = publish(any_service, teacher, b"one", title="Volcanoes, first edition")
    stays = publish(any_service, teacher, b"two", title="Volcanoes, second edition")
    reason = {"reason": "Replaced."}
    assert teacher.post(f"/api/v1/resources/{gone['id']}/withdraw", json=reason).status_code == 204
    for client in (public, teacher):
        page = json_of(client.get("/api/v1/resources", query_string={"q": "volcanoes"}))
        assert [item["id"] for item in page["items"]] == [stays["id"]]
        assert page["total"] == 1


def test_what_is_shown_is_what_the_catalogue_says_now(service: Service) -> None:
    """Fields and highlights come from SQL, not from a lagging index."""
    teacher, public = service.member(), service.client()
    resource = publish(service, teacher, title="Volcanoes")
    json_of(teacher.patch(f"/api/v1/resources/{resource['id']}", json={"title": "Mountains and volcanoes"}))
    (item,) = json_of(public.get("/api/v1/resources", query_string={"q": "volcanoes"}))["items"]
    assert item["title"] == "Mountains and volcanoes"
    highlight = item["highlights"]["title"]
    assert [highlight["text"][s["start"] : s["end"]] for s in highlight["spans"]] == ["volcanoes"]


def test_drafts_are_never_indexed(service: Service) -> None:
    """Not for their owner either: search is over what is public."""
    teacher = service.member()
    share(teacher, title="Unfinished thoughts")
    service.work()
    assert _found(teacher, "unfinished") == []


def test_reindexing_gives_the_same_answers(any_service: Service) -> None:
    """The index is derived: made anew from SQL it answers alike, facets and order included."""
    teacher, public = any_service.member(), any_service.client()
    for number, subject in enumerate(["0521", "0532", "0521"]):
        publish(
            any_service,
            teacher,
            f"text {number}".encode(),
            title=f"Rivers {number}",
            subjects=[subject],
            languages=["en"],
        )
    withdrawn = publish(any_service, teacher, b"text x", title="Rivers x")
    url = f"/api/v1/resources/{withdrawn['id']}/withdraw"
    assert teacher.post(url, json={"reason": "Old."}).status_code == 204
    any_service.work()
    asked = {"q": "rivers", "facet": ["subject", "licence", "language"]}
    before = json_of(public.get("/api/v1/resources", query_string=asked))
    assert before["total"] == 3
    assert {"value": "0521", "count": 2} in before["facets"]["subject"]

    indexer = any_service.services.indexer
    assert indexer is not None
    told: list[tuple[int, int]] = []
    assert indexer.reindex(lambda done, total: told.append((done, total))) == 3
    assert told[-1] == (3, 3)
    assert json_of(public.get("/api/v1/resources", query_string=asked)) == before

    changed = publish(any_service, teacher, b"text y", title="Rivers y")
    assert changed["id"] in _found(public, "rivers"), "the index still follows after it was made anew"


def test_paging_survives_a_reindex(service: Service) -> None:
    """A cursor names a place in the order, not in an engine's files."""
    teacher, public = service.member(), service.client()
    made = {publish(service, teacher, f"text {n}".encode(), title=f"Rivers {n}")["id"] for n in range(5)}
    first = json_of(public.get("/api/v1/resources", query_string={"q": "rivers", "limit": 2}))
    assert service.services.indexer is not None
    service.services.indexer.reindex()
    seen = [item["id"] for item in first["items"]]
    cursor = first["next_cursor"]
    while cursor:
        page = json_of(
            public.get("/api/v1/resources", query_string={"q": "rivers", "limit": 2, "cursor": cursor})
        )
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == 5
    assert set(seen) == made
