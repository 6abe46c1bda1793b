"""The main job, end to end over HTTP: share, look inside, find, download the same bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.support.backups import ActivitySpec, backup
from tests.support.service import Service, json_of, send_file


def test_a_shared_course_is_found_by_an_activity_and_downloads_as_it_was(
    any_service: Service, tmp_path: Path
) -> None:
    """The story of the whole service, on both kinds of backends."""
    service = any_service
    path = backup(tmp_path / "c.mbz", activities=[ActivitySpec(title="Photosynthesis quiz", module="quiz")])
    original = path.read_bytes()
    teacher = service.member()

    created = send_file(teacher, original, licence="CC-BY-4.0", release=True)
    resource = json_of(created, 201)
    assert resource["visibility"] == "draft"
    assert service.client().get(f"/api/v1/resources/{resource['id']}").status_code == 404
    service.work()

    public = service.client()
    shown = json_of(public.get(f"/api/v1/resources/{resource['id']}"))
    assert shown["title"] == "Introduction to Ecology"
    assert shown["visibility"] == "public"
    version = shown["versions"][0]
    inspection = json_of(public.get(version["inspection_url"]))
    titles = [a["title"] for section in inspection["outline"] for a in section["activities"]]
    assert titles == ["Photosynthesis quiz"]

    asked = {"q": "photosynthesis", "facet": ["module"]}
    found = json_of(public.get("/api/v1/resources", query_string=asked))
    assert [item["id"] for item in found["items"]] == [resource["id"]]
    assert found["facets"]["module"] == [{"value": "quiz", "count": 1}]
    inside = found["items"][0]["highlights"]["inside"]
    assert [inside["text"][span["start"] : span["end"]] for span in inside["spans"]] == ["Photosynthesis"]
    titled = json_of(public.get("/api/v1/resources", query_string={"q": "ecology"}))["items"][0]
    assert set(titled["highlights"]) == {"title", "summary"}

    got = public.get(version["download_url"])
    assert got.status_code == 200
    assert hashlib.sha256(got.data).hexdigest() == hashlib.sha256(original).hexdigest() == version["sha256"]
    assert got.headers["Content-Length"] == str(len(original))
    assert version["download_url"].endswith("/course.mbz")
