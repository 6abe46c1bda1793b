"""Replication: copies come to be where they are wanted, are read from whichever is good, and are repaired."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from repo_service.domain.resources import JobKind, JobState, LocationState
from repo_service.jobs.worker import handlers_of
from repo_service.models import Blob, BlobLocation, Job, Version
from repo_service.models.base import now
from repo_service.services import stores as stores_module
from repo_service.services.stores import Stores
from storage import (
    CHUNK_SIZE,
    StorageError,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
    open_store,
)
from storage.checked import CheckedStaged
from storage.checks import Checks
from tests.contract.support import DRAFT_BYTES, path_of, problem_of, publish, sha256, share
from tests.support.backups import backup
from tests.support.copies import flip, job, locator, lose, spoil, states, there
from tests.support.service import MakeService, Service, json_of, send_file
from tests.support.weed import Weed

_BIG = bytes(range(256)) * (3 * CHUNK_SIZE // 256 + 1)
"""Three chunks and a bit."""


@pytest.fixture(params=["file+file", "s3+memory"])
def replicated(request: pytest.FixtureRequest, make_service: MakeService, tmp_path: Path) -> Service:
    """A service with a replica called ``second``: on SQLite and disks, and on PostgreSQL and S3."""
    if request.param == "file+file":
        return make_service(store_url=_file(tmp_path, "first"), replica_urls=(_file(tmp_path, "second"),))
    weed: Weed = request.getfixturevalue("weed")
    return make_service(
        database_url=request.getfixturevalue("postgres_database")(),
        store_url=weed.store_url(weed.shared_bucket, prefix=secrets.token_hex(8), name="first"),
        store_access_key=weed.access_key,
        store_secret_key=weed.secret_key,
        replica_urls=("memory:?name=second",),
    )


@pytest.fixture
def in_public(make_service: MakeService, tmp_path: Path) -> Service:
    """A service with a replica that anybody can read."""
    return make_service(store_url=_file(tmp_path, "first"), replica_urls=("memory:?name=net&public=true",))


def _file(folder: Path, name: str) -> str:
    return f"{(folder / name).as_uri()}?name={name}"


def _download(client: FlaskClient, resource: Any, **headers: str) -> Any:
    return client.get(path_of(resource["versions"][0]["download_url"]), headers=headers)


@contextmanager
def _down(service: Service, name: str, error: StorageError | None = None) -> Iterator[list[str]]:
    """The store answers nothing meanwhile. Yields what it was asked."""
    asked: list[str] = []
    store = service.services.stores[name]
    silence = error or StorageUnavailable("no route")

    def failing(operation: str) -> Callable[..., Any]:
        def fail(*_arguments: object, **_named: object) -> Any:
            asked.append(operation)
            raise silence

        return fail

    with pytest.MonkeyPatch.context() as patch:
        for operation in ("open", "stat", "stage", "delete", "iter", "check", "sweep_staged", "free_bytes"):
            patch.setattr(store, operation, failing(operation), raising=True)
        yield asked


def _forget_silence(service: Service) -> None:
    service.services.stores._silent.clear()


def _due(service: Service) -> None:
    """Every job that waits is due now."""
    with service.services.database.write() as session:
        session.execute(update(Job).values(next_try_at=now() - timedelta(seconds=1)))


# What comes to be where


def test_a_new_version_gets_its_copies(replicated: Service) -> None:
    """A draft, too; once the job is done, with the bytes and a sidecar that says what they are."""
    teacher = replicated.member()
    resource = share(teacher)
    digest = resource["versions"][0]["sha256"]
    services = replicated.services
    assert states(services, digest) == {"first": "present"}
    replicated.work()
    assert states(services, digest) == {"first": "present", "second": "present"}
    assert there(services, digest, "second") == DRAFT_BYTES
    sidecar = services.stores["second"].sidecar(locator(services, digest, "second"))
    assert sidecar is not None
    assert (sidecar.digest, sidecar.size, sidecar.media_type) == (digest, len(DRAFT_BYTES), "text/plain")
    done = job(services, digest)
    assert (done.state, done.progress) == ("done", 1.0)
    assert list(services.replicator.owed()) == []


def test_uploads_that_nobody_used_are_not_copied(replicated: Service) -> None:
    """They may never become a version."""
    teacher = replicated.member()
    begun = json_of(teacher.post("/api/v1/uploads", json={"file_name": "a.txt", "size": 8}), 201)
    json_of(teacher.put(path_of(begun["url"]), data=b"finished"))
    assert replicated.services.replicator.enqueue_owed() == 0
    assert states(replicated.services, sha256(b"finished")) == {"first": "present"}


def test_public_stores_get_what_is_released_and_lose_what_is_withdrawn(in_public: Service) -> None:
    """With the same bytes in two resources, they stay as long as one of them is public."""
    teacher = in_public.member()
    draft = share(teacher, b"draft")
    in_public.work()
    assert states(in_public.services, sha256(b"draft")) == {"first": "present"}
    assert list(in_public.services.stores["net"].iter()) == []

    first, second = publish(in_public, teacher), publish(in_public, teacher)
    in_public.work()
    digest = sha256(DRAFT_BYTES)
    assert states(in_public.services, digest) == {"first": "present", "net": "present"}
    place = locator(in_public.services, digest, "net")
    _withdraw(teacher, first)
    in_public.work()
    assert there(in_public.services, digest, "net") == DRAFT_BYTES
    _withdraw(teacher, second)
    in_public.work()
    assert states(in_public.services, digest) == {"first": "present"}
    assert [blob.locator for blob in in_public.services.stores["net"].iter()] == []
    json_of(teacher.post(f"/api/v1/resources/{first['id']}/restore"))
    in_public.work()
    assert states(in_public.services, digest) == {"first": "present", "net": "present"}
    assert locator(in_public.services, digest, "net") == place
    json_of(teacher.post(f"/api/v1/resources/{draft['id']}/versions/1/release"), 409)  # no licence
    json_of(teacher.patch(f"/api/v1/resources/{draft['id']}", json={"licence": "CC0-1.0"}))
    json_of(teacher.post(f"/api/v1/resources/{draft['id']}/versions/1/release"))
    in_public.work()
    assert there(in_public.services, sha256(b"draft"), "net") == b"draft"


def test_a_second_version_is_not_public_before_its_release(in_public: Service) -> None:
    """However public its resource is."""
    teacher = in_public.member()
    resource = publish(in_public, teacher)
    begun = json_of(teacher.post("/api/v1/uploads", json={"file_name": "b.txt", "size": 6}), 201)
    json_of(teacher.put(path_of(begun["url"]), data=b"second"))
    json_of(teacher.post(f"/api/v1/resources/{resource['id']}/versions", json={"upload": begun["id"]}), 201)
    in_public.work()
    assert states(in_public.services, sha256(b"second")) == {"first": "present"}


def test_what_a_public_store_still_has_of_a_lost_sweep_is_taken_away(in_public: Service) -> None:
    """A withdrawal whose job was lost: the hourly look finds it."""
    teacher = in_public.member()
    resource = publish(in_public, teacher)
    in_public.work()
    _withdraw(teacher, resource)
    with in_public.services.database.write() as session:
        session.execute(update(Job).values(state=JobState.DONE.value))
    assert in_public.services.replicator.enqueue_owed() == 1
    in_public.work()
    assert list(in_public.services.stores["net"].iter()) == []


def test_what_nobody_holds_stays_public_until_it_is_collected(in_public: Service) -> None:
    """A map that was rebuilt without the catalogue must not empty the network within the hour."""
    teacher = in_public.member()
    publish(in_public, teacher)
    in_public.work()
    with in_public.services.database.write() as session:
        session.execute(update(Version).values(digest=None))
    assert list(in_public.services.replicator.owed()) == []
    assert len(list(in_public.services.stores["net"].iter())) == 1


def _withdraw(client: FlaskClient, resource: Any) -> None:
    answer = client.post(f"/api/v1/resources/{resource['id']}/withdraw", json={"reason": "Old."})
    assert answer.status_code == 204


def test_a_replica_that_comes_later_is_filled(make_service: MakeService, tmp_path: Path) -> None:
    """By itself, and by one job after the other: only one of them is hinted at."""
    alone = make_service(store_url=_file(tmp_path, "first"))
    teacher = alone.member()
    contents = [f"file {number}".encode() for number in range(5)]
    for content in contents:
        share(teacher, content)
    alone.work()
    two = make_service(
        database_url=alone.settings.database_url,
        store_url=_file(tmp_path, "first"),
        replica_urls=(_file(tmp_path, "second"),),
    )
    hinted: list[UUID] = []
    two.services.jobs._hint = hinted.append
    assert two.services.replicator.enqueue_owed() == 5
    assert two.services.replicator.enqueue_owed() == 0, "they are in hand"
    assert hinted == []
    two.services.jobs.sweep()
    for number in range(1, 6):
        assert len(hinted) == number, "each leads on to the next"
        two.services.jobs.run(hinted[-1], {JobKind.REPLICATE: two.services.replicator.replicate})
    for content in contents:
        assert there(two.services, sha256(content), "second") == content


def test_a_release_during_the_job_is_not_missed(in_public: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job had looked already, and is done once more."""
    teacher = in_public.member()
    resource = share(teacher, licence="CC0-1.0")
    with in_public.services.database.read() as session:
        inspection = session.scalars(select(Job.id).where(Job.kind == JobKind.INSPECT.value)).one()
    handlers_of(in_public.services).run_job(inspection)
    replicator = in_public.services.replicator
    look = replicator._look

    def late(digest: str) -> Any:
        found = look(digest)
        monkeypatch.undo()
        json_of(teacher.post(f"/api/v1/resources/{resource['id']}/versions/1/release"))
        return found

    monkeypatch.setattr(replicator, "_look", late)
    in_public.work()
    assert there(in_public.services, sha256(DRAFT_BYTES), "net") == DRAFT_BYTES
    assert job(in_public.services, sha256(DRAFT_BYTES)).state == "done"


