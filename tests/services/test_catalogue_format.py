"""The catalogue as it is written, and as it is read when anybody may have written it."""

from __future__ import annotations

import gzip
import io
import json
import time
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from repo_service.domain.errors import InvalidFile
from repo_service.http.file_names import clean_file_name
from repo_service.services.catalogue_format import (
    CatalogueEntry,
    CatalogueFile,
    Deflater,
    Manifest,
    NamedFile,
    line_of,
    write_manifest,
)
from repo_service.services.catalogue_parsing import MAX_LINE, InvalidLine, entry_of, lines_of, read_manifest
from repo_service.services.records import Author
from tests.support.fake_ipfs import cid_of

BASE = "https://hq.example/repo"
WHEN = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
FILE = CatalogueFile(
    number=2,
    file_name="Übung 1.mbz",
    media_type="application/vnd.moodle.backup",
    size=1234,
    digest="ab" * 32,
    cid=cid_of(b"two"),
    change_note="Fixed:\n- a line",
    created_at=WHEN,
    released_at=WHEN + timedelta(days=1),
)
ENTRY = CatalogueEntry(
    id=UUID("0198c0de-0000-7000-8000-000000000001"),
    url=f"{BASE}/resources/0198c0de-0000-7000-8000-000000000001",
    canonical_url="https://moodlenet.school.example/resource/1",
    title="Ökologie, “Grundlagen”\u2028",
    summary_html="<p>About <b>rivers</b> &amp; lakes</p>",
    licence="CC-BY-SA-4.0",
    languages=("de", "pt-BR"),
    subjects=("0521", "00"),
    levels=("level3", "adult"),
    types=("course",),
    authors=(Author(name="Ada", url="https://ada.example/"), Author(name="Bob")),
    keywords=("water", "lakes"),
    created_at=WHEN,
    released_at=WHEN,
    updated_at=WHEN + timedelta(days=2),
    files=(replace(FILE, number=1, cid=None, change_note=""), FILE),
)
MANIFEST = Manifest(
    service_name="HQ",
    service_url=BASE,
    software="moodle-resources-repository/1",
    generated_at=WHEN,
    change_seq=77,
    resources=2,
    catalogue=NamedFile(digest="cd" * 32, size=10, cid=None),
    inflated=20,
    previous=NamedFile(digest="ef" * 32, size=9, cid=cid_of(b"before")),
)


def read(line: bytes | dict[str, Any]) -> CatalogueEntry:
    data = line if isinstance(line, bytes) else json.dumps(line).encode()
    return entry_of(data, clean_file_name=clean_file_name)[0]


def document(**changes: Any) -> dict[str, Any]:
    """The line of ENTRY with other members; None takes one away."""
    line = json.loads(line_of(ENTRY, base_url=BASE)) | changes
    return {name: value for name, value in line.items() if value is not None}


def encoding(**changes: Any) -> dict[str, Any]:
    """The line of ENTRY with other members of its last file."""
    line = document()
    line["encoding"][-1] |= changes
    return line


