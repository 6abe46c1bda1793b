"""Renditions: made after the inspection, found again, made anew when lost, and gone with their source."""

from __future__ import annotations

import io
import tarfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from repo_service.backups import seek_index
from repo_service.domain.errors import InvalidFile, NotIndexed
from repo_service.domain.resources import JobKind, JobState, RenditionKind
from repo_service.inspection.limits import LIMITS
from repo_service.models import Blob, BlobLocation, Job, Rendition, Resource, Upload, Version
from repo_service.models.base import now
from repo_service.services import renditions
from repo_service.services.jobs import JobFailed
from repo_service.services.keeping import Keeper
from repo_service.services.renditions import Renditions
from repo_service.services.stores import Stores
from storage import open_store
from tests.backups.support import content_of
from tests.contract.support import count, publish, published, sha256, share
from tests.support.backups import backup, members
from tests.support.copies import flip, lose, states
from tests.support.service import OPERATOR, MakeService, Service

_MANIFEST = "moodle_backup.xml"
_OLD = now() - timedelta(days=30)


@pytest.fixture
def course(tmp_path: Path) -> bytes:
    """A backup that is a tar.gz."""
    return backup(tmp_path / "course.mbz").read_bytes()


def _share(service: Service, data: bytes, username: str = "teacher", **metadata: Any) -> str:
    """The digest of a backup that somebody shared."""
    resource = share(service.member(username), data, file_name="course.mbz", **metadata)
    digest: str = resource["versions"][0]["sha256"]
    return digest


def _rendition(service: Service, digest: str, kind: RenditionKind = RenditionKind.SEEK_INDEX) -> str | None:
    """The digest of the rendition."""
    with service.services.database.read() as session:
        return session.scalar(
            select(Rendition.digest).where(Rendition.source_digest == digest, Rendition.kind == kind.value)
        )


def _made(service: Service, digest: str, kind: RenditionKind = RenditionKind.SEEK_INDEX) -> str:
    made = _rendition(service, digest, kind)
    assert made is not None
    return made


def _manifest(service: Service, digest: str, *, version: int = 0) -> bytes:
    """As it is read for one of the versions with that file."""
    with service.services.database.read() as session:
        created = session.scalars(
            select(Version.created_at).where(Version.digest == digest).order_by(Version.id)
        ).all()
    with service.services.archives.open_archive(digest, since=created[version]) as archive:
        return content_of(archive, _MANIFEST)


def _job(service: Service, digest: str) -> Job | None:
    with service.services.database.read() as session:
        found = session.scalar(select(Job).where(Job.kind == JobKind.INDEX.value, Job.key == digest))
        if found is not None:
            session.expunge(found)
        return found


def _digests(service: Service) -> set[str]:
    with service.services.database.read() as session:
        return set(session.scalars(select(Blob.digest)))


def _age(service: Service) -> None:
    with service.services.database.write() as session:
        session.execute(update(Blob).values(claimed_at=_OLD))


def test_a_targz_gets_its_index_after_the_inspection(any_service: Service, course: bytes) -> None:
    digest = _share(any_service, course)
    assert _rendition(any_service, digest) is None
    any_service.work()
    assert _manifest(any_service, digest) == members()[_MANIFEST]
    job = _job(any_service, digest)
    assert job is not None
    assert (job.state, job.progress) == ("done", 1.0)


def test_other_files_need_none(any_service: Service, tmp_path: Path) -> None:
    """Of a zip the contents are made alone."""
    zipped = _share(any_service, backup(tmp_path / "x.mbz", container="zip").read_bytes())
    text = _share(any_service, b"plain text", username="other")
    any_service.work()
    assert count(any_service.services, "renditions") == 1
    assert _made(any_service, zipped, RenditionKind.CONTENTS)
    assert _job(any_service, text) is None
    assert _manifest(any_service, zipped) == members()[_MANIFEST]
    with pytest.raises(InvalidFile) as caught:
        _manifest(any_service, text)
    assert caught.value.reason == "not-an-archive"


