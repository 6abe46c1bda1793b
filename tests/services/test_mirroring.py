"""Mirrors: taking over a catalogue, and fetching its files, from nodes that may say anything."""

from __future__ import annotations

import gzip
import hashlib
import json
import resource
import shutil
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

import storage
from repo_service.domain.errors import Conflict, InvalidFile, NotFound, StorageFull
from repo_service.domain.resources import JobKind, JobState
from repo_service.models import Account, Blob, Job, Resource
from repo_service.services.catalogue import SnapshotRecord
from repo_service.services.catalogue_format import CATALOGUE_NAME, MANIFEST_NAME
from repo_service.services.fetching import NotAsPromised
from repo_service.services.mirroring import TakenOver
from storage import StorageUnavailable
from tests.contract.support import path_of, problem_of, publish, rows, sha256
from tests.services.test_catalogue import bytes_of, snapshot
from tests.support.copies import states
from tests.support.fake_ipfs import Network, cid_of
from tests.support.service import MakeService, Service, json_of, send_file

PATIENCE = timedelta(seconds=5)
HQ = "https://hq.example"

MakeMirror = Callable[..., Service]


@pytest.fixture
def hq(make_service: MakeService, network: Network) -> Service:
    """The home, with a node of its own."""
    return make_service(replica_urls=(network.url("first"),), base_url=HQ, site_name="Headquarters")


@pytest.fixture
def make_mirror(make_service: MakeService, network: Network) -> MakeMirror:
    """An empty mirror with another node as its only store."""

    def make(**settings: Any) -> Service:
        return make_service(
            **{
                "read_only": True,
                "store_url": network.url("second"),
                "base_url": "https://mirror.example",
                **settings,
            }
        )

    return make


@pytest.fixture
def mirror(make_mirror: MakeMirror) -> Service:
    return make_mirror()


def restore(
    mirror: Service, reference: str | None, *, lazy: bool = False, moved_from: str | None = None
) -> TakenOver:
    """What ``repo catalogue restore`` does."""
    assert reference is not None
    services = mirror.services
    source = services.mirror.source(reference, patience=PATIENCE)
    try:
        offered = services.mirror.look(source, moved_from=moved_from)
        services.mirror.bring(source, offered)
        result = services.mirror.take_over(source, offered)
    finally:
        source.discard()
    if not lazy:
        for digest in services.fetching.digests_lacking():
            services.fetching.fetch(digest, patience=PATIENCE)
    return result


def put(network: Network, lines: list[dict[str, Any]], **changes: Any) -> str:
    """The CID of the manifest of a catalogue that somebody made up; ``changes`` are to the manifest."""
    text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return put_raw(network, text, **{"resources": len(lines), **changes})


def put_raw(network: Network, text: bytes, *, resources: int, **changes: Any) -> str:
    file = gzip.compress(text, mtime=0)
    manifest = {
        "format": "moodle-resources-catalogue",
        "version": 1,
        "service": {"name": "Headquarters", "url": HQ, "software": "x"},
        "generated_at": "2026-03-01T12:00:00Z",
        "change_seq": 1,
        "resources": resources,
        "catalogue": {
            "name": CATALOGUE_NAME,
            "sha256": sha256(file),
            "size": len(file),
            "cid": network.put(file),
            "inflated_size": len(text),
        },
        "previous": None,
    }
    for name, value in changes.items():
        if name in ("sha256", "size", "cid", "inflated_size"):
            manifest["catalogue"][name] = value  # type: ignore[index]
        else:
            manifest[name] = value
    return network.put(json.dumps(manifest).encode())


def line(number: int, data: bytes = b"Some file\n", **changes: Any) -> dict[str, Any]:
    """A line of a catalogue."""
    resource_id = f"00000000-0000-7000-8000-{number:012d}"
    return {
        "id": f"{HQ}/resources/{resource_id}",
        "identifier": resource_id,
        "name": f"Resource {number}",
        "license": {"id": "https://creativecommons.org/licenses/by/4.0/"},
        "dateCreated": "2026-01-01T00:00:00Z",
        "datePublished": "2026-01-02T00:00:00Z",
        "dateModified": "2026-01-03T00:00:00Z",
        "encoding": [file(data)],
    } | changes


def file(data: bytes, **changes: Any) -> dict[str, Any]:
    return {
        "version": "1",
        "name": "notes.txt",
        "encodingFormat": "text/plain",
        "contentSize": str(len(data)),
        "sha256": sha256(data),
        "identifier": cid_of(data),
        "uploadDate": "2026-01-01T00:00:00Z",
        "datePublished": "2026-01-02T00:00:00Z",
    } | changes


def public(mirror: Service) -> dict[str, dict[str, Any]]:
    """What the public finds, by id."""
    found = json_of(mirror.client().get("/api/v1/resources?limit=100"))["items"]
    return {item["id"]: item for item in found}


