"""Garbage collection: what nothing needs goes after its grace period, and nothing else goes ever."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from repo_service.domain.identity import SCOPES_OF_ROLE, Identity, Role
from repo_service.domain.resources import Visibility
from repo_service.models import Blob, BlobLocation, Resource, Snapshot, Upload, Version
from repo_service.models.base import now
from repo_service.services import garbage, keeping
from repo_service.services.garbage import Collected
from storage import Digest, Sidecar, StorageUnavailable
from storage.checked import CheckedStaged, CheckedStore
from tests.contract.support import (
    DRAFT_BYTES,
    count,
    nothing_changes,
    path_of,
    problem_of,
    publish,
    published,
    sha256,
    share,
    store_of,
)
from tests.support.copies import states
from tests.support.service import MakeService, Service, json_of, send_file

_AT_ONCE = timedelta(0)
_OLD = now() - timedelta(days=30)


def _collect(service: Service, grace: timedelta | None = None) -> Collected:
    return service.services.garbage.collect(grace=grace)


def _age(service: Service, digest: str = sha256(DRAFT_BYTES)) -> None:
    """Nobody has needed the blob for a month."""
    with service.services.database.write() as session:
        session.execute(update(Blob).where(Blob.digest == digest).values(claimed_at=_OLD))


def _withdraw(service: Service, client: Any, resource: Any, *, long_ago: bool = True) -> None:
    response = client.post(f"/api/v1/resources/{resource['id']}/withdraw", json={"reason": "Old."})
    assert response.status_code == 204
    if long_ago:
        with service.services.database.write() as session:
            session.execute(update(Resource).values(withdrawn_at=_OLD))


def _orphan(service: Service, client: Any) -> None:
    """Stored bytes that nothing needs any more, for a month."""
    begun = json_of(
        client.post("/api/v1/uploads", json={"file_name": "a.txt", "size": len(DRAFT_BYTES)}), 201
    )
    json_of(client.put(path_of(begun["url"]), data=DRAFT_BYTES))
    assert client.delete(path_of(begun["url"])).status_code == 204
    _age(service)


def _upload(client: Any) -> Any:
    return send_file(client, DRAFT_BYTES, file_name="notes.txt")


def test_what_is_needed_stays(any_service: Service) -> None:
    """A draft, a public resource, a finished upload that nobody used yet, and what was withdrawn lately."""
    teacher = any_service.member()
    share(teacher, b"draft")
    publish(any_service, teacher, b"public")
    _withdraw(any_service, teacher, publish(any_service, teacher, b"withdrawn"), long_ago=False)
    begun = json_of(teacher.post("/api/v1/uploads", json={"file_name": "a.txt", "size": 8}), 201)
    json_of(teacher.put(path_of(begun["url"]), data=b"finished"))
    with any_service.services.database.write() as session:
        session.execute(update(Blob).values(claimed_at=_OLD))
    with nothing_changes(any_service):
        assert _collect(any_service) == Collected(resources=0, uploads=0, blobs=0, bytes=0, strays=0)


def test_withdrawn_files_go_after_the_grace_period(any_service: Service) -> None:
    """Rows, trail and the reason stay; so does the 410. Restoring is refused then."""
    teacher = any_service.member()
    resource = publish(any_service, teacher)
    _withdraw(any_service, teacher, resource)
    _age(any_service)
    collected = _collect(any_service)
    assert collected == Collected(resources=1, uploads=0, blobs=1, bytes=len(DRAFT_BYTES), strays=0)
    assert published(any_service.settings) == []
    assert count(any_service.services, "inspections") == 0

    url = f"/api/v1/resources/{resource['id']}"
    assert problem_of(any_service.client().get(url), "gone")["reason"] == "Old."
    problem_of(any_service.client().get(path_of(resource["versions"][0]["download_url"])), "gone")
    problem_of(teacher.post(f"{url}/restore"), "conflict")
    (own,) = json_of(teacher.get("/api/v1/me/resources"))["items"]
    assert own["visibility"] == "withdrawn"
    assert (own["versions"][0]["sha256"], own["versions"][0]["size"]) == (None, None)
    moderator = any_service.client(any_service.token("moderator", role=Role.MODERATOR))
    asked = {"noun": "resource", "noun_id": resource["id"]}
    trail = json_of(moderator.get("/api/v1/audit", query_string=asked))["items"]
    assert [entry["action"] for entry in trail] == ["delete files", "withdraw", "release", "create"]
    assert _collect(any_service) == Collected(resources=0, uploads=0, blobs=0, bytes=0, strays=0)


def test_orphans_go_after_the_grace_period_only(any_service: Service) -> None:
    """Bytes of an upload that was cancelled."""
    teacher = any_service.member()
    _orphan(any_service, teacher)
    with any_service.services.database.write() as session:
        session.execute(update(Blob).values(claimed_at=now() - timedelta(days=6)))
    assert _collect(any_service).blobs == 0
    _age(any_service)
    assert _collect(any_service).blobs == 1
    assert published(any_service.settings) == []
    assert count(any_service.services, "blobs") == count(any_service.services, "blob_locations") == 0


def test_expired_uploads_are_swept_and_give_room_back(any_service: Service) -> None:
    """Open, finished and used ones; what a version took stays."""
    teacher = any_service.member()
    share(teacher)
    json_of(teacher.post("/api/v1/uploads", json={"file_name": "a.txt", "size": 100}), 201)
    begun = json_of(teacher.post("/api/v1/uploads", json={"file_name": "b.txt", "size": 8}), 201)
    json_of(teacher.put(path_of(begun["url"]), data=b"finished"))
    assert json_of(teacher.get("/api/v1/me"))["used"] == len(DRAFT_BYTES) + 108
    with any_service.services.database.write() as session:
        session.execute(update(Upload).values(expires_at=now() - timedelta(seconds=1)))
    problem_of(teacher.get(path_of(begun["url"])), "not-found")
    problem_of(teacher.post("/api/v1/resources", json={"upload": begun["id"]}), "not-found")
    assert _collect(any_service).uploads == 3
    assert json_of(teacher.get("/api/v1/me"))["used"] == len(DRAFT_BYTES)
    assert count(any_service.services, "uploads") == 0
    assert count(any_service.services, "versions") == 1


def test_strays_go_after_the_grace_period_only(any_service: Service) -> None:
    """Published bytes without a row: a crash came between publishing and the commit."""
    data = b"published, and then the power went out"
    with store_of(any_service.settings).stage() as staged:
        staged.write(data)
        sidecar = Sidecar(digest=Digest(sha256(data)), size=len(data), media_type="text/plain")
        locator = staged.publish(sidecar)
    with nothing_changes(any_service):
        assert _collect(any_service).strays == 0
    assert _collect(any_service, _AT_ONCE).strays == 1
    assert published(any_service.settings) == []
    assert count(any_service.services, "blobs") == 0
    assert locator


def test_a_second_copy_left_over_goes(any_service: Service) -> None:
    """Two uploads of the same bytes at once publish twice where locators are random; a crash may leave the
    second. The one that the catalogue knows stays."""
    teacher = any_service.member()
    resource = publish(any_service, teacher)
    with store_of(any_service.settings).stage() as staged:
        staged.write(DRAFT_BYTES)
        digest = Digest(sha256(DRAFT_BYTES))
        staged.publish(Sidecar(digest=digest, size=len(DRAFT_BYTES), media_type="text/plain"))
    _collect(any_service, _AT_ONCE)
    assert len(published(any_service.settings)) == 1
    got = any_service.client().get(path_of(resource["versions"][0]["download_url"]))
    assert got.data == DRAFT_BYTES


@pytest.mark.parametrize("step", ["delete", "forget"])
def test_a_crash_between_the_steps(any_service: Service, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """What is marked is nobody's; uploading it meanwhile waits and says so; a later run finishes."""
    monkeypatch.setattr(keeping, "_DELETION_WAIT_SECONDS", 0.2)
    teacher = any_service.member()
    _orphan(any_service, teacher)

    def crash(*_arguments: object) -> None:
        raise StorageUnavailable("the power went out")

    with monkeypatch.context() as patch:
        if step == "delete":
            patch.setattr(CheckedStore, "delete", crash)
        else:
            patch.setattr(garbage, "_forget", crash)
        with pytest.raises(StorageUnavailable):
            _collect(any_service)
    assert len(published(any_service.settings)) == (step == "delete")

    with nothing_changes(any_service):
        assert problem_of(_upload(teacher), "busy")["retry_after"] > 0
        assert _collect(any_service).blobs == 0, "another run may still be at it"
    with any_service.services.database.write() as session:
        session.execute(update(Blob).values(deleting_at=now() - timedelta(minutes=11)))
    assert _collect(any_service).blobs == 1
    assert count(any_service.services, "blobs") == 0
    assert published(any_service.settings) == []
    assert _upload(teacher).status_code == 201
    assert len(published(any_service.settings)) == 1


