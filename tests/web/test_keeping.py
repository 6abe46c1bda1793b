"""Parts of pages that are kept: never those of somebody else, never those of another day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup
from sqlalchemy import update

from repo_service.app import engine_of
from repo_service.domain.identity import Role
from repo_service.models import Account, BlobLocation, InspectionRecord
from repo_service.web import showing
from repo_service.web.inside import Inside, inside_of
from repo_service.web.keeping import Keeper, Parts
from tests.support.backups import ActivitySpec, backup
from tests.support.service import Service
from tests.web.shared import Shared
from tests.web.visitor import Visitor


@pytest.fixture
def public(service: Service, tmp_path: Path) -> Shared:
    """A resource that everybody sees."""
    path = backup(tmp_path / "course.mbz", activities=[ActivitySpec(title="Food webs")])
    shared = Shared(service, path, title="Ecology", licence="CC-BY-4.0", languages=["en"], release=True)
    service.work()
    return shared


@pytest.fixture
def looked_into(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every page that is made of what was found in a file."""
    made: list[int] = []

    def counted(document: Mapping[str, Any]) -> Inside:
        made.append(1)
        return inside_of(document)

    monkeypatch.setattr(showing, "inside_of", counted)
    return made


def test_the_same_page_is_made_once_for_all(public: Shared, looked_into: list[int]) -> None:
    first = public.public.get(public.url)
    again = public.public.get(public.url)
    signed_in = Visitor(public.service, public.service.token("somebody")).get(public.url)
    assert len(looked_into) == 1
    assert again.source == first.source
    assert "Food webs" in signed_in.text
    main = "//main//*[not(self::script)]/text()"
    assert signed_in.all(main) == first.all(main)


def test_each_language_has_its_own(public: Shared) -> None:
    pages = {
        tag: Visitor(public.service, language=tag).get(public.url).text for tag in ("en", "de", "ar", "en")
    }
    assert "What is inside" in pages["en"]
    assert len(set(pages.values())) == 3
    # The page is in English for both; names of codes are in what each reads.
    assert (
        Visitor(public.service, language="pt").get(public.url).source
        != Visitor(public.service, language="it").get(public.url).source
    )


def test_what_owners_and_moderators_see_is_theirs(public: Shared, looked_into: list[int]) -> None:
    moderator = Visitor(public.service, public.service.token("judge", role=Role.MODERATOR))
    for privileged in (public.owner, moderator):
        page = privileged.get(public.url)
        assert "csrf_token" in page.source
        assert page.all("//section[@aria-labelledby='manage']")
        page = public.public.get(public.url)
        assert "csrf_token" not in page.source
        assert not page.all("//section[@aria-labelledby='manage']")
        assert page.all("//p[@class='report-link']")
        assert privileged.get(public.url).all("//section[@aria-labelledby='manage']")
    assert len(looked_into) == 5


def test_nothing_of_yesterday_is_shown(public: Shared) -> None:
    assert "Ecology" in public.public.get(public.url).text
    api = public.service.client(public.token)
    assert api.patch(f"/api/v1{public.url}", json={"title": "Ponds"}).status_code == 200
    assert "Ecology" not in public.public.get(public.url).source
    with engine_of(public.service.app).begin() as connection:
        connection.execute(update(Account).values(display_name="Rachel Carson"))
    assert "Rachel Carson" in public.public.get(public.url).text
    with engine_of(public.service.app).begin() as connection:
        connection.execute(update(BlobLocation).values(state="missing"))
    assert "missing, it is being replaced" in public.public.get(public.url).text
    assert api.post(f"/api/v1{public.url}/withdraw", json={"reason": "Too old"}).status_code == 204
    assert "Too old" in public.public.get(public.url, 410).text
    assert "Ponds" not in public.public.get(public.url, 410).source


def test_a_file_that_was_looked_into_anew_is_shown_anew(public: Shared, looked_into: list[int]) -> None:
    public.public.get(public.url)
    with engine_of(public.service.app).begin() as connection:
        connection.execute(update(InspectionRecord).values(created_at=datetime(2030, 1, 1, tzinfo=UTC)))
    public.public.get(public.url)
    assert len(looked_into) == 2


def test_versions_are_not_taken_for_each_other(public: Shared, tmp_path: Path) -> None:
    path = backup(tmp_path / "second.mbz", activities=[ActivitySpec(title="Ponds and lakes")])
    public.public.get(public.url)
    with path.open("rb") as file:
        answer = public.service.client(public.token).post(
            f"/api/v1{public.url}/versions",
            data={"metadata": '{"release": true}', "file": (file, "second.mbz")},
        )
    assert answer.status_code == 201
    public.service.work()
    for _ in range(2):
        assert "Ponds and lakes" in public.public.get(public.url).text
        older = public.public.get(f"{public.url}/versions/1").text
        assert "Food webs" in older
        assert "Ponds and lakes" not in older


# The keeper


def _parts(text: str) -> Parts:
    parts = Parts()
    assert parts("main", caller=lambda: Markup(text)) == text
    return parts


def _not_again() -> Markup:
    raise AssertionError("it was there")


def test_what_is_kept_is_found_by_what_it_was_made_of() -> None:
    keeper = Keeper()
    keeper.keep("page", (1, "a"), _parts("text"))
    found = keeper.find("page", (1, "a"))
    assert found.are_there
    assert found("main", caller=_not_again) == "text"
    assert not keeper.find("page", (1, "b")).are_there
    assert not keeper.find("other", (1, "a")).are_there


def test_the_longest_not_asked_for_goes_first() -> None:
    keeper = Keeper(room=40)
    for name in "abcd":
        keeper.keep(name, 0, _parts(name * 10))
    assert keeper.find("a", 0).are_there
    keeper.keep("e", 0, _parts("e" * 5))
    assert [name for name in "abcde" if keeper.find(name, 0).are_there] == ["a", "c", "d", "e"]


def test_a_new_one_takes_the_place_of_the_old() -> None:
    keeper = Keeper(room=40)
    for revision in range(100):
        keeper.keep("page", revision, _parts("0123456789"))
    keeper.keep("other", 0, _parts("0123456789"))
    assert keeper.find("page", 99).are_there
    assert not keeper.find("page", 98).are_there


def test_what_takes_too_much_room_is_not_kept() -> None:
    keeper = Keeper(room=40)
    keeper.keep("page", 0, _parts("0123456789"))
    keeper.keep("long", 0, _parts("0123456789+"))
    assert keeper.find("page", 0).are_there
    assert not keeper.find("long", 0).are_there