def test_who_comes_too_early_is_told_so(service: Service, course: bytes) -> None:
    """And that hurries the job on."""
    digest = _share(service, course)
    with pytest.raises(NotIndexed):
        _manifest(service, digest)
    job = _job(service, digest)
    assert job is not None
    assert job.state == JobState.QUEUED.value
    service.work()
    assert _manifest(service, digest) == members()[_MANIFEST]


def test_making_it_twice_does_no_harm(any_service: Service, course: bytes) -> None:
    digest = _share(any_service, course)
    any_service.work()
    before = published(any_service.settings), _made(any_service, digest)
    any_service.services.renditions.make(digest, lambda share: None)
    assert (published(any_service.settings), _made(any_service, digest)) == before
    assert count(any_service.services, "renditions") == 2
    any_service.services.renditions.make(sha256(b"nobody has that"), lambda share: None)


def test_who_shares_the_same_bytes_learns_nothing_by_it(any_service: Service, course: bytes) -> None:
    """They wait as the first had to; who was first does not wait again."""
    digest = _share(any_service, course)
    any_service.work()
    _share(any_service, course, username="other")
    with pytest.raises(NotIndexed):
        _manifest(any_service, digest, version=1)
    assert _manifest(any_service, digest, version=0) == members()[_MANIFEST]
    any_service.work()
    assert _manifest(any_service, digest, version=1) == members()[_MANIFEST]
    job = _job(any_service, digest)
    assert job is not None
    with any_service.services.database.read() as session:
        made = session.scalars(select(Rendition.created_at)).all()
        assert min(made) >= max(session.scalars(select(Version.created_at)))
    assert len(published(any_service.settings)) == 3


@pytest.mark.parametrize("at", [0, 60, -1])
def test_a_damaged_one_is_made_anew(at: int, any_service: Service, course: bytes) -> None:
    digest = _share(any_service, course)
    any_service.work()
    made = _made(any_service, digest)
    flip(any_service.services, made, any_service.services.stores.primary.name, at=at)
    with pytest.raises(NotIndexed):
        _manifest(any_service, digest)
    any_service.work()
    assert _made(any_service, digest) == made
    assert _manifest(any_service, digest) == members()[_MANIFEST]


def test_a_lost_one_is_made_anew(any_service: Service, course: bytes) -> None:
    digest = _share(any_service, course)
    any_service.work()
    lose(any_service.services, _made(any_service, digest), any_service.services.stores.primary.name)
    with pytest.raises(NotIndexed):
        _manifest(any_service, digest)
    any_service.work()
    assert _manifest(any_service, digest) == members()[_MANIFEST]


def test_what_a_verification_finds_is_made_anew(any_service: Service, course: bytes) -> None:
    """No other store could give it back."""
    services = any_service.services
    digest = _share(any_service, course)
    any_service.work()
    assert list(services.verifier.verify()) == []
    flip(services, _made(any_service, digest), services.stores.primary.name)
    (found,) = services.verifier.verify()
    assert found.digest == _made(any_service, digest)
    any_service.work()
    assert services.renditions.enqueue_owed() == 1
    any_service.work()
    assert services.renditions.enqueue_owed() == 0
    assert list(services.verifier.verify()) == []
    assert _manifest(any_service, digest) == members()[_MANIFEST]


def test_a_repair_makes_it_at_once(any_service: Service, course: bytes) -> None:
    """As ``repo store verify --repair`` asks for it."""
    services = any_service.services
    digest = _share(any_service, course)
    any_service.work()
    made = _made(any_service, digest)
    flip(services, made, services.stores.primary.name)
    assert [found.digest for found in services.verifier.verify()] == [made]
    services.renditions.see_to(made)
    assert states(services, made) == {services.stores.primary.name: "present"}
    assert list(services.verifier.verify()) == []
    services.renditions.see_to(digest)
    assert count(services, "renditions") == 2