# Wrong bytes


def _publish_big(service: Service, client: FlaskClient) -> Any:
    """A public file of several chunks, with its copies."""
    given = {"file_name": "data.bin", "size": len(_BIG)}
    begun = json_of(client.post("/api/v1/uploads", json=given), 201)
    json_of(client.put(path_of(begun["url"]), data=_BIG))
    described = {"upload": begun["id"], "licence": "CC-BY-4.0", "release": True}
    resource = json_of(client.post("/api/v1/resources", json=described), 201)
    service.work()
    return resource


def _spoiled(service: Service, client: FlaskClient, how: str, store: str = "first") -> tuple[Any, str]:
    """A public file of several chunks whose copy in that store is flipped, cut, or gone."""
    resource = _publish_big(service, client)
    digest = sha256(_BIG)
    match how:
        case "flipped":
            flip(service.services, digest, store, at=CHUNK_SIZE + 5)
        case "cut":
            spoil(service.services.stores[store], locator(service.services, digest, store), _BIG[:-5])
        case "gone":
            lose(service.services, digest, store)
    return resource, digest


@pytest.mark.parametrize("asked", [None, f"bytes={CHUNK_SIZE}-{CHUNK_SIZE + 9}", "bytes=-10"])
@pytest.mark.parametrize(("how", "state"), [("flipped", "corrupt"), ("cut", "corrupt"), ("gone", "missing")])
def test_a_download_is_right_and_repairs_what_was_wrong(
    replicated: Service, how: str, state: str, asked: str | None
) -> None:
    """Without anybody having verified anything. What a range does not touch it does not find."""
    resource, digest = _spoiled(replicated, replicated.member(), how)
    services, public = replicated.services, replicated.client()
    old = locator(services, digest, "first")
    got = _download(public, resource, **({} if asked is None else {"Range": asked}))
    if asked is None:
        assert (got.status_code, got.data) == (200, _BIG)
    else:
        start, _, end = asked.removeprefix("bytes=").partition("-")
        expected = _BIG[int(start) : int(end) + 1] if start else _BIG[-int(end) :]
        assert (got.status_code, got.data) == (206, expected)
    if (how, asked) in {("flipped", "bytes=-10"), ("cut", f"bytes={CHUNK_SIZE}-{CHUNK_SIZE + 9}")}:
        assert states(services, digest)["first"] == "present"
        return
    assert states(services, digest) == {"first": state, "second": "present"}
    replicated.work()
    assert states(services, digest) == {"first": "present", "second": "present"}
    assert there(services, digest, "first") == _BIG
    present = {blob.locator for blob in services.stores["first"].iter()}
    assert present == {locator(services, digest, "first")}, f"nothing is left at {old}"
    assert _download(public, resource).data == _BIG