class TestWriting:
    def test_a_line_says_all_that_it_was_written_from(self) -> None:
        line = line_of(ENTRY, base_url=BASE)
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        found, dropped = entry_of(line, clean_file_name=clean_file_name)
        assert found == replace(ENTRY, title="Ökologie, “Grundlagen”")  # a line break is no part of a title
        assert dropped == 0

    def test_it_is_amb(self) -> None:
        """What https://w3id.org/kim/amb/ requires, and the forms of its members."""
        line = document()
        assert line["@context"] == ["https://w3id.org/kim/amb/context.jsonld", {"@language": "de"}]
        assert line["type"] == ["LearningResource"]
        assert line["id"] == ENTRY.url
        assert line["license"] == {"id": "https://creativecommons.org/licenses/by-sa/4.0/"}
        assert {"id": "https://w3id.org/kim/isced-2013/n0521"} in line["about"]
        assert {"id": "https://w3id.org/kim/isced-2011/level3"} in line["educationalLevel"]
        assert line["learningResourceType"] == [{"id": "https://w3id.org/kim/hcrt/course"}]
        assert line["creator"][0] == {"type": "Person", "name": "Ada", "id": "https://ada.example/"}
        assert line["datePublished"] == "2026-03-01T12:30:15Z"
        provider = {"id": "https://moodlenet.school.example", "name": "moodlenet.school.example"}
        page = {"id": ENTRY.canonical_url, "type": "WebContent", "provider": provider}
        assert line["mainEntityOfPage"] == [page]
        newest = line["encoding"][-1]
        assert newest["type"] == "MediaObject"
        assert newest["contentSize"] == "1234"
        assert newest["sha256"] == FILE.digest
        assert newest["contentUrl"] == f"{BASE}/files/{ENTRY.id}/2/%C3%9Cbung%201.mbz"
        assert newest["sameAs"] == f"ipfs://{FILE.cid}"

    def test_what_has_no_identifier_gets_one_that_is_understood(self) -> None:
        line = document()
        assert {"id": f"{BASE}/vocabularies/isced-2011#adult"} in line["educationalLevel"]
        free = replace(ENTRY, licence="other-open")
        assert read(line_of(free, base_url=BASE)).licence == "other-open"

    def test_moments_are_utc_and_whole_seconds(self) -> None:
        elsewhere = WHEN.astimezone(timezone(timedelta(hours=5))).replace(microsecond=999_999)
        assert read(line_of(replace(ENTRY, created_at=elsewhere), base_url=BASE)).created_at == WHEN

    def test_a_manifest_says_all_that_it_was_written_from(self) -> None:
        assert read_manifest(write_manifest(MANIFEST)) == MANIFEST
        first = replace(MANIFEST, previous=None)
        assert read_manifest(write_manifest(first)) == first


class TestHostileLines:
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b"", "EOF"),
            (b"\xff\xfe", "Invalid"),
            (b"[" * 100_000, "recursion"),
            (b'{"id":' * 5000, "recursion"),
            (b"null", "object"),
            (document(id=None), "id"),
            (document(id="javascript:alert(1)"), "id"),
            (document(id="https://hq.example/" + "x" * 300), "id"),
            (document(id="https://hq.example/ x"), "id"),
            (document(id=5), "id"),
            (document(identifier="1"), "identifier"),
            (document(identifier=f"{{{ENTRY.id}}}"), "identifier"),
            (document(name=""), "title"),
            (document(name="\u200b\u202e"), "title"),
            (document(name="x" * 10_000), "name"),
            (document(description="x" * 1_000_000), "description"),
            (document(keywords=["x"] * 51), "keywords"),
            (document(about=[{"id": "x"}] * 51), "about"),
            (document(about="0521"), "about"),
            (document(creator=[{"name": 5}]), "creator"),
            (document(dateCreated="yesterday"), "dateCreated"),
            (document(dateCreated="2026-03-01T12:30:15"), "dateCreated"),
            (document(dateCreated="0001-01-01T00:00:00+14:00"), "dateCreated"),
            (document(dateCreated="9999-12-31T23:59:59-14:00"), "dateCreated"),
            (document(dateCreated=10**30), "dateCreated"),
            (document(encoding=[]), "encoding"),
            (document(encoding=document()["encoding"] * 251), "encoding"),
            (document(encoding=document()["encoding"][:1] * 2), "same version"),
            (encoding(sha256="AB" * 32), "sha256"),
            (encoding(sha256="ab" * 31), "sha256"),
            (encoding(identifier="../../etc/passwd"), "identifier"),
            (encoding(identifier="Qm" + "a" * 44), "identifier"),
            (encoding(identifier="baf" + "a" * 56), "identifier"),
            (encoding(identifier="bafkrei" + "a" * 51 + "b"), "identifier"),
            (encoding(contentSize="-1"), "contentSize"),
            (encoding(contentSize=12), "contentSize"),
            (encoding(contentSize="9" * 400), "contentSize"),
            (encoding(version="0"), "version"),
            (encoding(version="1e3"), "version"),
            (encoding(version="9" * 4000), "version"),
            (encoding(encodingFormat="text/html\r\nX-Evil: 1"), "encodingFormat"),
            (encoding(encodingFormat="text"), "encodingFormat"),
            (encoding(name=""), "name"),
            (encoding(description="x" * 20_000), "description"),
        ],
    )
    def test_are_refused_with_the_reason(self, line: bytes | dict[str, Any], reason: str) -> None:
        with pytest.raises(InvalidLine, match=reason) as refused:
            read(line)
        assert len(str(refused.value)) < 500

    def test_what_is_not_known_is_left_out_and_counted(self) -> None:
        line = document(
            license={"id": "https://evil.example/licence"},
            about=[
                {"id": "https://w3id.org/kim/isced-2013/n0521"},
                {"id": "https://[evil"},
                {"id": "0" * 900},
            ],
            educationalLevel=[{"id": "https://evil.example/vocabularies/isced-2011#level99"}],
            learningResourceType=[{"id": "https://w3id.org/kim/hcrt/spell"}],
            inLanguage=["de", "klingon!", "x" * 500],
            creator=[{"name": "\u200b"}, {"name": "Eve", "id": "javascript:alert(1)"}],
            mainEntityOfPage=[
                {"id": "http://insecure.example/"},
                {"id": "https://evil.example@school.example/"},
                {"id": "https://evil.example\\@school.example/"},
                {"id": "https://evil.example/<script>"},
                {"id": "javascript:alert(1)//https://school.example/"},
            ],
        )
        found, dropped = entry_of(json.dumps(line).encode(), clean_file_name=clean_file_name)
        assert found.licence is None
        assert found.subjects == ("0521",)
        assert found.levels == found.types == ()
        assert found.languages == ("de",)
        assert found.authors == (Author(name="Eve"),)
        assert found.canonical_url is None
        assert dropped == 13

    def test_text_is_cleaned_as_what_people_send(self) -> None:
        line = document(
            name="A \x00title\u202e\n with breaks",
            description="<p onclick=x()>Hi<script>alert(1)</script><img src=https://evil.example/p.gif></p>",
            keywords=["a\x00b", " ", "a\x00b"],
        )
        line["encoding"][-1] |= {"name": "../../\u202eetc/pass\x00wd", "description": "note\x00\u202e"}
        found = read(line)
        assert found.title == "A title with breaks"
        assert found.summary_html == "<p>Hi</p>"
        assert found.keywords == ("ab",)
        assert found.files[-1].file_name == "passwd"
        assert found.files[-1].change_note == "note"

    def test_members_that_are_not_known_do_not_matter(self) -> None:
        assert read(document(assesses=[{"id": "https://w3id.org/x"}])) == read(document())