def test_a_store_that_is_gone_takes_nothing_with_it(
    make_service: MakeService, tmp_path: Path, course: bytes
) -> None:
    """What can be made again keeps no store from being forgotten, and no blob from being moved."""
    urls = [f"{(tmp_path / name).as_uri()}?name={name}" for name in ("first", "second")]
    before = make_service(store_url=urls[0], replica_urls=(urls[1],))
    digest = _share(before, course)
    before.work()
    made = _made(before, digest)
    lose(before.services, made, "first")
    assert list(before.services.mover.copy("first", "second", progress=lambda size: None)) == []
    after = make_service(store_url=urls[1], database_url=before.settings.database_url)
    assert after.services.copies.forget(OPERATOR, "first") == 3
    assert states(after.services, made) == {}
    assert after.services.renditions.enqueue_owed() == 1
    after.work()
    assert states(after.services, made) == {"second": "present"}
    assert _manifest(after, digest) == members()[_MANIFEST]


def test_one_of_an_older_maker_is_made_anew(
    any_service: Service, course: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the old bytes are let go of."""
    digest = _share(any_service, course)
    any_service.work()
    before = _made(any_service, digest)
    newer = seek_index.VERSION + 1
    monkeypatch.setattr(seek_index, "VERSION", newer)
    monkeypatch.setitem(renditions.VERSIONS, RenditionKind.SEEK_INDEX, newer)
    assert any_service.services.renditions.enqueue_owed() == 1
    with pytest.raises(NotIndexed):
        _manifest(any_service, digest)
    any_service.work()
    after = _made(any_service, digest)
    assert after != before
    assert _manifest(any_service, digest) == members()[_MANIFEST]
    _age(any_service)
    assert any_service.services.garbage.collect().blobs == 1
    assert _digests(any_service) == {digest, after, _made(any_service, digest, RenditionKind.CONTENTS)}


def test_it_goes_with_its_source(any_service: Service, course: bytes) -> None:
    """Not before, however old it is; of two sources only with the second."""
    services = any_service.services
    digest = _share(any_service, course)
    any_service.work()
    made = _made(any_service, digest)
    _age(any_service)
    assert services.garbage.collect().blobs == 0
    assert services.rebuilder.unheld() == 0
    assert _manifest(any_service, digest) == members()[_MANIFEST]
    other = sha256(b"another source")
    with services.database.write() as session:
        blob = session.get_one(Blob, digest)
        session.add(
            Blob(digest=other, size=1, media_type="x/x", claimed_at=blob.claimed_at, created_at=now())
        )
        session.flush()
        session.add(
            Rendition(source_digest=other, kind="seek-index", maker_version=1, digest=made, created_at=now())
        )
        session.execute(update(Version).values(digest=other))
    assert services.garbage.collect().blobs == 2
    assert _digests(any_service) == {other, made}
    with services.database.write() as session:
        session.execute(update(Version).values(digest=None))
    assert services.garbage.collect().blobs == 2
    assert _digests(any_service) == set()
    assert count(services, "renditions") == 0
    assert published(any_service.settings) == []


def test_a_withdrawn_file_takes_it_along(any_service: Service, course: bytes) -> None:
    teacher = any_service.member()
    resource = publish(any_service, teacher, course, file_name="course.mbz")
    teacher.post(f"/api/v1/resources/{resource['id']}/withdraw", json={"reason": "Old."})
    with any_service.services.database.write() as session:
        session.execute(update(Resource).values(withdrawn_at=_OLD))
    _age(any_service)
    assert any_service.services.garbage.collect().blobs == 3
    assert published(any_service.settings) == []


def test_it_stays_in_the_primary_store(make_service: MakeService, tmp_path: Path, course: bytes) -> None:
    """Whether others are public or not; nothing is owed, and nothing is missing."""
    service = make_service(
        store_url=f"{(tmp_path / 'first').as_uri()}?name=first",
        replica_urls=("memory:?name=second", "memory:?name=net&public=true"),
    )
    resource = publish(service, service.member(), course, file_name="course.mbz")
    digest = resource["versions"][0]["sha256"]
    service.services.replicator.enqueue_owed()
    service.work()
    assert set(states(service.services, digest)) == {"first", "second", "net"}
    made = _made(service, digest)
    assert states(service.services, made) == {"first": "present"}
    assert list(service.services.replicator.owed()) == []
    service.services.replicator.see_to(made)
    assert states(service.services, made) == {"first": "present"}
    # Moved to the second store it is found there.
    moved = list(service.services.mover.copy("first", "second", progress=lambda size: None))
    assert moved == []
    with service.services.database.write() as session:
        session.execute(update(BlobLocation).where(BlobLocation.store == "first").values(state="missing"))
    assert _manifest(service, digest) == members()[_MANIFEST]


def test_a_public_store_gets_none_of_a_draft(service: Service, tmp_path: Path, course: bytes) -> None:
    digest = _share(service, course)
    service.services.inspector.inspect(_version_id(service), lambda share: None)
    public = Stores(open_store("memory:?name=net&public=true"), all_public=True)
    made_there = Renditions(
        service.services.database,
        public,
        copies=service.services.copies,
        keeper=Keeper(service.services.database, public.primary),
        jobs=service.services.jobs,
        folder=tmp_path,
        limits=LIMITS,
    )
    with pytest.raises(JobFailed, match="public"):
        made_there.make(digest, lambda share: None)
    assert list(public.primary.iter()) == []
    assert count(service.services, "renditions") == 0


def test_a_damaged_copy_of_the_source_does_no_harm(
    make_service: MakeService, tmp_path: Path, course: bytes
) -> None:
    """It is indexed and read from the other."""
    service = make_service(
        store_url=f"{(tmp_path / 'first').as_uri()}?name=first", replica_urls=("memory:?name=second",)
    )
    digest = _share(service, course)
    service.services.inspector.inspect(_version_id(service), lambda share: None)
    service.services.replicator.see_to(digest)
    flip(service.services, digest, "first", at=len(course) // 2)
    service.services.renditions.make(digest, lambda share: None)
    assert _manifest(service, digest) == members()[_MANIFEST]


def _version_id(service: Service) -> str:
    with service.services.database.read() as session:
        return str(session.scalars(select(Version.id)).one())


def test_a_backup_that_cannot_be_indexed(service: Service, tmp_path: Path) -> None:
    """Who asks is told why, and is not told to wait; the job is not done again each time."""
    path = tmp_path / "x.mbz"
    with tarfile.open(path, "w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in [("files/da/da", b"1"), ("files/da/da", b"2"), *members().items()]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    digest = _share(service, path.read_bytes())
    service.work()
    job = _job(service, digest)
    assert job is not None
    assert job.state == JobState.FAILED.value
    with pytest.raises(InvalidFile, match="twice") as caught:
        _manifest(service, digest)
    assert caught.value.reason == "not-indexable"
    assert service.services.renditions.enqueue_owed() == 0


def test_stores_and_map_agree(any_service: Service, course: bytes) -> None:
    services = any_service.services
    digest = _share(any_service, course)
    any_service.work()
    made = _made(any_service, digest)
    assert [seen.oddity for seen in services.rebuilder.rebuild(services.stores.primary)] == [None] * 3
    with services.database.write() as session:  # the map of a machine that is lost
        session.execute(update(Version).values(digest=None))
        session.execute(update(Upload).values(digest=None))
        for blob in session.scalars(select(Blob)).all():
            session.delete(blob)
    assert count(services, "renditions") == 0
    assert [seen.new for seen in services.rebuilder.rebuild(services.stores.primary)] == [True] * 3
    with services.database.write() as session:
        session.execute(update(Version).values(digest=digest))
    assert services.rebuilder.unheld() == 2
    services.inspector.inspect(_version_id(any_service), lambda share: None)
    with pytest.raises(NotIndexed):
        _manifest(any_service, digest)
    any_service.work()
    assert _made(any_service, digest) == made
    assert services.rebuilder.unheld() == 0