def test_verification_finds_rot_and_the_worker_repairs_it(replicated: Service) -> None:
    """Downloads are right all the while."""
    resource, digest = _spoiled(replicated, replicated.member(), "flipped")
    services = replicated.services
    before = now()
    found = [(copy.digest, copy.store, copy.state) for copy in services.verifier.verify()]
    assert found == [(digest, "first", LocationState.CORRUPT)]
    assert _download(replicated.client(), resource).data == _BIG
    replicated.work()
    assert list(services.verifier.verify()) == []
    assert there(services, digest, "first") == _BIG
    with services.database.read() as session:
        checked = session.scalars(select(BlobLocation.verified_at)).all()
    assert all(moment is not None and moment >= before for moment in checked)


def test_a_replica_that_rots_is_repaired_too(replicated: Service) -> None:
    """Nobody reads it as long as the primary is well: verification does."""
    _, digest = _spoiled(replicated, replicated.member(), "flipped", store="second")
    assert [copy.store for copy in replicated.services.verifier.verify()] == ["second"]
    replicated.work()
    assert there(replicated.services, digest, "second") == _BIG


def test_two_damaged_copies_are_made_whole_from_each_other(replicated: Service) -> None:
    """As long as they are not damaged at the same place."""
    resource, digest = _spoiled(replicated, replicated.member(), "flipped")
    services = replicated.services
    flip(services, digest, "second", at=2 * CHUNK_SIZE + 5)
    assert _download(replicated.client(), resource).data == _BIG
    assert states(services, digest) == {"first": "corrupt", "second": "corrupt"}
    problem_of(_download(replicated.client(), resource), "blob-missing")
    replicated.work()
    assert there(services, digest, "first") == there(services, digest, "second") == _BIG
    assert _download(replicated.client(), resource).data == _BIG


