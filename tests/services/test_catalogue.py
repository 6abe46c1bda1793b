"""Publishing the catalogue: what is in a snapshot, what is not, when there is a new one, and when it goes."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, select, update

from repo_service.domain.errors import Conflict, InvalidFile, NotFound
from repo_service.domain.identity import Role
from repo_service.domain.resources import JobKind, JobState, LocationState
from repo_service.jobs.worker import handlers_of
from repo_service.models import Blob, BlobLocation, Job, Resource, Snapshot, Version
from repo_service.models.base import now
from repo_service.services.catalogue import SnapshotRecord
from repo_service.services.catalogue_format import CATALOGUE_NAME, MANIFEST_NAME, seconds
from repo_service.services.container import Services
from storage import StorageUnavailable
from tests.contract.support import path_of, publish, sha256, share
from tests.support.copies import states
from tests.support.fake_ipfs import Network, cid_of
from tests.support.service import MakeService, Service, json_of, send_file


@pytest.fixture
def in_ipfs(make_service: MakeService, network: Network) -> Service:
    """A service with a node for what is public."""
    return make_service(replica_urls=(network.url("first"),), base_url="https://hq.example")


def bytes_of(services: Services, record: SnapshotRecord, name: str) -> bytes:
    """A file of a snapshot as it is kept."""
    with services.catalogue.open(record.manifest.digest, name).copies.open() as reader:
        return reader.read()


def manifest_of(services: Services, record: SnapshotRecord) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes_of(services, record, MANIFEST_NAME))
    return found


def lines(services: Services, record: SnapshotRecord) -> list[dict[str, Any]]:
    text = gzip.decompress(bytes_of(services, record, CATALOGUE_NAME))
    return [json.loads(line) for line in text.splitlines()]


def snapshot(service: Service) -> SnapshotRecord:
    """A new one, which there has to be."""
    record = service.services.catalogue.publish()
    assert record is not None
    return record


def jobs(service: Service) -> list[Job]:
    with service.services.database.read() as session:
        found = list(session.scalars(select(Job).where(Job.kind == JobKind.SNAPSHOT.value)))
        session.expunge_all()
        return found


def test_everything_public_is_in_it(any_service: Service) -> None:
    teacher = any_service.member()
    shared = [publish(any_service, teacher, b"File %d\n" % number) for number in range(3)]
    second = send_file(
        teacher,
        b"Better\n",
        file_name="better.txt",
        url=f"/api/v1/resources/{shared[1]['id']}/versions",
        release=True,
        change_note="It is better.",
    )
    json_of(second, 201)
    any_service.work()
    record = snapshot(any_service)
    found = lines(any_service.services, record)
    assert [line["identifier"] for line in found] == sorted(resource["id"] for resource in shared)
    assert record.resources == 3
    line = next(line for line in found if line["identifier"] == shared[1]["id"])
    assert line["id"] == shared[1]["url"]
    assert line["license"]["id"] == "https://creativecommons.org/licenses/by/4.0/"
    assert [file["version"] for file in line["encoding"]] == ["1", "2"]
    better = line["encoding"][1]
    shown = json_of(any_service.client().get(f"/api/v1/resources/{shared[1]['id']}"))["versions"][0]
    assert better["description"] == "It is better."
    assert better["sha256"] == shown["sha256"] == sha256(b"Better\n")
    assert better["contentUrl"] == shown["download_url"]
    assert better["name"] == "better.txt"
    assert better["encodingFormat"] == shown["media_type"]


def test_more_than_fits_into_one_batch(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repo_service.services.catalogue._BATCH", 2)
    teacher = service.member()
    ids = {publish(service, teacher, b"File %d\n" % number)["id"] for number in range(5)}
    told = []
    record = service.services.catalogue.publish(progress=lambda done, total: told.append((done, total)))
    assert record is not None
    assert {line["identifier"] for line in lines(service.services, record)} == ids
    assert told == [(number, 5) for number in range(1, 6)]


def test_pages_are_read_by_their_ids(service: Service) -> None:
    """Not by way of an index of what is public, all of which would be sorted for each of them."""
    publish(service, service.member())
    plans = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith("SELECT resources.id") and "LIMIT" in statement:
            plan = connection.connection.cursor()
            plans.append(str(plan.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()))

    event.listen(service.services.database.engine, "before_cursor_execute", explain)
    snapshot(service)
    assert plans
    assert all("sqlite_autoindex_resources" in plan and "TEMP B-TREE" not in plan for plan in plans)


def test_nothing_private_is_in_it(service: Service) -> None:
    teacher = service.member("quiet.teacher")
    moderator = service.client(service.token("moderator", Role.MODERATOR))
    kept = publish(service, teacher, b"Public\n", title="Seen by all")
    share(teacher, b"Draft of a resource\n", title="Secret draft title")
    json_of(
        send_file(
            teacher,
            b"Draft of a version\n",
            file_name="secret-version.txt",
            url=f"/api/v1/resources/{kept['id']}/versions",
            change_note="secret note",
        ),
        201,
    )
    for number, who in enumerate((teacher, moderator)):
        gone = publish(service, teacher, b"Withdrawn %d\n" % number, title=f"Withdrawn title {number}")
        assert who.post(gone["api_url"] + "/withdraw", json={"reason": "hidden reason"}).status_code == 204
    service.work()
    record = snapshot(service)
    assert record.resources == 1
    everything = gzip.decompress(bytes_of(service.services, record, CATALOGUE_NAME))
    everything += bytes_of(service.services, record, MANIFEST_NAME)
    assert b"Seen by all" in everything
    with service.services.database.read() as session:
        owner = session.scalars(
            select(Blob.digest).where(Blob.digest == sha256(b"Draft of a resource\n"))
        ).one()
    for secret in (
        "quiet.teacher",
        json_of(teacher.get("/api/v1/me"))["id"],
        "Secret draft",
        "secret-version",
        "secret note",
        "Withdrawn title",
        "hidden reason",
        "moderator",
        owner,
        sha256(b"Draft of a version\n"),
        sha256(b"Withdrawn 0\n"),
        sha256(b"Withdrawn 1\n"),
        "mrr_",
    ):
        assert secret.encode() not in everything, secret


def test_what_happens_to_drafts_does_not_show(any_service: Service) -> None:
    """Not even that anything did; only what is public changes an entry, and when it says that it changed."""
    teacher = any_service.member()
    resource = publish(any_service, teacher)
    long_ago = seconds(now() - timedelta(hours=1))
    with any_service.services.database.write() as session:
        session.execute(update(Version).values(released_at=long_ago))
        session.execute(update(Resource).values(released_at=long_ago, updated_at=long_ago))
    [line] = lines(any_service.services, snapshot(any_service))
    assert datetime.fromisoformat(line["dateModified"]) == long_ago
    versions = f"/api/v1/resources/{resource['id']}/versions"
    json_of(send_file(teacher, b"Draft\n", file_name="draft.txt", url=versions), 201)
    any_service.work()
    assert any_service.services.catalogue.publish() is None
    began = seconds(now())
    json_of(teacher.patch(resource["api_url"], json={"title": "Another title"}))
    [line] = lines(any_service.services, snapshot(any_service))
    assert datetime.fromisoformat(line["dateModified"]) >= began


def test_the_same_catalogue_is_the_same_bytes(service: Service) -> None:
    teacher = service.member()
    for number in range(4):
        publish(service, teacher, b"File %d\n" % number)
    first = snapshot(service)
    assert service.services.catalogue.publish() is None
    with service.services.database.write() as session:
        session.execute(
            update(Snapshot).values(catalogue_digest=first.manifest.digest)
        )  # as if it were another
    again = snapshot(service)
    assert again.catalogue == first.catalogue
    assert again.manifest.digest != first.manifest.digest


def test_it_is_of_one_moment(any_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed while it is read is in the next one, and in its whole."""
    monkeypatch.setattr("repo_service.services.catalogue._BATCH", 1)
    teacher = any_service.member()
    shared = [publish(any_service, teacher, b"File %d\n" % number) for number in range(3)]
    last = max(shared, key=lambda resource: UUID(resource["id"]))

    def change(done: int, total: int) -> None:
        if done == 1:
            response = teacher.patch(f"/api/v1/resources/{last['id']}", json={"title": "Changed meanwhile"})
            assert response.status_code == 200

    record = any_service.services.catalogue.publish(progress=change)
    assert record is not None
    assert lines(any_service.services, record)[-1]["name"] != "Changed meanwhile"
    assert any_service.services.catalogue._may_be_new()
    assert lines(any_service.services, snapshot(any_service))[-1]["name"] == "Changed meanwhile"