def test_a_crash_while_a_stray_goes(any_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mark does not keep the same bytes out for the whole grace period: the next run takes it over."""
    teacher = any_service.member()
    with store_of(any_service.settings).stage() as staged:
        staged.write(DRAFT_BYTES)
        digest = Digest(sha256(DRAFT_BYTES))
        staged.publish(Sidecar(digest=digest, size=len(DRAFT_BYTES), media_type="text/plain"))

    def crash(*_arguments: object) -> None:
        raise StorageUnavailable("the power went out")

    with monkeypatch.context() as patch:
        patch.setattr(CheckedStore, "delete", crash)
        with pytest.raises(StorageUnavailable):
            _collect(any_service, _AT_ONCE)
    with any_service.services.database.write() as session:
        session.execute(update(Blob).values(deleting_at=now() - timedelta(minutes=11)))
    assert _collect(any_service, _AT_ONCE).strays == 1
    assert count(any_service.services, "blobs") == 0
    assert _upload(teacher).status_code == 201
    assert len(published(any_service.settings)) == 1


def test_uploading_what_is_just_being_deleted_waits(
    any_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And has its bytes afterwards."""
    teacher, other = any_service.member("teacher"), any_service.member("other")
    _orphan(any_service, teacher)
    deleting, uploaded = threading.Event(), threading.Event()
    answers: list[Any] = []
    delete = CheckedStore.delete

    def slow(self: CheckedStore, locator: Any) -> None:
        deleting.set()
        assert not uploaded.wait(0.5), "the upload did not wait"
        delete(self, locator)

    def upload() -> None:
        deleting.wait(10)
        answers.append(_upload(other))
        uploaded.set()

    monkeypatch.setattr(CheckedStore, "delete", slow)
    thread = threading.Thread(target=upload)
    thread.start()
    assert _collect(any_service).blobs == 1
    thread.join(20)
    monkeypatch.undo()
    resource = json_of(answers[0], 201)
    got = other.get(path_of(resource["versions"][0]["download_url"]))
    assert got.data == DRAFT_BYTES


def test_two_runs_at_once_do_not_delete_what_came_back(
    any_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run has marked nothing, so it deletes nothing: the bytes that somebody uploaded between the
    two stay. Each worker collects at the same minute of the hour, and `repo gc` whenever it is typed."""
    teacher = any_service.member()
    _orphan(any_service, teacher)
    mark = type(any_service.services.garbage)._mark_orphans
    runs: list[str] = []

    def late(self: Any, before: Any, **named: Any) -> Any:
        batch = mark(self, before, **named)
        if batch and not runs:
            runs.append("late")
            # This run sleeps; its mark grows old, another run takes over, and the bytes are uploaded again.
            with any_service.services.database.write() as session:
                session.execute(update(Blob).values(deleting_at=now() - timedelta(minutes=11)))
            assert _collect(any_service).blobs == 1
            assert _upload(teacher).status_code == 201
        return batch

    monkeypatch.setattr(type(any_service.services.garbage), "_mark_orphans", late)
    assert _collect(any_service).blobs == 0
    assert runs == ["late"]
    assert len(published(any_service.settings)) == 1
    assert count(any_service.services, "blob_locations") == 1


def test_two_runs_in_threads(any_service: Service) -> None:
    """Between them they delete each blob once."""
    teacher = any_service.member()
    for number in range(6):
        begun = json_of(teacher.post("/api/v1/uploads", json={"file_name": "a.txt", "size": 7}), 201)
        json_of(teacher.put(path_of(begun["url"]), data=f"orphan{number}".encode()))
        assert teacher.delete(path_of(begun["url"])).status_code == 204
    with any_service.services.database.write() as session:
        session.execute(update(Blob).values(claimed_at=_OLD))
    together, done = threading.Barrier(2), []

    def run() -> None:
        together.wait()
        done.append(_collect(any_service))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(collected.blobs for collected in done) == 6
    assert published(any_service.settings) == []


def test_collecting_without_grace_leaves_what_arrives_alone(any_service: Service) -> None:
    """`repo gc --grace 0` between an upload's bytes and its row."""
    teacher = any_service.member()
    begun = json_of(
        teacher.post("/api/v1/uploads", json={"file_name": "a.txt", "size": len(DRAFT_BYTES)}), 201
    )
    account = json_of(teacher.get("/api/v1/me"))
    identity = Identity(account_id=UUID(account["id"]), role=Role.MEMBER, scopes=SCOPES_OF_ROLE[Role.MEMBER])
    publish_staged = CheckedStaged.publish

    def interrupted(self: CheckedStaged, sidecar: Sidecar) -> Any:
        _collect(any_service, _AT_ONCE)
        locator = publish_staged(self, sidecar)
        _collect(any_service, _AT_ONCE)
        return locator

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CheckedStaged, "publish", interrupted)
        with any_service.services.uploads.receive(identity, UUID(begun["id"])) as receiver:
            receiver.write(DRAFT_BYTES)
            receiver.finish()
    resource = json_of(teacher.post("/api/v1/resources", json={"upload": begun["id"]}), 201)
    assert teacher.get(path_of(resource["versions"][0]["download_url"])).data == DRAFT_BYTES


def test_a_restore_that_is_just_being_committed_is_not_emptied(
    postgres_url: str, make_service: MakeService
) -> None:
    """The collector reads it as withdrawn, and must not believe that once the row is free again."""
    service = make_service(database_url=postgres_url)
    teacher = service.member()
    resource = publish(service, teacher)
    _withdraw(service, teacher, resource)
    done: list[Collected] = []
    with Session(service.services.database.engine) as restoring:
        row = restoring.scalars(select(Resource).with_for_update()).one()
        row.visibility = Visibility.PUBLIC.value
        restoring.flush()
        thread = threading.Thread(target=lambda: done.append(_collect(service)))
        thread.start()
        thread.join(1)
        restoring.commit()
    thread.join(20)
    assert done[0].resources == 0
    got = service.client().get(path_of(resource["versions"][0]["download_url"]))
    assert got.data == DRAFT_BYTES


def test_bytes_whose_row_goes_in_the_moment_they_are_claimed(
    postgres_url: str, make_service: MakeService
) -> None:
    """The row is there when it is to be inserted, and gone when it is to be locked."""
    service = make_service(database_url=postgres_url)
    teacher, other = service.member("teacher"), service.member("other")
    _orphan(service, teacher)
    answers: list[Any] = []
    with Session(service.services.database.engine) as collecting:
        collecting.execute(select(Blob.digest).with_for_update())
        thread = threading.Thread(target=lambda: answers.append(_upload(other)))
        thread.start()
        thread.join(1)
        collecting.execute(delete(BlobLocation))
        collecting.execute(update(Upload).where(Upload.digest.is_not(None)).values(digest=None))
        collecting.execute(delete(Blob))
        collecting.commit()
    thread.join(20)
    resource = json_of(answers[0], 201)
    assert other.get(path_of(resource["versions"][0]["download_url"])).data == DRAFT_BYTES


def test_a_store_that_does_not_answer_loses_nothing(
    any_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row outlives the bytes, never the other way round."""
    teacher = any_service.member()
    _orphan(any_service, teacher)

    def refuse(*_arguments: object) -> None:
        raise StorageUnavailable("no route")

    monkeypatch.setattr(CheckedStore, "delete", refuse)
    with pytest.raises(StorageUnavailable):
        _collect(any_service)
    assert len(published(any_service.settings)) == 1
    assert count(any_service.services, "blobs") == 1


def test_what_is_no_locator_keeps_nothing_else_from_going(any_service: Service) -> None:
    teacher = any_service.member()
    for data in (b"one", b"another"):
        begun = json_of(teacher.post("/api/v1/uploads", json={"file_name": "a.txt", "size": len(data)}), 201)
        json_of(teacher.put(path_of(begun["url"]), data=data))
        assert teacher.delete(path_of(begun["url"])).status_code == 204
        _age(any_service, sha256(data))
    first = min(sha256(b"one"), sha256(b"another"))
    with any_service.services.database.write() as session:
        session.execute(
            update(BlobLocation).where(BlobLocation.digest == first).values(locator="of another store")
        )
    assert _collect(any_service).blobs == 2
    assert count(any_service.services, "blob_locations") == count(any_service.services, "blobs") == 0


# Several stores


@pytest.fixture
def replicated(make_service: MakeService, tmp_path: Path) -> Service:
    """A service on disk with a replica on another disk, and one that anybody can read."""
    return make_service(
        replica_urls=(f"{(tmp_path / 'second').as_uri()}?name=second", "memory:?name=net&public=true")
    )


def _stored(service: Service) -> dict[str, int]:
    return {store.name: len(list(store.iter())) for store in service.services.stores}


def _forgotten(service: Service, client: Any) -> Any:
    """A public file in every store that was withdrawn long ago."""
    resource = publish(service, client)
    service.work()
    assert _stored(service) == {"file": 1, "second": 1, "net": 1}
    _withdraw(service, client, resource)
    _age(service)
    return resource


def test_every_copy_goes(replicated: Service) -> None:
    """From each store, with its row."""
    _forgotten(replicated, replicated.member())
    assert _collect(replicated).blobs == 1
    assert _stored(replicated) == {"file": 0, "second": 0, "net": 0}
    assert count(replicated.services, "blob_locations") == count(replicated.services, "blobs") == 0


def test_a_silent_replica_keeps_nobody_waiting(replicated: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest goes on; the same bytes can be sent again meanwhile; a later run deletes what is left."""
    teacher = replicated.member()
    _forgotten(replicated, teacher)
    for number in range(3):
        begun = json_of(teacher.post("/api/v1/uploads", json={"file_name": "a.txt", "size": 1}), 201)
        json_of(teacher.put(path_of(begun["url"]), data=b"%d" % number))
        assert teacher.delete(path_of(begun["url"])).status_code == 204
        _age(replicated, sha256(b"%d" % number))
    second = replicated.services.stores["second"]
    asked: list[str] = []

    def silent(*_arguments: object, **_named: object) -> None:
        asked.append("asked")
        raise StorageUnavailable("no route")

    with monkeypatch.context() as patch:
        for operation in ("delete", "iter", "sweep_staged"):
            patch.setattr(second, operation, silent)
        assert _collect(replicated).blobs == 3
        assert [list(replicated.services.stores[name].iter()) for name in ("file", "net")] == [[], []]
        assert states(replicated.services, sha256(DRAFT_BYTES)) == {"second": "missing"}
        many = len(asked)
        assert _collect(replicated).blobs == 0
        assert len(asked) == many + 1, "only for strays: what it did not delete it is not asked again at once"
        assert _upload(teacher).status_code == 201
    replicated.services.stores.note_answered("second")
    replicated.work()
    assert states(replicated.services, sha256(DRAFT_BYTES)) == {"file": "present", "second": "present"}
    with replicated.services.database.write() as session:
        session.execute(update(Version).values(digest=None))
    _age(replicated)
    assert _collect(replicated).blobs == 1
    assert _stored(replicated) == {"file": 0, "second": 0, "net": 0}


def test_a_store_that_is_not_configured_any_more_stops_nothing(replicated: Service) -> None:
    """What it has is left there; its row goes with the blob."""
    _forgotten(replicated, replicated.member())
    with replicated.services.database.write() as session:
        session.execute(update(BlobLocation).where(BlobLocation.store == "second").values(store="former"))
    assert _collect(replicated).blobs == 1
    assert count(replicated.services, "blob_locations") == 0
    assert _stored(replicated) == {"file": 0, "second": 1, "net": 0}
    assert _collect(replicated, _AT_ONCE).strays == 1


def test_strays_are_looked_for_in_every_store(replicated: Service) -> None:
    """A copy that a crash left without a row; also where the blob is needed, but not there."""
    share(replicated.member())
    replicated.work()
    assert _stored(replicated) == {"file": 1, "second": 1, "net": 0}
    for name, data in (("net", DRAFT_BYTES), ("second", b"never heard of")):
        with replicated.services.stores[name].stage() as staged:
            staged.write(data)
            digest = Digest(sha256(data))
            staged.publish(Sidecar(digest=digest, size=len(data), media_type="text/plain"))
    assert _collect(replicated).strays == 0
    assert _collect(replicated, _AT_ONCE).strays == 2
    assert _stored(replicated) == {"file": 1, "second": 1, "net": 0}
    assert states(replicated.services, sha256(DRAFT_BYTES)) == {"file": "present", "second": "present"}


def test_what_a_snapshot_holds_stays(replicated: Service) -> None:
    """And belongs into every store, the public one included."""
    teacher = replicated.member()
    _orphan(replicated, teacher)
    with replicated.services.database.write() as session:
        digest = sha256(DRAFT_BYTES)
        session.add(Snapshot(manifest_digest=digest, catalogue_digest=digest, resources=0, change_seq=0))
    assert _collect(replicated).blobs == 0
    assert replicated.services.replicator.enqueue_owed() == 1
    replicated.work()
    assert _stored(replicated) == {"file": 1, "second": 1, "net": 1}