def test_an_only_copy_breaks_the_connection_rather_than_lie(service: Service) -> None:
    """What came cannot be taken for the whole; nothing can repair it, and that is told."""
    resource, digest = _publish_big(service, service.member()), sha256(_BIG)
    flip(service.services, digest, "file", at=2 * CHUNK_SIZE + 5)
    got = _download(service.client(), resource)
    pieces = []
    with pytest.raises(StorageError):
        pieces.extend(got.iter_encoded())
    assert b"".join(pieces) == _BIG[: 2 * CHUNK_SIZE]
    assert states(service.services, digest) == {"file": "corrupt"}
    service.work()
    failed = job(service.services, digest)
    assert failed.state == "failed"
    assert "operator" in str(failed.reason)
    problem_of(_download(service.client(), resource), "blob-missing")
    assert service.services.replicator.enqueue_owed() == 0, "it was given up a moment ago"
    with service.services.database.write() as session:
        session.execute(update(Job).values(finished_at=now() - timedelta(days=2)))
    assert service.services.replicator.enqueue_owed() == 1
    spoil(service.services.stores["file"], locator(service.services, digest, "file"), _BIG)
    service.work()
    assert _download(service.client(), resource).data == _BIG


def test_blobs_from_before_have_no_checksums(replicated: Service) -> None:
    """They are read from elsewhere when the store says so; verification fills the checksums in."""
    resource, digest = _spoiled(replicated, replicated.member(), "gone")
    with replicated.services.database.write() as session:
        session.execute(update(Blob).values(checks=None))
    assert _download(replicated.client(), resource).data == _BIG
    replicated.work()
    assert there(replicated.services, digest, "first") == _BIG
    assert _checks(replicated) == _checks_of(_BIG), "repairing reads it all, too"
    with replicated.services.database.write() as session:
        session.execute(update(Blob).values(checks=None))
    assert list(replicated.services.verifier.verify()) == []
    assert _checks(replicated) == _checks_of(_BIG)