class TestManifests:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{}",
            b"[]",
            b"[" * 60_000,
            b"\x1f\x8b\x08",
            json.dumps({"format": "something-else", "version": 1}).encode(),
            json.dumps({"format": "moodle-resources-catalogue", "version": 2}).encode(),
            json.dumps({"format": "moodle-resources-catalogue", "version": 1}).encode(),
        ],
    )
    def test_others_are_refused(self, data: bytes) -> None:
        with pytest.raises(InvalidFile):
            read_manifest(data)

    @pytest.mark.parametrize(
        ("place", "value"),
        [
            ("service", {"name": "HQ", "url": "file:///etc"}),
            ("service", {"name": "x" * 1000, "url": BASE}),
            ("generated_at", "0001-01-01T00:00:00+14:00"),
            ("resources", -1),
            ("resources", 2**60),
            ("change_seq", "7"),
            ("previous", {"sha256": "x", "size": 1, "cid": None}),
        ],
    )
    def test_every_member_is_checked(self, place: str, value: object) -> None:
        manifest = json.loads(write_manifest(MANIFEST))
        manifest[place] = value
        with pytest.raises(InvalidFile, match=place):
            read_manifest(json.dumps(manifest).encode())

    @pytest.mark.parametrize(
        "change",
        [
            {"sha256": "zz" * 32},
            {"size": -1},
            {"size": 2**70},
            {"cid": "../x"},
            {"name": "../../etc/passwd"},
            {"inflated_size": 10 * 2**30},
        ],
    )
    def test_so_is_every_member_of_the_catalogue(self, change: dict[str, Any]) -> None:
        manifest = json.loads(write_manifest(MANIFEST))
        manifest["catalogue"] |= change
        with pytest.raises(InvalidFile):
            read_manifest(json.dumps(manifest).encode())

    def test_the_name_of_the_home_is_one_line(self) -> None:
        found = read_manifest(write_manifest(replace(MANIFEST, service_name="H\u202eQ\nx")))
        assert found.service_name == "HQ x"


