"""Files that are no backups, over HTTP: what is said of them, what is taken over, their licences."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.support import problem_of, publish, share
from tests.support.mutating import zipped
from tests.support.oer import SAMPLES, docx, h5p, moodle_xml, scorm12
from tests.support.service import Service, json_of
from tests.web.visitor import Visitor


def _version(resource: dict[str, Any], client: Any) -> dict[str, Any]:
    shown = json_of(client.get(f"/api/v1/resources/{resource['id']}"))
    version: dict[str, Any] = shown["versions"][0]
    return version


@pytest.mark.parametrize(
    ("sample", "format_", "use"),
    [
        ("h5p", "h5p", "h5pactivity"),
        ("SCORM 1.2", "scorm", "scorm"),
        ("content package", "imscp", "scorm"),
        ("Common Cartridge 1.3.0", "imscc", "resource"),
        ("docx", "docx", "resource"),
        ("plain text", "text", "resource"),
    ],
)
def test_what_it_is_and_what_moodle_makes_of_it(
    sample: str, format_: str, use: str, any_service: Service
) -> None:
    service, teacher = any_service, any_service.member()
    ending = {"h5pactivity": "h5p", "scorm": "zip"}.get(use, "bin")
    resource = share(teacher, SAMPLES[sample].make(), file_name=f"shared.{ending}")
    before = _version(resource, teacher)
    assert (before["kind"], before["format"], before["moodle_use"]) == (None, None, None)
    service.work()
    version = _version(resource, teacher)
    assert (version["kind"], version["format"], version["moodle_use"]) == ("file", format_, use)
    document = json_of(teacher.get(version["inspection_url"]))
    assert document["format"] == format_
    assert "text" not in document


def test_what_nobody_knows_has_no_format(service: Service) -> None:
    teacher = service.member()
    resource = share(teacher, b"\x00\x01\x02\x03", file_name="x.bin")
    service.work()
    version = _version(resource, teacher)
    assert (version["kind"], version["format"], version["moodle_use"]) == ("file", None, "resource")


def test_found_by_its_format(service: Service) -> None:
    """By what is in it, whatever it is called; on the page by the format's name."""
    teacher, public = service.member(), service.client()
    found = publish(service, teacher, h5p(), file_name="berries.zip", languages=["en"])
    publish(service, teacher, docx(), file_name="leaves.docx", languages=["en"])
    publish(service, teacher, b"\x00\x01\x02\x03", file_name="x.bin", languages=["en"])
    answer = json_of(public.get("/api/v1/resources?format=h5p&facet=format"))
    assert [resource["id"] for resource in answer["items"]] == [found["id"]]
    counts = [{"value": "docx", "count": 1}, {"value": "h5p", "count": 1}]
    assert sorted(answer["facets"]["format"], key=lambda one: str(one["value"])) == counts
    page = Visitor(service).get("/")
    assert page.links()["H5P package 1 (1 resource)"] == "/?format=h5p"


def test_what_the_file_says_is_taken_over_where_its_owner_says_nothing(service: Service) -> None:
    teacher = service.member()
    resource = share(teacher, scorm12(), file_name="water.zip")
    described = share(teacher, scorm12(), file_name="water.zip", title="Mine", languages=["de"], keywords=[])
    service.work()
    shown = json_of(teacher.get(f"/api/v1/resources/{resource['id']}"))
    assert shown["title"] == "Water for all"
    assert shown["summary_text"] == "How water gets to us."
    assert shown["languages"] == ["en-GB"]
    assert shown["keywords"] == ["water"]
    assert shown["licence"] is None  # proposed only: the owner decides
    assert shown["authors"] == []
    kept = json_of(teacher.get(f"/api/v1/resources/{described['id']}"))
    assert (kept["title"], kept["languages"]) == ("Mine", ["de"])


def test_a_language_that_is_a_guess_is_not_said_in_the_owners_name(service: Service) -> None:
    teacher = service.member()
    resource = share(teacher, moodle_xml(), file_name="questions.xml")
    service.work()
    shown = json_of(teacher.get(f"/api/v1/resources/{resource['id']}"))
    document = json_of(teacher.get(shown["versions"][0]["inspection_url"]))
    assert (document["language"], document["language_detected"]) == ("de", True)
    assert shown["languages"] == []


def test_its_words_are_found(service: Service) -> None:
    published = publish(service, service.member(), docx(), file_name="rivers.docx")
    for words in ("“clear and cold”", "spring"):
        hits = json_of(service.client().get("/api/v1/resources", query_string={"q": words}))["items"]
        assert [hit["id"] for hit in hits] == [published["id"]], words


def test_licences_of_a_package_and_of_its_media(service: Service) -> None:
    teacher = service.member()
    resource = share(teacher, h5p(), file_name="leaves.h5p", licence="CC-BY-4.0")
    service.work()
    url = f"/api/v1/resources/{resource['id']}/versions/1/licences"
    told = json_of(teacher.get(url))
    rows = [(file["name"], file["licence"]["code"], file["author"]) for file in told["files"]]
    assert rows == [
        ("leaves.h5p", "CC-BY-SA-4.0", "Ada Lovelace, Bob"),
        ("A leaf", "CC-BY-NC-3.0", "Eve"),
        ("Sky", "public-domain", "Nobody"),
    ]
    assert [(finding["code"], finding["count"]) for finding in told["findings"]] == [
        ("non-commercial", 1),
        ("share-alike", 1),
    ]
    first = json_of(teacher.get(f"{url}?limit=2"))
    assert [file["name"] for file in first["files"]] == ["leaves.h5p", "A leaf"]
    second = json_of(teacher.get(f"{url}?limit=2&cursor={first['next_cursor']}"))
    assert [file["name"] for file in second["files"]] == ["Sky"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("sample", "changed", "reason"),
    [
        ("h5p", {"../../etc/passwd": b"x"}, "path-traversal"),
        ("h5p", {"h5p.json": b"{"}, "bad-manifest"),
        ("h5p", {"content/content.json": b"[" * 900_000}, "bad-manifest"),
        ("h5p", {"content/content.json": b'{"a":' * 200 + b"1" + b"}" * 200}, "json-too-deep"),
        ("SCORM 1.2", {"imsmanifest.xml": b"<manifest>"}, "bad-xml"),
        (
            "SCORM 1.2",
            {"imsmanifest.xml": b'<!DOCTYPE manifest [<!ENTITY x "y">]><manifest>&x;</manifest>'},
            "xml-doctype",
        ),
        ("EPUB 3.0", {"OEBPS/book.opf": b"<package>" * 400}, "xml-too-deep"),
        (
            "EPUB 2.0",
            {"OEBPS/toc.ncx": b'<!DOCTYPE ncx [<!ENTITY x SYSTEM "file:///etc/passwd">]><ncx>&x;</ncx>'},
            "xml-doctype",
        ),
        ("odt", {"content.xml": b"<a" + b" " * 600_000}, "xml-token-too-long"),
    ],
)
def test_hostile_packages_are_refused_with_the_reason(
    sample: str, changed: dict[str, bytes], reason: str, service: Service
) -> None:
    teacher = service.member()
    resource = share(
        teacher, zipped(SAMPLES[sample].make(), changed), file_name="x.zip", licence="CC0-1.0", release=True
    )
    service.work()
    problem = problem_of(
        teacher.get(f"/api/v1/resources/{resource['id']}/versions/1/inspection"), "invalid-file"
    )
    assert problem["reason"] == reason
    assert _version(resource, teacher)["released_at"] is None