def test_wrong_checksums_lose_no_file(replicated: Service) -> None:
    """The SHA-256 has the last word: they are made anew."""
    resource = _publish_big(replicated, replicated.member())
    with replicated.services.database.write() as session:
        session.execute(update(Blob).values(checks=_checks_of(b"x" * len(_BIG))))
    assert _download(replicated.client(), resource).status_code == 500
    replicated.work()
    assert _checks(replicated) == _checks_of(_BIG)
    assert states(replicated.services, sha256(_BIG)) == {"first": "present", "second": "present"}
    assert _download(replicated.client(), resource).data == _BIG


def _checks(service: Service) -> bytes | None:
    with service.services.database.read() as session:
        return session.scalars(select(Blob.checks)).one()


def _checks_of(data: bytes) -> bytes:
    checks = Checks()
    checks.update(data)
    return checks.value()


def test_a_file_is_not_called_damaged_because_a_copy_is(replicated: Service, tmp_path: Path) -> None:
    """Inspection looks at the other copy; with none, it says that it is the store's fault."""
    teacher = replicated.member()
    path = backup(tmp_path / "course.mbz", container="zip")
    resource = json_of(send_file(teacher, path), 201)
    digest = resource["versions"][0]["sha256"]
    replicated.services.replicator.see_to(digest)
    flip(replicated.services, digest, "first", at=path.stat().st_size - 30)  # in the directory of the zip
    replicated.work()
    version = json_of(teacher.get(path_of(resource["api_url"])))["versions"][0]
    assert (version["kind"], version["processing"]["state"]) == ("course", "done"), version
    assert states(replicated.services, digest) == {"first": "present", "second": "present"}

    flip(replicated.services, digest, "first", at=path.stat().st_size - 30)
    flip(replicated.services, digest, "second", at=path.stat().st_size - 30)
    json_of(teacher.post(f"{path_of(resource['api_url'])}/versions/1/inspection"), 202)
    replicated.work()
    processing = json_of(teacher.get(path_of(resource["api_url"])))["versions"][0]["processing"]
    assert processing["state"] == "failed"
    assert "No store has the bytes" in processing["reason"]


def test_a_file_that_really_is_damaged_is_called_so(replicated: Service) -> None:
    """Its copies are what was sent."""
    teacher = replicated.member()
    resource = share(teacher, b"PK\x03\x04 and then nothing", file_name="course.mbz")
    replicated.work()
    version = json_of(teacher.get(path_of(resource["api_url"])))["versions"][0]
    assert version["processing"]["state"] == "failed"
    assert set(states(replicated.services, version["sha256"]).values()) == {"present"}


# Stores that do not answer