class TestTakingOver:
    @pytest.fixture(params=["sqlite", "postgresql"])
    def any_mirror(self, request: pytest.FixtureRequest, make_mirror: MakeMirror) -> Service:
        if request.param == "sqlite":
            return make_mirror()
        return make_mirror(database_url=request.getfixturevalue("postgres_database")())

    def test_resources_are_as_at_home(self, hq: Service, any_mirror: Service) -> None:
        teacher = hq.member()
        home = publish(
            hq,
            teacher,
            b"Rivers\n",
            title="Rivers and lakes",
            summary="<p>All about <b>water</b></p>",
            languages=["en"],
            subjects=["0521"],
            levels=["level3"],
            types=["text"],
            authors=[{"name": "Ada", "url": "https://ada.example/"}],
            keywords=["water"],
        )
        result = restore(any_mirror, snapshot(hq).manifest.cid)
        assert (result.added, result.rejected, result.dropped, result.unobtainable) == (1, 0, 0, 0)
        any_mirror.work()
        client = any_mirror.client()
        here = json_of(client.get(f"/api/v1/resources/{home['id']}"))
        for name in (
            *("title", "summary", "summary_text", "licence", "languages", "subjects", "levels", "types"),
            *("authors", "keywords", "visibility"),
        ):
            assert here[name] == home[name], name
        assert here["origin"] == home["url"]
        assert home["origin"] is None
        assert here["owner_name"] == "Headquarters"
        assert here["url"] == f"https://mirror.example/resources/{home['id']}"
        [version] = here["versions"]
        assert version["sha256"] == sha256(b"Rivers\n")
        assert version["processing"]["state"] == "done"
        assert version["kind"] == "file"
        [copy] = version["copies"]
        assert (copy["store"], copy["state"], copy["cid"]) == ("ipfs", "present", cid_of(b"Rivers\n"))
        found = json_of(client.get("/api/v1/resources?q=water"))
        assert [item["id"] for item in found["items"]] == [home["id"]]
        download = client.get(path_of(version["download_url"]))
        assert download.data == b"Rivers\n"
        digest = hashlib.sha256(b"Rivers\n").digest()
        assert (
            download.headers["Repr-Digest"] == f"sha-256=:{__import__('base64').b64encode(digest).decode()}:"
        )

    @pytest.mark.parametrize("summary", ["&" * 27_000, "<" * 13_000, "<a>" * 4000, "x" * 50_000])
    def test_a_long_summary_comes_whole(self, hq: Service, mirror: Service, summary: str) -> None:
        home = publish(hq, hq.member(), summary=summary)
        result = restore(mirror, snapshot(hq).manifest.cid)
        assert (result.added, result.rejected) == (1, 0)
        here = json_of(mirror.client().get(f"/api/v1/resources/{home['id']}"))
        assert here["summary"] == home["summary"]

    def test_the_page_shows_the_home(self, hq: Service, mirror: Service) -> None:
        home = publish(hq, hq.member())
        restore(mirror, snapshot(hq).manifest.cid)
        mirror.work()
        page = mirror.client().get(f"/resources/{home['id']}").text
        assert f'href="{home["url"]}"' in page
        assert f'<link rel="canonical" href="{home["url"]}">' in page
        assert "read-only mirror of" in page
        assert "Headquarters" in page
        assert json_of(mirror.client().get("/api/v1/catalogue"))["mirror_of"]["url"] == HQ

    def test_what_an_instance_linked_is_at_home_there(self, hq: Service, mirror: Service) -> None:
        home = publish(hq, hq.member())
        linked = "https://moodlenet.school.example/resource/1"
        with hq.services.database.write() as session:
            session.get_one(Resource, UUID(home["id"])).canonical_url = linked
        restore(mirror, snapshot(hq).manifest.cid)
        here = json_of(mirror.client().get(f"/api/v1/resources/{home['id']}"))
        assert (here["canonical_url"], here["origin"]) == (linked, home["url"])
        page = mirror.client().get(f"/resources/{home['id']}").text
        assert f'<link rel="canonical" href="{linked}">' in page

    def test_all_of_it_is_linked_into_the_node(self, hq: Service, mirror: Service, network: Network) -> None:
        publish(hq, hq.member(), b"Kept\n")
        record = snapshot(hq)
        restore(mirror, record.manifest.cid)
        assert set(network.nodes["second"]) == {record.manifest.cid, record.catalogue.cid, cid_of(b"Kept\n")}

    def test_the_same_again_changes_nothing(self, hq: Service, mirror: Service) -> None:
        publish(hq, hq.member(), b"One\n")
        publish(hq, hq.member("two"), b"Two\n")
        cid = snapshot(hq).manifest.cid
        restore(mirror, cid)
        mirror.work()
        before = rows(mirror.services)
        result = restore(mirror, cid)
        assert (result.added, result.changed, result.unchanged, result.withdrawn) == (0, 0, 2, 0)
        after = rows(mirror.services)
        for name in ("accounts", "resources", "versions", "inspections", "changes", "snapshots"):
            assert after[name] == before[name], name

    def test_a_newer_one_brings_the_mirror_up_to_date(self, hq: Service, mirror: Service) -> None:
        teacher = hq.member()
        same, changed, gone = (publish(hq, teacher, b"File %d\n" % number) for number in range(3))
        restore(mirror, snapshot(hq).manifest.cid)
        mirror.work()
        json_of(teacher.patch(changed["api_url"], json={"title": "Another title"}))
        added = send_file(
            teacher,
            b"Second\n",
            file_name="second.txt",
            url=f"/api/v1/resources/{changed['id']}/versions",
            release=True,
        )
        assert added.status_code == 201
        assert teacher.post(gone["api_url"] + "/withdraw", json={"reason": "private"}).status_code == 204
        new = publish(hq, teacher, b"New\n")
        time.sleep(1)  # a manifest is of a second
        result = restore(mirror, snapshot(hq).manifest.cid)
        assert (result.added, result.changed, result.unchanged, result.withdrawn) == (1, 1, 1, 1)
        mirror.work()
        found = public(mirror)
        assert set(found) == {same["id"], changed["id"], new["id"]}
        assert found[changed["id"]]["title"] == "Another title"
        versions = json_of(mirror.client().get(f"/api/v1/resources/{changed['id']}"))["versions"]
        assert [version["number"] for version in versions] == [2, 1]
        assert mirror.client().get(path_of(versions[0]["download_url"])).data == b"Second\n"
        assert problem_of(mirror.client().get(f"/api/v1/resources/{gone['id']}"), "gone")
        [record] = mirror.services.catalogue.snapshots()  # the older one names what is gone
        assert record.resources == 3

    def test_what_comes_back_is_public_again_also_when_its_bytes_were_deleted(
        self, network: Network, mirror: Service
    ) -> None:
        network.put(b"Some file\n")
        restore(mirror, put(network, [line(1)]))
        restore(mirror, put(network, [], generated_at="2026-03-02T12:00:00Z"))
        mirror.work()
        assert public(mirror) == {}
        mirror.services.garbage.collect(grace=timedelta(0))
        assert cid_of(b"Some file\n") not in network.nodes["second"]
        result = restore(mirror, put(network, [line(1)], generated_at="2026-03-03T12:00:00Z"))
        assert result.changed == 1
        mirror.work()
        [item] = public(mirror).values()
        assert mirror.client().get(path_of(item["versions"][0]["download_url"])).data == b"Some file\n"

    def test_older_snapshots_stay_while_nothing_is_gone(self, network: Network, mirror: Service) -> None:
        restore(mirror, put(network, [line(1)]), lazy=True)
        restore(mirror, put(network, [line(1), line(2)], generated_at="2026-03-02T12:00:00Z"), lazy=True)
        assert [record.resources for record in mirror.services.catalogue.snapshots()] == [2, 1]

    def test_very_many_are_gone_at_once(
        self, network: Network, mirror: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("repo_service.services.mirroring._PAGE", 2)
        restore(mirror, put(network, [line(number) for number in range(1, 20)]), lazy=True)
        left = [line(number) for number in (6, 13)]
        result = restore(mirror, put(network, left, generated_at="2026-03-02T12:00:00Z"), lazy=True)
        assert (result.withdrawn, result.unchanged) == (17, 2)
        mirror.work()
        assert {item["title"] for item in public(mirror).values()} == {"Resource 6", "Resource 13"}

    def test_an_interrupted_one_goes_on(
        self, network: Network, mirror: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("repo_service.services.mirroring._BATCH_RESOURCES", 2)
        for number in range(1, 6):
            network.put(b"File %d\n" % number)
        cid = put(network, [line(number, b"File %d\n" % number) for number in range(1, 6)])
        source = mirror.services.mirror.source(cid, patience=PATIENCE)
        offered = mirror.services.mirror.look(source)
        mirror.services.mirror.bring(source, offered)

        def stop(done: int, total: int) -> None:
            if done >= 4:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            mirror.services.mirror.take_over(source, offered, stop)
        assert mirror.services.catalogue.snapshots() == []
        result = restore(mirror, cid)
        assert (result.added, result.unchanged) == (1, 4)
        mirror.work()
        assert len(public(mirror)) == 5

    def test_files_that_came_do_not_come_again(self, network: Network, mirror: Service) -> None:
        first = network.put(b"File 1\n")
        cid = put(network, [line(1, b"File 1\n"), line(2, b"File 2\n")])
        with pytest.raises(StorageUnavailable):
            restore(mirror, cid)
        second = network.put(b"File 2\n")
        network.fetched.clear()
        restore(mirror, cid)
        assert first not in network.fetched
        assert second in network.fetched

    def test_what_a_store_here_has_already_needs_no_node(
        self, hq: Service, make_service: MakeService, tmp_path: Path
    ) -> None:
        """The bucket was saved and the database was not: ``repo store rebuild``, then this."""
        publish(hq, hq.member(), b"Saved\n")
        folder = saved(hq, snapshot(hq), tmp_path)
        mirror = make_service(read_only=True, store_url=hq.settings.store_url)
        list(mirror.services.rebuilder.rebuild(mirror.services.stores.primary))
        result = restore(mirror, str(folder / MANIFEST_NAME))
        assert result.unobtainable == 0
        mirror.work()
        [item] = public(mirror).values()
        assert item["versions"][0]["kind"] == "file"
        assert mirror.client().get(path_of(item["versions"][0]["download_url"])).data == b"Saved\n"


class TestFromElsewhere:
    def test_from_a_folder(self, hq: Service, mirror: Service, tmp_path: Path) -> None:
        publish(hq, hq.member(), b"Some file\n")
        folder = saved(hq, snapshot(hq), tmp_path)
        assert restore(mirror, str(folder / MANIFEST_NAME)).added == 1
        assert len(mirror.services.catalogue.snapshots()) == 1

    def test_from_the_web(self, hq: Service, mirror: Service, tmp_path: Path) -> None:
        publish(hq, hq.member(), b"Some file\n")
        folder = saved(hq, snapshot(hq), tmp_path)
        with web(folder) as url:
            assert restore(mirror, f"{url}/manifest.json").added == 1
        [record] = mirror.services.catalogue.snapshots()
        assert record.manifest.cid is not None

    def test_without_any_node_files_stay_at_home(
        self, hq: Service, make_service: MakeService, tmp_path: Path
    ) -> None:
        home = publish(hq, hq.member(), b"Some file\n")
        folder = saved(hq, snapshot(hq), tmp_path)
        mirror = make_service(read_only=True)
        result = restore(mirror, str(folder / MANIFEST_NAME))
        assert (result.added, result.unobtainable) == (1, 1)
        mirror.work()
        here = json_of(mirror.client().get(f"/api/v1/resources/{home['id']}"))
        assert here["versions"][0]["sha256"] is None
        assert "get it at its home" in mirror.client().get(f"/resources/{home['id']}").text

    @pytest.mark.parametrize("what", ["missing", "folder"])
    def test_what_cannot_be_read(self, mirror: Service, tmp_path: Path, what: str) -> None:
        with pytest.raises(NotFound):
            restore(mirror, str(tmp_path / "nothing" if what == "missing" else tmp_path))

    def test_a_web_server_that_does_not_have_it(self, mirror: Service, tmp_path: Path) -> None:
        with web(tmp_path) as url, pytest.raises(NotFound, match="404"):
            restore(mirror, f"{url}/manifest.json")

    def test_a_web_server_that_does_not_answer(self, mirror: Service) -> None:
        with pytest.raises(StorageUnavailable):
            restore(mirror, "http://127.0.0.1:9/manifest.json")

    @pytest.mark.parametrize("name", [MANIFEST_NAME, CATALOGUE_NAME])
    def test_a_web_server_that_does_not_come_to_an_end(
        self, hq: Service, mirror: Service, tmp_path: Path, name: str
    ) -> None:
        publish(hq, hq.member())
        folder = saved(hq, snapshot(hq), tmp_path)
        began = time.monotonic()
        with web(folder, endless=name) as url, pytest.raises(InvalidFile, match="longer than"):
            restore(mirror, f"{url}/manifest.json")
        assert time.monotonic() - began < 10
        assert public(mirror) == {}

    def test_a_web_server_that_sends_more_than_there_is_room_for(
        self, hq: Service, mirror: Service, tmp_path: Path
    ) -> None:
        folder = without_end(hq, tmp_path)
        with web(folder, endless=CATALOGUE_NAME) as url:
            source = mirror.services.mirror.source(f"{url}/manifest.json")
            offered = mirror.services.mirror.look(source)
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (16 * 1024 * 1024, hard))
            try:
                with pytest.raises(StorageFull, match="too little room"):
                    mirror.services.mirror.bring(source, offered)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
                source.discard()

    def test_room_is_left_free(
        self, hq: Service, mirror: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What else is written meanwhile counts, too."""
        folder = without_end(hq, tmp_path)
        free = shutil.disk_usage(tmp_path).free
        left = iter(range(free, 0, -20 * 1024 * 1024))
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=next(left)))
        came: list[int] = []
        with web(folder, endless=CATALOGUE_NAME) as url:
            source = mirror.services.mirror.source(f"{url}/manifest.json", min_free=free - 50 * 1024 * 1024)
            offered = mirror.services.mirror.look(source)
            with pytest.raises(StorageFull, match="too little room"):
                mirror.services.mirror.bring(source, offered, came.append)
            source.discard()
        assert 0 < sum(came) < 50 * 1024 * 1024


class TestRefusals:
    def test_only_a_read_only_service_takes_over(self, make_service: MakeService, network: Network) -> None:
        writable = make_service(replica_urls=(network.url("second"),))
        with pytest.raises(Conflict, match="REPO_READ_ONLY"):
            restore(writable, put(network, [line(1)]))

    def test_not_into_a_database_that_is_used(
        self, make_service: MakeService, make_mirror: MakeMirror, network: Network, tmp_path: Path
    ) -> None:
        used = make_service(data_dir=tmp_path / "used")
        publish(used, used.member())
        used.services.close()
        mirror = make_mirror(data_dir=tmp_path / "used")
        before = rows(mirror.services)
        with pytest.raises(Conflict, match="of its own"):
            restore(mirror, put(network, [line(1)]))
        assert rows(mirror.services) == before

    def test_not_when_an_account_appears_meanwhile(self, network: Network, mirror: Service) -> None:
        source = mirror.services.mirror.source(put(network, [line(1)]), patience=PATIENCE)
        offered = mirror.services.mirror.look(source)
        mirror.services.mirror.bring(source, offered)
        mirror.services.accounts.ensure_administrator()
        with pytest.raises(Conflict, match="of its own"):
            mirror.services.mirror.take_over(source, offered)

    def test_not_another_home(self, network: Network, mirror: Service) -> None:
        restore(mirror, put(network, []))
        other = {"name": "Other", "url": "https://other.example"}
        with pytest.raises(Conflict, match=r"hq\.example"):
            restore(mirror, put(network, [], service=other, generated_at="2026-04-01T12:00:00Z"))

    def test_a_home_that_has_moved(self, network: Network, mirror: Service) -> None:
        """Said by who knows both addresses: what is here stays, and names the new one from then on."""
        new, old = "https://new.example", "https://hq.example/"
        restore(mirror, put(network, [line(1)]), lazy=True)
        moved = line(1, id=f"{new}/resources/00000000-0000-7000-8000-000000000001")
        later = {"generated_at": "2026-04-01T12:00:00Z", "service": {"name": "Headquarters", "url": new}}
        cid = put(network, [moved], **later)
        with pytest.raises(Conflict, match=f"--moved-from {HQ}"):
            restore(mirror, cid)
        with pytest.raises(Conflict, match="--moved-from"):
            restore(mirror, cid, moved_from="https://other.example")
        result = restore(mirror, cid, lazy=True, moved_from=old)
        assert (result.added, result.changed, result.withdrawn) == (0, 1, 0)
        mirror.work()
        assert [item["origin"] for item in public(mirror).values()] == [moved["id"]]
        assert restore(mirror, cid, lazy=True).unchanged == 1  # which is its home now

    def test_not_an_older_one(self, network: Network, mirror: Service) -> None:
        restore(mirror, put(network, []))
        with pytest.raises(Conflict, match="older"):
            restore(mirror, put(network, [], generated_at="2026-02-01T12:00:00Z"))

    def test_a_cid_that_nobody_has(self, network: Network, mirror: Service) -> None:
        with pytest.raises(StorageUnavailable):
            restore(mirror, cid_of(b"unheard of"))

    @pytest.mark.parametrize("data", [b"Just a file\n", b"{}", b"x" * 100_000])
    def test_a_cid_of_something_else(self, network: Network, mirror: Service, data: bytes) -> None:
        with pytest.raises(InvalidFile):
            restore(mirror, network.put(data))
        assert network.nodes["second"] == {}  # and it is not kept

    def test_without_a_node(self, make_service: MakeService) -> None:
        mirror = make_service(read_only=True)
        with pytest.raises(Conflict, match="No IPFS node"):
            mirror.services.mirror.source(cid_of(b"x"))

    @pytest.mark.parametrize(
        "lie",
        [
            {"sha256": "ab" * 32},
            {"size": 7},
            {"size": 10_000_000},
            {"inflated_size": 3},
            {"inflated_size": 1_000_000},
            {"resources": 1},
            {"resources": 3},
            {"cid": None},
            {"cid": cid_of(b"unheard of")},
            {"cid": cid_of(b"Just a file\n")},
        ],
    )
    def test_a_manifest_that_lies(self, network: Network, mirror: Service, lie: dict[str, Any]) -> None:
        network.put(b"Just a file\n")
        network.put(b"Some file\n")
        cid = put(network, [line(1), line(2)], **lie)
        before = rows(mirror.services)
        with pytest.raises((InvalidFile, NotFound, StorageUnavailable)):
            restore(mirror, cid)
        assert rows(mirror.services) == before
        assert network.nodes["second"] == {}

    def test_a_damaged_catalogue(self, hq: Service, mirror: Service, tmp_path: Path) -> None:
        publish(hq, hq.member())
        folder = saved(hq, snapshot(hq), tmp_path)
        path = folder / CATALOGUE_NAME
        data = bytearray(path.read_bytes())
        for place in (0, 10, len(data) // 2, len(data) - 5):
            path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
            with pytest.raises(InvalidFile):
                restore(mirror, str(folder / MANIFEST_NAME))
        assert rows(mirror.services)["resources"] == []

    def test_a_bomb(self, network: Network, mirror: Service) -> None:
        text = b"\0" * (256 * 1024 * 1024)
        began = time.monotonic()
        with pytest.raises(InvalidFile):
            restore(mirror, put_raw(network, text, resources=1))
        assert time.monotonic() - began < 20


class TestHostileLines:
    def test_those_that_are_none_are_left_out_and_told(self, network: Network, mirror: Service) -> None:
        network.put(b"Some file\n")
        lines = [
            line(1),
            line(2, name=""),
            {"nothing": "of use"},
            line(3, about=[{"id": "https://evil.example/subject"}]),
            line(3),  # twice
            line(2),  # out of order
            line(4, id="javascript:alert(1)"),
            line(9),
        ]
        result = restore(mirror, put(network, lines))
        assert (result.added, result.rejected, result.dropped) == (3, 5, 1)
        assert [reason.split(":")[0] for reason in result.reasons] == [f"line {n}" for n in (2, 3, 5, 6, 7)]
        mirror.work()
        assert {item["title"] for item in public(mirror).values()} == {
            "Resource 1",
            "Resource 3",
            "Resource 9",
        }

    def test_no_markup_comes_through(self, network: Network, mirror: Service) -> None:
        network.put(b"Some file\n")
        evil = line(
            1,
            name="<script>alert(1)</script>",
            description="<p onclick=evil()>Hi</p><script>evil()</script><iframe src=//evil.example></iframe>",
            creator=[{"name": "<b>Eve</b>", "id": "javascript:evil()"}],
            keywords=["<img src=x onerror=evil()>"],
        )
        restore(mirror, put(network, [evil], service={"name": "<i>HQ</i>", "url": HQ}))
        mirror.work()
        page = mirror.client().get(f"/resources/{evil['identifier']}").text
        for markup in ("<script>alert", "onclick", "<iframe", "javascript:", "<img src=x", "<i>HQ", "<b>Eve"):
            assert markup not in page
        assert "<p>Hi</p>" in page

    def test_a_file_of_other_bytes_is_not_given_out(self, network: Network, mirror: Service) -> None:
        network.put(b"Other file\n")
        network.put(b"Some file\n")
        lies = [
            line(1, encoding=[file(b"Some file\n", sha256="ab" * 32)]),
            line(2, encoding=[file(b"Some file\n", sha256="cd" * 32, contentSize="7")]),
            line(3, encoding=[file(b"Some file\n", sha256="ef" * 32, contentSize="7000")]),
            line(4, b"Some file\n"),
        ]
        cid = put(network, lies)
        restore(mirror, cid, lazy=True)
        services = mirror.services
        for digest in ("ab" * 32, "cd" * 32, "ef" * 32):
            with pytest.raises(NotAsPromised):
                services.fetching.fetch(digest, patience=PATIENCE)
            assert states(services, digest) == {}
        services.fetching.fetch(sha256(b"Some file\n"), patience=PATIENCE)
        mirror.work()
        for number in (1, 2, 3):
            path = f"/files/{lies[number - 1]['identifier']}/1/notes.txt"
            problem_of(mirror.client().get(path), "blob-missing")
        assert mirror.client().get(f"/files/{lies[3]['identifier']}/1/notes.txt").data == b"Some file\n"

    def test_a_lie_does_not_take_the_right_one_away(self, network: Network, mirror: Service) -> None:
        network.put(b"Some file\n")
        restore(
            mirror,
            put(network, [line(1), line(2, encoding=[file(b"Some file\n", sha256="ab" * 32)])]),
            lazy=True,
        )
        services = mirror.services
        services.fetching.fetch(sha256(b"Some file\n"), patience=PATIENCE)
        with pytest.raises(NotAsPromised):
            services.fetching.fetch("ab" * 32, patience=PATIENCE)
        mirror.work()
        assert mirror.client().get(f"/files/{line(1)['identifier']}/1/notes.txt").data == b"Some file\n"

    def test_what_goes_takes_nothing_of_another(
        self, network: Network, make_mirror: MakeMirror, make_service: MakeService
    ) -> None:
        """A file that never came had the CID of another one; neither the collector nor replication goes by
        it."""
        network.put(b"Some file\n")
        lie = line(2, encoding=[file(b"Other file\n", identifier=cid_of(b"Some file\n"))])
        path = f"/files/{line(1)['identifier']}/1/notes.txt"
        for mirror in (make_mirror(), make_service(read_only=True, replica_urls=(network.url("third"),))):
            restore(mirror, put(network, [line(1), lie]), lazy=True)
            mirror.services.fetching.fetch(sha256(b"Some file\n"), patience=PATIENCE)
            mirror.work()
            restore(mirror, put(network, [line(1)], generated_at="2026-03-02T12:00:00Z"), lazy=True)
            mirror.work()
            mirror.services.garbage.collect(grace=timedelta(0))
            assert states(mirror.services, sha256(b"Other file\n")) == {}
            assert mirror.services.garbage.collect(grace=timedelta(0)).strays == 0
            for store in mirror.services.stores:
                held = {stored.sidecar.digest for stored in store.iter() if stored.sidecar is not None}
                assert sha256(b"Some file\n") in held, store.name
            assert mirror.client().get(path).data == b"Some file\n"

    def test_a_version_keeps_its_bytes(self, network: Network, mirror: Service) -> None:
        network.put(b"Some file\n")
        network.put(b"Other file\n")
        restore(mirror, put(network, [line(1)]))
        changed = put(network, [line(1, b"Other file\n", name="New")], generated_at="2026-03-02T12:00:00Z")
        result = restore(mirror, changed)
        assert (result.rejected, result.withdrawn) == (1, 0)
        assert "other bytes" in result.reasons[0]
        mirror.work()
        [item] = public(mirror).values()
        assert item["title"] == "Resource 1"

    def test_bytes_have_one_size(self, network: Network, mirror: Service) -> None:
        network.put(b"Some file\n")
        lines = [line(1), line(2, encoding=[file(b"Some file\n", contentSize="3")])]
        result = restore(mirror, put(network, lines))
        assert (result.added, result.rejected) == (1, 1)

    def test_very_many_files_of_one_resource(self, network: Network, mirror: Service) -> None:
        many = [
            line(
                number,
                encoding=[
                    file(b"%d %d\n" % (number, version), version=str(version)) for version in range(1, 501)
                ],
            )
            for number in range(1, 101)
        ]
        cid = put(network, many)
        result = restore(mirror, cid, lazy=True)
        assert result.added == 100
        assert mirror.services.fetching.lacking().files == 50_000


class TestLazily:
    @pytest.fixture
    def lazy(self, network: Network, mirror: Service) -> Service:
        network.put(b"Some file\n")
        restore(mirror, put(network, [line(1)]), lazy=True)
        mirror.work()
        return mirror

    PATH = f"/files/{line(1)['identifier']}/1/notes.txt"

    def test_nothing_comes_before_somebody_asks(self, lazy: Service, network: Network) -> None:
        assert cid_of(b"Some file\n") not in network.fetched
        assert [item["title"] for item in public(lazy).values()] == ["Resource 1"]
        page = lazy.client().get(f"/resources/{line(1)['identifier']}").text
        assert "fetches the file when somebody asks" in page
        assert "Looking inside" not in page

    def test_who_asks_first_waits(self, lazy: Service) -> None:
        refused = lazy.client().get(self.PATH)
        problem = problem_of(refused, "not-fetched")
        assert problem["home"] == line(1)["id"]
        assert int(refused.headers["Retry-After"]) > 0
        page = lazy.client().post("/sign-in", headers={"Accept": "text/html"})
        assert f'href="{HQ}"' in page.text
        lazy.work()
        assert lazy.client().get(self.PATH).data == b"Some file\n"
        [version] = json_of(lazy.client().get(f"/api/v1/resources/{line(1)['identifier']}"))["versions"]
        assert version["processing"]["state"] == "done"

    def test_who_asks_when_nobody_has_it_waits_on(self, lazy: Service, network: Network) -> None:
        network.up = False
        problem_of(lazy.client().get(self.PATH), "not-fetched")
        lazy.work()
        problem_of(lazy.client().get(self.PATH), "not-fetched")
        with lazy.services.database.read() as session:
            job = session.scalars(select(Job).where(Job.kind == JobKind.FETCH.value)).one()
            assert job.state == JobState.QUEUED.value
            assert "No reachable node" in (job.reason or "")
        network.up = True
        self.let_pass(lazy, timedelta(minutes=15))
        lazy.work()
        assert lazy.client().get(self.PATH).data == b"Some file\n"

    def test_asking_again_and_again_begins_nothing_anew(self, lazy: Service, network: Network) -> None:
        network.up = False
        for _ in range(5):
            problem_of(lazy.client().get(self.PATH), "not-fetched")
            lazy.work()
        assert network.fetched.count(cid_of(b"Some file\n")) == 1
        self.let_pass(lazy, timedelta(minutes=1))
        lazy.work()
        assert network.fetched.count(cid_of(b"Some file\n")) == 2

    def test_what_failed_rests(self, lazy: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        tried: list[str] = []

        def full(cid: str, **_: object) -> None:
            tried.append(cid)
            raise storage.StorageFull("no room")

        monkeypatch.setattr(lazy.services.stores["ipfs"], "fetch", full)
        for _ in range(lazy.settings.job_attempts):
            lazy.client().get(self.PATH)
            lazy.work()
            self.let_pass(lazy, timedelta(minutes=6))
        until_failed = len(tried)
        for _ in range(3):
            problem_of(lazy.client().get(self.PATH), "not-fetched")
            lazy.work()
        assert len(tried) == until_failed == lazy.settings.job_attempts
        self.let_pass(lazy, timedelta(minutes=10))
        lazy.client().get(self.PATH)
        lazy.work()
        assert len(tried) == until_failed + 1

    @staticmethod
    def let_pass(service: Service, time: timedelta) -> None:
        """For the jobs."""
        with service.services.database.write() as session:
            for job in session.scalars(select(Job)):
                job.next_try_at -= time
                job.finished_at = None if job.finished_at is None else job.finished_at - time

    def test_no_other_job_bothers_about_it(self, lazy: Service) -> None:
        services = lazy.services
        assert list(services.replicator.owed()) == []
        assert services.verifier.extent() > 0
        assert list(services.verifier.verify()) == []
        assert states(services, sha256(b"Some file\n")) == {"ipfs": "remote"}

    def test_what_the_node_lost_is_fetched_again(self, lazy: Service, network: Network) -> None:
        lazy.client().get(self.PATH)
        lazy.work()
        network.nodes["second"].pop(cid_of(b"Some file\n"))
        for _ in range(2):  # who sees it first, and who asks then
            lazy.client().get(self.PATH)
        lazy.work()
        assert lazy.client().get(self.PATH).data == b"Some file\n"


class TestFetching:
    def test_goes_on_as_long_as_something_comes(self, network: Network, mirror: Service) -> None:
        cid = network.put(b"Some file\n")
        network.piecewise[cid] = 0
        restore(mirror, put(network, [line(1)]), lazy=True)
        told: list[int] = []
        mirror.services.fetching.fetch(sha256(b"Some file\n"), told.append, patience=PATIENCE)
        assert sum(told) == len(b"Some file\n")
        assert network.fetched.count(cid) == len(b"Some file\n")

    def test_a_copy_goes_where_else_it_is_wanted(self, network: Network, make_service: MakeService) -> None:
        network.put(b"Some file\n")
        mirror = make_service(read_only=True, replica_urls=(network.url("second"),))
        restore(mirror, put(network, [line(1)]))
        mirror.work()
        assert states(mirror.services, sha256(b"Some file\n")) == {"file": "present", "ipfs": "present"}
        for record in mirror.services.catalogue.snapshots():
            assert states(mirror.services, record.manifest.digest) == {"file": "present", "ipfs": "present"}

    def test_reads_are_checked_chunk_by_chunk(self, network: Network, mirror: Service) -> None:
        network.put(b"Some file\n")
        restore(mirror, put(network, [line(1)]))
        with mirror.services.database.read() as session:
            blob = session.get_one(Blob, sha256(b"Some file\n"))
            assert blob.checks is not None


class TestAsAService:
    def test_it_publishes_nothing(self, network: Network, mirror: Service) -> None:
        network.put(b"Some file\n")
        restore(mirror, put(network, [line(1)]))
        mirror.work()
        assert not mirror.services.catalogue.enqueue_due()
        mirror.services.catalogue.run("catalogue", lambda share: None)
        with pytest.raises(Conflict, match="mirror"):
            mirror.services.catalogue.publish()
        assert len(mirror.services.catalogue.snapshots()) == 1

    def test_it_gives_the_snapshot_on(self, hq: Service, mirror: Service) -> None:
        publish(hq, hq.member())
        record = snapshot(hq)
        restore(mirror, record.manifest.cid)
        [item] = json_of(mirror.client().get("/api/v1/catalogue"))["items"]
        response = mirror.client().get(path_of(item["manifest"]["download_url"]))
        assert sha256(response.data) == record.manifest.digest
        assert item["manifest"]["cid"] == record.manifest.cid

    def test_nobody_can_be_its_account(self, network: Network, mirror: Service) -> None:
        restore(mirror, put(network, []))
        with mirror.services.database.read() as session:
            [account] = session.scalars(select(Account)).all()
        assert account.blocked_at is not None
        assert account.quota == 0

    def test_its_pages_say_so_before_there_is_anything(self, mirror: Service) -> None:
        page = mirror.client().get("/").text
        assert "This is a read-only mirror" in page
        assert "Share a file" not in page
        assert "Sign in" not in page

    def test_pages_go_on_when_the_node_is_down(
        self, network: Network, mirror: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        restore(mirror, put(network, []))

        def silent(*_: object, **__: object) -> None:
            raise StorageUnavailable("no answer")

        monkeypatch.setattr(mirror.services.stores["ipfs"], "open", silent)
        response = mirror.client().get("/")
        assert response.status_code == 200
        assert "This is a read-only mirror." in response.text

    def test_only_the_newest_snapshots_are_kept(self, network: Network, make_mirror: MakeMirror) -> None:
        mirror = make_mirror(catalogue_keep=1)
        network.put(b"Some file\n")
        restore(mirror, put(network, []))
        restore(mirror, put(network, [line(1)], generated_at="2026-03-02T12:00:00Z"))
        [record] = mirror.services.catalogue.snapshots()
        assert record.resources == 1

    def test_a_public_store_is_no_primary_elsewhere(
        self, make_service: MakeService, network: Network
    ) -> None:
        with pytest.raises(ValueError, match="public"):
            make_service(store_url=network.url("first"))


def saved(service: Service, record: SnapshotRecord, folder: Path) -> Path:
    """The files of a snapshot, in a folder."""
    for name in (MANIFEST_NAME, CATALOGUE_NAME):
        (folder / name).write_bytes(bytes_of(service.services, record, name))
    return folder


def without_end(service: Service, folder: Path) -> Path:
    """A folder with a snapshot whose manifest tells of a very big catalogue."""
    publish(service, service.member())
    saved(service, snapshot(service), folder)
    manifest = json.loads((folder / MANIFEST_NAME).read_bytes())
    manifest["catalogue"]["size"] = 2**50
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest))
    return folder


class web:  # noqa: N801 - reads as a function
    """A web server for a folder; of ``endless`` it sends more and more."""

    def __init__(self, folder: Path, *, endless: str | None = None) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, folder, endless))
        self._server.daemon_threads = True

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, folder: Path, endless: str | None, *arguments: Any) -> None:
        self._folder = folder
        self._endless = endless
        super().__init__(*arguments)

    def do_GET(self) -> None:
        name = self.path.removeprefix("/")
        path = self._folder / name
        if not path.is_file():
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        try:
            self.wfile.write(path.read_bytes())
            while name == self._endless:
                self.wfile.write(b"\0" * 65536)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class calls it so
        """Nobody reads it."""