def test_the_manifest_names_the_file_and_the_one_before(service: Service) -> None:
    teacher = service.member()
    publish(service, teacher, b"One\n")
    first = snapshot(service)
    publish(service, teacher, b"Two\n")
    second = snapshot(service)
    manifest = manifest_of(service.services, second)
    file = bytes_of(service.services, second, CATALOGUE_NAME)
    assert manifest["format"] == "moodle-resources-catalogue"
    assert manifest["version"] == 1
    assert manifest["service"]["name"] == service.settings.site_name
    assert manifest["service"]["url"] == service.settings.base_url
    assert manifest["resources"] == 2
    assert manifest["catalogue"]["sha256"] == hashlib.sha256(file).hexdigest() == second.catalogue.digest
    assert manifest["catalogue"]["size"] == len(file)
    assert manifest["catalogue"]["inflated_size"] == len(gzip.decompress(file))
    assert manifest["catalogue"]["cid"] is None
    before = bytes_of(service.services, first, MANIFEST_NAME)
    assert manifest["previous"] == {"sha256": sha256(before), "size": len(before), "cid": None}
    assert manifest_of(service.services, first)["previous"] is None
    assert manifest["change_seq"] > manifest_of(service.services, first)["change_seq"]


class TestInIpfs:
    def test_every_name_is_a_cid_too(self, in_ipfs: Service) -> None:
        teacher = in_ipfs.member()
        publish(in_ipfs, teacher, b"One\n")
        first = snapshot(in_ipfs)
        publish(in_ipfs, teacher, b"Two\n")
        second = snapshot(in_ipfs)
        files = [line["encoding"][0] for line in lines(in_ipfs.services, second)]
        assert {file["identifier"] for file in files} == {cid_of(b"One\n"), cid_of(b"Two\n")}
        assert all(file["sameAs"] == f"ipfs://{file['identifier']}" for file in files)
        manifest = manifest_of(in_ipfs.services, second)
        assert manifest["catalogue"]["cid"] == second.catalogue.cid
        assert second.catalogue.cid == cid_of(bytes_of(in_ipfs.services, second, CATALOGUE_NAME))
        assert second.manifest.cid == cid_of(bytes_of(in_ipfs.services, second, MANIFEST_NAME))
        assert manifest["previous"]["cid"] == first.manifest.cid is not None

    def test_both_files_are_in_every_store(self, in_ipfs: Service) -> None:
        publish(in_ipfs, in_ipfs.member())
        record = snapshot(in_ipfs)
        in_ipfs.work()
        for file in (record.manifest, record.catalogue):
            assert states(in_ipfs.services, file.digest) == {"file": "present", "ipfs": "present"}

    def test_nothing_is_published_while_the_node_is_silent(
        self, in_ipfs: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish(in_ipfs, in_ipfs.member())
        in_ipfs.services.catalogue.enqueue_due()

        def silent(*_: object, **__: object) -> None:
            raise StorageUnavailable("no answer")

        with monkeypatch.context() as patched:
            patched.setattr(in_ipfs.services.stores["ipfs"], "stage", silent)
            in_ipfs.work()
        assert in_ipfs.services.catalogue.snapshots() == []
        [job] = jobs(in_ipfs)
        assert job.state == JobState.QUEUED.value
        assert "store" in (job.reason or "")
        with in_ipfs.services.database.write() as session:
            session.execute(update(Job).where(Job.id == job.id).values(next_try_at=now()))
        in_ipfs.work()
        [record] = in_ipfs.services.catalogue.snapshots()
        assert record.catalogue.cid is not None

    def test_a_copy_that_came_later_is_something_new(self, in_ipfs: Service, network: Network) -> None:
        publish(in_ipfs, in_ipfs.member(), b"One\n")
        digest = sha256(b"One\n")
        with in_ipfs.services.database.write() as session:
            missing = update(BlobLocation).where(BlobLocation.digest == digest, BlobLocation.store == "ipfs")
            long_ago = now() - timedelta(hours=1)
            session.execute(missing.values(state=LocationState.MISSING.value, created_at=long_ago))
        without = snapshot(in_ipfs)
        assert "identifier" not in lines(in_ipfs.services, without)[0]["encoding"][0]
        assert not in_ipfs.services.catalogue._may_be_new()
        with in_ipfs.services.database.write() as session:
            came = update(BlobLocation).where(BlobLocation.digest == digest, BlobLocation.store == "ipfs")
            session.execute(came.values(state=LocationState.PRESENT.value, created_at=now()))
        assert in_ipfs.services.catalogue._may_be_new()
        [line] = lines(in_ipfs.services, snapshot(in_ipfs))
        assert line["encoding"][0]["identifier"] == cid_of(b"One\n")


class TestSchedule:
    def test_the_worker_publishes_when_it_is_time(self, make_service: MakeService) -> None:
        service = make_service(catalogue_every=timedelta(hours=6))
        catalogue = service.services.catalogue
        publish(service, service.member())
        handlers_of(service.services).sweep()
        service.work()
        assert len(catalogue.snapshots()) == 1
        assert not catalogue.enqueue_due()  # it was just done
        self.let_pass(service, timedelta(hours=5))
        assert not catalogue.enqueue_due()
        self.let_pass(service, timedelta(hours=2))
        assert catalogue.enqueue_due()
        assert not catalogue.enqueue_due()  # it is about to be done
        service.work()
        assert len(catalogue.snapshots()) == 1  # nothing was new
        publish(service, service.member("another"), b"Another\n")
        self.let_pass(service, timedelta(hours=7))
        assert catalogue.enqueue_due()
        service.work()
        assert [record.resources for record in catalogue.snapshots()] == [2, 1]

    @pytest.mark.parametrize("setting", [timedelta(0), ""])
    def test_it_can_be_turned_off(self, make_service: MakeService, setting: object) -> None:
        service = make_service(catalogue_every=setting)
        publish(service, service.member())
        assert not service.services.catalogue.enqueue_due()

    def test_an_empty_repository_publishes_nothing(self, service: Service) -> None:
        share(service.member())
        assert service.services.catalogue.enqueue_due()
        service.work()
        assert service.services.catalogue.publish() is None
        assert service.services.catalogue.snapshots() == []

    def test_when_the_last_one_is_withdrawn_that_is_published(self, service: Service) -> None:
        teacher = service.member()
        resource = publish(service, teacher)
        snapshot(service)
        teacher.post(resource["api_url"] + "/withdraw", json={"reason": "Old."})
        record = snapshot(service)
        assert record.resources == 0
        assert lines(service.services, record) == []

    def test_what_is_unchanged_is_not_even_read(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish(service, service.member())
        snapshot(service)

        def never(*_: object) -> None:
            raise AssertionError("it was read")

        monkeypatch.setattr(service.services.catalogue, "_render", never)
        service.services.catalogue.run("catalogue", never)

    @staticmethod
    def let_pass(service: Service, time: timedelta) -> None:
        with service.services.database.write() as session:
            for job in session.scalars(select(Job).where(Job.kind == JobKind.SNAPSHOT.value)):
                assert job.finished_at is not None
                job.finished_at -= time


def test_what_no_mirror_could_read_is_not_published(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = service.member()
    publish(service, teacher, b"One\n")
    before = snapshot(service)
    publish(service, teacher, b"Two\n")
    monkeypatch.setattr("repo_service.services.catalogue_parsing.MAX_LINE", 100)
    with pytest.raises(InvalidFile, match="no mirror could read"):
        service.services.catalogue.publish()
    assert service.services.catalogue.enqueue_due()
    service.work()
    [job] = jobs(service)
    assert job.state == JobState.FAILED.value
    assert "A line of the catalogue is too long." in (job.reason or "")
    assert service.services.catalogue.snapshots() == [before]
    with service.services.database.read() as session:
        made = session.scalars(select(Blob.digest).where(Blob.media_type == "application/gzip")).all()
    assert made == [before.catalogue.digest]


class TestKeeping:
    def test_the_newest_are_kept_and_older_ones_go(self, make_service: MakeService) -> None:
        service = make_service(catalogue_keep=2)
        teacher = service.member()
        made = []
        for number in range(4):
            publish(service, teacher, b"File %d\n" % number)
            made.append(snapshot(service))
        assert service.services.catalogue.snapshots() == [made[3], made[2]]
        service.services.garbage.collect(grace=timedelta(0))
        with service.services.database.read() as session:
            left = set(session.scalars(select(Blob.digest)))
        for number, record in enumerate(made):
            assert (record.manifest.digest in left) == (record.catalogue.digest in left) == (number >= 2)
        for record in made[2:]:
            manifest_of(service.services, record)
            lines(service.services, record)
        with pytest.raises(NotFound):
            service.services.catalogue.open(made[0].manifest.digest, MANIFEST_NAME)

    def test_those_that_name_what_was_withdrawn_go_with_the_next(
        self, in_ipfs: Service, network: Network
    ) -> None:
        """From here at once, and from every store as soon as garbage is collected; what does not name it
        stays."""
        catalogue = in_ipfs.services.catalogue
        teacher = in_ipfs.member()
        publish(in_ipfs, teacher, b"Kept\n")
        before = snapshot(in_ipfs)
        with in_ipfs.services.database.write() as session:
            session.execute(update(Snapshot).values(created_at=now() - timedelta(hours=1)))
        resource = publish(in_ipfs, teacher, b"Withdrawn\n", title="Of a child")
        telling = snapshot(in_ipfs)
        in_ipfs.work()
        teacher.post(resource["api_url"] + "/withdraw", json={"reason": "It names a child."})
        publish(in_ipfs, teacher, b"Another\n")
        newest = snapshot(in_ipfs)
        in_ipfs.work()
        assert [record.id for record in catalogue.snapshots()] == [newest.id, before.id]
        with pytest.raises(NotFound):
            catalogue.open(telling.manifest.digest, CATALOGUE_NAME)
        in_ipfs.services.garbage.collect()
        for file in (telling.manifest, telling.catalogue):
            assert states(in_ipfs.services, file.digest) == {}
            assert file.cid not in network.nodes["first"]
        primary = in_ipfs.services.stores.primary
        held = {stored.sidecar.digest for stored in primary.iter() if stored.sidecar is not None}
        assert held.isdisjoint({telling.manifest.digest, telling.catalogue.digest})
        for record in (newest, before):
            lines(in_ipfs.services, record)
            assert record.catalogue.cid in network.nodes["first"]

    def test_a_withdrawal_that_was_undone_takes_none(self, service: Service) -> None:
        teacher = service.member()
        resource = publish(service, teacher)
        first = snapshot(service)
        teacher.post(resource["api_url"] + "/withdraw", json={"reason": "A mistake."})
        json_of(teacher.post(resource["api_url"] + "/restore"))
        publish(service, teacher, b"Another\n")
        newest = snapshot(service)
        assert service.services.catalogue.snapshots() == [newest, first]

    def test_two_at_once_make_no_fork(self, service: Service) -> None:
        publish(service, service.member())
        ready = threading.Barrier(2)

        def wait(done: int, total: int) -> None:
            ready.wait(10)

        results: list[object] = []

        def run() -> None:
            try:
                results.append(service.services.catalogue.publish(progress=wait))
            except Conflict as error:
                results.append(error)

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(service.services.catalogue.snapshots()) == 1
        assert sum(isinstance(result, Conflict) for result in results) == 1

    def test_other_files_than_those_of_snapshots_are_not_given_out(self, service: Service) -> None:
        resource = publish(service, service.member())
        record = snapshot(service)
        catalogue = service.services.catalogue
        for digest, name in (
            (resource["versions"][0]["sha256"], MANIFEST_NAME),
            (record.catalogue.digest, CATALOGUE_NAME),
            (record.manifest.digest, "../manifest.json"),
        ):
            with pytest.raises(NotFound):
                catalogue.open(digest, name)


class TestApi:
    def test_an_empty_list_at_first(self, service: Service) -> None:
        assert json_of(service.client().get("/api/v1/catalogue")) == {"items": [], "mirror_of": None}

    def test_tells_the_newest_first_and_where_to_get_them(self, in_ipfs: Service) -> None:
        teacher = in_ipfs.member()
        made = []
        for number in range(2):
            publish(in_ipfs, teacher, b"File %d\n" % number)
            made.append(snapshot(in_ipfs))
        client = in_ipfs.client()
        newest, older = json_of(client.get("/api/v1/catalogue"))["items"]
        assert newest["resources"] == 2
        assert older["manifest"]["cid"] == made[0].manifest.cid
        assert newest["manifest"]["url"] == f"ipfs://{made[1].manifest.cid}"
        for file in (newest["manifest"], newest["catalogue"], older["manifest"], older["catalogue"]):
            response = client.get(path_of(file["download_url"]))
            assert response.status_code == 200
            assert sha256(response.data) == file["sha256"]
            assert len(response.data) == file["size"]
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            part = client.get(path_of(file["download_url"]), headers={"Range": "bytes=3-5"})
            assert (part.status_code, part.data) == (206, response.data[3:6])

    def test_what_is_no_snapshot_is_not_found(self, service: Service) -> None:
        for path in (f"{'0' * 64}/manifest.json", "x/manifest.json", f"{'0' * 64}/..%2f..%2fetc"):
            assert service.client().get(f"/files/catalogue/{path}").status_code == 404

    def test_the_pages_lead_there(self, service: Service) -> None:
        assert "/api/v1/catalogue" in service.client().get("/").text


def test_no_file_is_left_behind(service: Service) -> None:
    publish(service, service.member())
    before = set(Path(service.settings.data_dir).iterdir())
    snapshot(service)
    assert set(Path(service.settings.data_dir).iterdir()) == before