def test_an_outage_of_a_replica_needs_nobody(replicated: Service) -> None:
    """However long it lasts: the job waits, says for what, and is done when the store is back."""
    teacher = replicated.member()
    with _down(replicated, "second") as asked:
        digest = share(teacher)["versions"][0]["sha256"]
        replicated.work()
        waits: list[int] = []
        for _ in range(2 * replicated.settings.job_attempts):
            waiting = job(replicated.services, digest)
            assert waiting.state == "queued"
            assert waiting.reason == "second: the store does not answer"
            waits.append(round((waiting.next_try_at - now()).total_seconds()))
            _due(replicated)
            _forget_silence(replicated)
            replicated.work()
        assert waits == sorted(waits)
        assert waits[-1] == 15 * 60
        many = len(asked)
        _due(replicated)
        replicated.work()
        assert len(asked) == many, "it was asked a moment ago"
    _due(replicated)
    _forget_silence(replicated)
    replicated.work()
    assert there(replicated.services, digest, "second") == DRAFT_BYTES
    assert job(replicated.services, digest).state == "done"


@pytest.mark.parametrize(
    ("error", "reason"),
    [(StorageFull("no room"), "no room left"), (StorageRefused("403"), "an operator must look")],
)
def test_what_an_operator_has_to_see_to_waits_too(
    replicated: Service, error: StorageError, reason: str
) -> None:
    """The job says what it is, and goes on by itself afterwards."""
    teacher = replicated.member()
    with _down(replicated, "second", error):
        digest = share(teacher)["versions"][0]["sha256"]
        replicated.work()
        waiting = job(replicated.services, digest)
        assert waiting.state == "queued"
        assert reason in str(waiting.reason)
    _due(replicated)
    replicated.work()
    assert job(replicated.services, digest).state == "done"