def compressed(*lines: bytes) -> bytes:
    made = io.BytesIO()
    deflater = Deflater(made.write)
    for line in lines:
        deflater.add(line)
    deflater.finish()
    return made.getvalue()


def told(data: bytes, *, resources: int, inflated: int) -> Manifest:
    return replace(
        MANIFEST,
        resources=resources,
        inflated=inflated,
        catalogue=NamedFile(digest="00" * 32, size=len(data), cid=None),
    )


class TestLines:
    def test_come_out_as_they_went_in(self) -> None:
        lines = [b"%d\n" % number * 1000 for number in range(0)] or [
            b"one\n",
            b"two\n",
            b"x" * 700_000 + b"\n",
        ]
        data = compressed(*lines)
        found = lines_of(io.BytesIO(data), told(data, resources=3, inflated=sum(map(len, lines))))
        assert [line + b"\n" for line in found] == lines
        assert gzip.decompress(data) == b"".join(lines)

    @pytest.mark.parametrize(
        ("name", "note"), [("a", "😀" * 5000), ("😀" * 255, "\x01" * 5000)], ids=["densest", "longest"]
    )
    def test_the_most_that_one_resource_can_say_is_read_again(self, name: str, note: str) -> None:
        """500 versions of one file."""
        file = replace(FILE, file_name=name, change_note=note)
        line = line_of(
            replace(ENTRY, files=tuple(replace(file, number=number) for number in range(1, 501))),
            base_url=BASE,
        )
        data = compressed(line)
        manifest = read_manifest(write_manifest(told(data, resources=1, inflated=len(line))))
        [found] = lines_of(io.BytesIO(data), manifest)
        assert len(read(found).files) == 500

    def test_none_at_all_is_a_catalogue_too(self) -> None:
        data = compressed()
        assert list(lines_of(io.BytesIO(data), told(data, resources=0, inflated=0))) == []

    def test_the_bytes_depend_on_the_lines_alone(self) -> None:
        assert compressed(b"one\n", b"two\n") == compressed(b"one\n", b"two\n")
        assert compressed(b"one\n")[:10] == bytes.fromhex("1f8b0800000000000003")  # no time, no name

    @pytest.mark.parametrize(
        ("data", "resources", "inflated"),
        [
            (b"one\ntwo\n", 2, 8),  # no gzip
            (compressed(b"one\n", b"two\n")[:-4], 2, 8),
            (compressed(b"one\n", b"two\n")[:-9] + b"\0" * 9, 2, 8),
            (compressed(b"one\n", b"two\n") + b"more", 2, 8),
            (compressed(b"one\n") + compressed(b"two\n"), 2, 8),
            (compressed(b"one\n", b"two\n"), 1, 8),
            (compressed(b"one\n", b"two\n"), 3, 8),
            (compressed(b"one\n", b"two\n"), 2, 7),
            (compressed(b"one\n", b"two\n"), 2, 9),
            (compressed(b"one\n", b"two"), 2, 7),
            (b"", 0, 0),
        ],
    )
    def test_others_than_those_told_of_are_damage(self, data: bytes, resources: int, inflated: int) -> None:
        with pytest.raises(InvalidFile) as refused:
            list(lines_of(io.BytesIO(data), told(data, resources=resources, inflated=inflated)))
        assert refused.value.reason == "damaged-catalogue"

    @pytest.mark.parametrize("told_size", [4, 2**40])
    def test_a_bomb_costs_little_memory_and_time(self, told_size: int) -> None:
        bomb = gzip.compress(b"\0" * (512 * 1024 * 1024), 9)
        tracemalloc.start()
        began = time.monotonic()
        with pytest.raises(InvalidFile):
            list(lines_of(io.BytesIO(bomb), told(bomb, resources=1, inflated=told_size)))
        took = time.monotonic() - began
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5 * MAX_LINE
        assert took < 10

    def test_many_short_lines_are_not_held(self) -> None:
        bomb = gzip.compress(b"\n" * (64 * 1024 * 1024), 9)
        tracemalloc.start()
        with pytest.raises(InvalidFile, match="more lines"):
            for _ in lines_of(io.BytesIO(bomb), told(bomb, resources=1000, inflated=2**40)):
                pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 64 * 1024 * 1024