def test_a_dead_primary_costs_its_time_outs_once(
    replicated: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replica answers; after a pause one request tries the primary again."""
    resource = _publish_big(replicated, replicated.member())
    public = replicated.client()
    with _down(replicated, "first") as asked:
        for _ in range(5):
            assert _download(public, resource).data == _BIG
        assert asked == ["open"]
        monkeypatch.setattr(stores_module, "_PAUSE_SECONDS", 0.0)
        _forget_silence(replicated)
        for _ in range(3):
            assert _download(public, resource).data == _BIG
        assert asked == ["open"] * 4
    assert set(states(replicated.services, sha256(_BIG)).values()) == {"present"}, "silence is no fault"
    assert _download(public, resource).data == _BIG
    assert replicated.services.stores._silent == {}


def test_only_one_tries_again_after_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait for what comes of it."""
    stores = Stores(open_store("memory:"), open_store("memory:?name=second"))
    assert not stores.is_silent("second")
    stores.note_silent("second")
    assert [stores.is_silent("second") for _ in range(3)] == [True] * 3
    stores._silent["second"] = 0.0
    assert [stores.is_silent("second") for _ in range(3)] == [False, True, True]
    stores.note_answered("second")
    assert not stores.is_silent("second")


def test_when_nothing_answers_the_reader_is_told_to_come_back(replicated: Service) -> None:
    """No file is called lost because the network is."""
    resource = publish(replicated, replicated.member())
    replicated.work()
    with _down(replicated, "first"), _down(replicated, "second"):
        problem_of(_download(replicated.client(), resource), "storage-unavailable")
        got = replicated.client().head(path_of(resource["versions"][0]["download_url"]))
        assert got.status_code == 200, "HEAD asks no store"
    _forget_silence(replicated)
    assert _download(replicated.client(), resource).data == DRAFT_BYTES


def test_inspection_waits_for_the_store(service: Service) -> None:
    """It is not failed for good by an outage, and the owner is told."""
    teacher = service.member()
    resource = share(teacher)
    with _down(service, "file"):
        for _ in range(2 * service.settings.job_attempts):
            service.work()
            processing = json_of(teacher.get(path_of(resource["api_url"])))["versions"][0]["processing"]
            assert processing["state"] == "queued"
            assert "does not answer" in processing["reason"]
            _due(service)
    _due(service)
    service.work()
    version = json_of(teacher.get(path_of(resource["api_url"])))["versions"][0]
    assert version["processing"]["state"] == "done"


def test_with_no_good_source_awake_nothing_is_given_up(replicated: Service) -> None:
    """The only right copy is in a store that is silent."""
    _, digest = _spoiled(replicated, replicated.member(), "gone")
    with _down(replicated, "second"):
        assert [copy.state for copy in replicated.services.verifier.verify()] == [LocationState.MISSING, None]
        replicated.work()
        waiting = job(replicated.services, digest)
        assert waiting.state == "queued"
        assert waiting.reason == "first: the stores that may have it do not answer"
    _due(replicated)
    _forget_silence(replicated)
    replicated.work()
    assert there(replicated.services, digest, "first") == _BIG


# Races with the garbage collector and with uploads


def _interrupted(monkeypatch: pytest.MonkeyPatch, then: Callable[[], None], *, before: bool) -> None:
    """Do something in the moment in which a copy is published, before it or after."""
    publish_staged = CheckedStaged.publish

    def interrupted(self: CheckedStaged, sidecar: Any) -> Any:
        monkeypatch.undo()
        if before:
            then()
        place = publish_staged(self, sidecar)
        if not before:
            then()
        return place

    monkeypatch.setattr(CheckedStaged, "publish", interrupted)


@pytest.mark.parametrize("before", [True, False])
def test_what_is_deleted_during_the_copy_leaves_no_copy(
    replicated: Service, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """The blob was marked, or is gone altogether, when its copy comes."""
    share(replicated.member())
    digest = sha256(DRAFT_BYTES)

    def collect() -> None:
        with replicated.services.database.write() as session:
            session.execute(update(Version).values(digest=None))
            session.execute(update(Blob).values(claimed_at=now() - timedelta(days=30)))
        # Strays are left alone in the default grace period, so that what is tested is the mark.
        assert replicated.services.garbage.collect().blobs == 1

    _interrupted(monkeypatch, collect, before=before)
    replicated.services.replicator.replicate(digest, lambda share: None)
    for name in ("first", "second"):
        assert list(replicated.services.stores[name].iter()) == []
    assert states(replicated.services, digest) == {}


def test_a_copy_that_was_taken_for_a_stray_comes_again(
    replicated: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published, but not yet named by a row: a collection without any grace deletes it."""
    share(replicated.member())
    digest = sha256(DRAFT_BYTES)

    def collect() -> None:
        assert replicated.services.garbage.collect(grace=timedelta(0)).strays == 1

    _interrupted(monkeypatch, collect, before=False)
    replicated.work()
    assert states(replicated.services, digest) == {"first": "present", "second": "present"}
    assert there(replicated.services, digest, "second") == DRAFT_BYTES


def test_a_row_that_comes_while_the_stray_goes(replicated: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other way round: the collector has looked, the row comes, then the bytes go."""
    share(replicated.member())
    digest = sha256(DRAFT_BYTES)
    second = replicated.services.stores["second"]
    garbage = replicated.services.garbage
    known = garbage._is_known
    with second.stage() as staged:
        staged.write(DRAFT_BYTES)
        sidecar = replicated.services.stores["first"].sidecar(locator(replicated.services, digest, "first"))
        assert sidecar is not None
        place = staged.publish(sidecar)

    def late(store: str, stored: Any) -> bool:
        found = known(store, stored)
        if store == "second":
            replicated.services.replicator._keep(digest, second, place, _checks_of(DRAFT_BYTES))
            assert states(replicated.services, digest)["second"] == "present"
        return found

    monkeypatch.setattr(garbage, "_is_known", late)
    assert garbage.collect(grace=timedelta(0)).strays == 1
    assert states(replicated.services, digest)["second"] == "missing"
    replicated.work()
    assert there(replicated.services, digest, "second") == DRAFT_BYTES


def test_a_repair_takes_nothing_of_another(replicated: Service) -> None:
    """A row may name the place of other bytes, when a catalogue lied to a mirror about a CID."""
    teacher = replicated.member()
    share(teacher)
    share(teacher, b"other bytes")
    replicated.work()
    services, digest, other = replicated.services, sha256(DRAFT_BYTES), sha256(b"other bytes")
    wrong = {
        "locator": locator(services, other, "second"),
        "state": LocationState.CORRUPT.value,
    }
    with services.database.write() as session:
        place = update(BlobLocation).where(BlobLocation.digest == digest, BlobLocation.store == "second")
        session.execute(place.values(**wrong))
    services.replicator.see_to(digest)
    assert there(services, digest, "second") == DRAFT_BYTES
    assert there(services, other, "second") == b"other bytes"


def test_moving_away_takes_nothing_of_another(replicated: Service) -> None:
    """As a repair does not."""
    teacher = replicated.member()
    share(teacher)
    share(teacher, b"other bytes")
    replicated.work()
    services, digest, other = replicated.services, sha256(DRAFT_BYTES), sha256(b"other bytes")
    with services.database.write() as session:
        place = update(BlobLocation).where(BlobLocation.digest == digest, BlobLocation.store == "second")
        session.execute(
            place.values(locator=locator(services, other, "second"), state=LocationState.REMOTE.value)
        )
        session.execute(
            update(BlobLocation)
            .where(BlobLocation.digest == other, BlobLocation.store == "first")
            .values(state=LocationState.MISSING.value)
        )
    left = services.mover.empty("second", "first", progress=lambda: None)
    assert left == 1
    assert there(services, other, "second") == b"other bytes"


def test_an_upload_of_the_same_bytes_repairs_faster(
    replicated: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the job copies back what is lost, somebody sends it anew: one copy stays."""
    resource, digest = _spoiled(replicated, replicated.member(), "gone")
    assert _download(replicated.client(), resource).data == _BIG  # which notes the loss

    other = replicated.member("other")
    _interrupted(monkeypatch, lambda: _publish_big(replicated, other) and None, before=False)
    replicated.work()
    services = replicated.services
    assert states(services, digest) == {"first": "present", "second": "present"}
    assert there(services, digest, "first") == _BIG
    assert len(list(services.stores["first"].iter())) == 1


def test_two_workers_with_one_blob(replicated: Service) -> None:
    """Whatever they do at once, one copy stands in the end."""
    share(replicated.member())
    digest = sha256(DRAFT_BYTES)
    together = threading.Barrier(2)
    failed: list[BaseException] = []

    def work() -> None:
        together.wait()
        try:
            replicated.services.replicator.replicate(digest, lambda share: None)
        except BaseException as error:  # the thread's, for the test to see
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert states(replicated.services, digest) == {"first": "present", "second": "present"}
    assert there(replicated.services, digest, "second") == DRAFT_BYTES
    assert len(list(replicated.services.stores["second"].iter())) == 1


# What is told


def test_progress_is_told(replicated: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the bytes that were copied."""
    with monkeypatch.context() as patch:
        patch.setattr(replicated.services.replicator, "ask", lambda session, digests: None)
        _publish_big(replicated, replicated.member())
    told: list[float] = []
    replicated.services.replicator.replicate(sha256(_BIG), told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


@pytest.mark.parametrize(
    ("urls", "sentence"),
    [
        (("memory:", "memory:"), "Two stores are called memory"),
        (("memory:?name=a", "file:///tmp/x?name=a"), "Two stores are called a"),
        (("memory:?public=true",), "REPO_REPLICA_URLS"),
    ],
)
def test_stores_that_make_no_sense_together(urls: tuple[str, ...], sentence: str) -> None:
    """One sentence says what to do."""
    with pytest.raises(ValueError, match=sentence):
        Stores(*(open_store(url) for url in urls))
