"""Files made to hurt, from the upload to the end of their inspection, in the processes of ``repo run``.

What each parser makes of more of them is in ``tests/inspection/test_hostile.py``.
"""

from __future__ import annotations

import hashlib
import random
import socket
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from repo_service.domain.resources import JobKind, JobState
from repo_service.models import Job
from repo_service.models.base import now
from tests.support import hostile
from tests.support.backups import ActivitySpec, Container, backup, members, write_targz, write_zip
from tests.support.running import Running, running, wait_for
from tests.support.service import Service, json_of, send_file

_MIB = 1024 * 1024
_BOUND_MIB = 256
# Recognised as the manifest of a backup, which then has a DOCTYPE.
_MANIFEST = b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- <moodle_backup><information> -->\n'
_BACKUP = b"<moodle_backup><information><name>&j;</name></information></moodle_backup>"
_LAUGHS = _MANIFEST + hostile.BILLION_LAUGHS.partition(b"\n")[2].partition(b"<files>")[0] + _BACKUP


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("hostile"), web_workers="1") as service:
        _hold_back_renditions(service)
        yield service


def _hold_back_renditions(service: Running) -> None:
    """They are made in the background, one after another, whenever a sweep comes by: the blobs of one case
    would be counted in the next. One that is said to be under way holds back the others."""
    engine = create_engine(f"sqlite:///{service.data / 'repo.db'}")
    with Session(engine) as session, session.begin():
        session.add(
            Job(
                kind=JobKind.INDEX.value,
                key="0" * 64,
                state=JobState.RUNNING.value,
                next_try_at=now(),
                lease_until=now() + timedelta(days=1),
            )
        )
    engine.dispose()


@dataclass(frozen=True)
class Case:
    """``outcome`` is the kind of the inspection, or the reason why the file is refused."""

    make: Callable[[Path], Path]
    outcome: str
    seconds: float = 15


def _with(name: str, content: bytes, *, write: Callable[..., Path] = write_targz) -> Callable[[Path], Path]:
    return lambda path: write(path, {**members(), name: content})


def _spoilt(spoil: Callable[[bytearray], object], **how: Any) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        data = bytearray(backup(path, **how).read_bytes())
        spoil(data)
        path.write_bytes(data)
        return path

    return make


def _truncate(data: bytearray) -> None:
    del data[len(data) * 2 // 3 :]


def _flip(data: bytearray) -> None:
    data[len(data) // 2] ^= 0x10


def _entity(address: str) -> bytes:
    doctype = f'<!DOCTYPE x SYSTEM "{address}" [<!ENTITY j SYSTEM "{address}">]>'
    return _MANIFEST + doctype.encode() + _BACKUP


def _tar(*extra: tarfile.TarInfo) -> Callable[[Path], Path]:
    return lambda path: hostile.targz_with(path, *extra)


def _claiming(count: int) -> Callable[[Path], Path]:
    return lambda path: hostile.raw_zip(path, hostile.encoded_members(), claim=count)


CASES = {
    "truncated, tar": Case(_spoilt(_truncate), "truncated"),
    "truncated, zip": Case(_spoilt(_truncate, container="zip"), "truncated"),
    "flipped bit, tar": Case(_spoilt(_flip), "bad-gzip"),
    "zip bomb": Case(hostile.zip_bomb, "bomb"),
    "tar bomb": Case(hostile.tar_bomb, "bomb", 30),
    "billion laughs in moodle_backup.xml": Case(_with("moodle_backup.xml", _LAUGHS), "xml-doctype"),
    "billion laughs in files.xml": Case(
        _with("files.xml", hostile.BILLION_LAUGHS, write=write_zip), "xml-doctype"
    ),
    "external file in moodle_backup.xml": Case(
        _with("moodle_backup.xml", _entity("file:///etc/passwd"), write=write_zip), "xml-doctype"
    ),
    "external file in files.xml": Case(_with("files.xml", _entity("file:///etc/passwd")), "xml-doctype"),
    "path traversal, zip": Case(
        lambda path: write_zip(path, {**members(), "../../../tmp/x": b""}), "path-traversal"
    ),
    "path traversal, tar": Case(_tar(tarfile.TarInfo("../../../tmp/x")), "path-traversal"),
    "absolute, zip": Case(lambda path: write_zip(path, {**members(), "/tmp/x": b""}), "absolute-path"),
    "absolute, tar": Case(_tar(tarfile.TarInfo("/tmp/x")), "absolute-path"),
    "symbolic link, zip": Case(hostile.zip_with_symlink, "symbolic-link"),
    "symbolic link, tar": Case(_tar(hostile.tar_link("files", "/etc")), "symbolic-link"),
    "claims ten million entries": Case(_claiming(10_000_000), "too-many-entries"),
    "claims more entries": Case(_claiming(400), "bad-zip-directory"),
    "claims fewer entries": Case(_claiming(2), "bad-zip-directory"),
    "directory elsewhere": Case(
        lambda path: hostile.raw_zip(path, hostile.encoded_members(), directory_offset_error=-9),
        "bad-zip-directory",
    ),
    "300,000 entries, zip": Case(lambda path: hostile.zip_with_many_entries(path, 300_000), "course", 40),
    "300,000 entries, tar": Case(lambda path: hostile.targz_with_many_entries(path, 300_000), "course", 40),
    "names that are no UTF-8, zip": Case(
        lambda path: hostile.raw_zip(path, [*hostile.encoded_members(), (b"files/\xff\xfe\x80", b"x")]),
        "course",
    ),
    "names that are no UTF-8, tar": Case(_tar(tarfile.TarInfo("files/\udcff\udcfe")), "course"),
    "text that says it is a backup": Case(
        lambda path: _written(path, b"PK\x03\x04" + b"x" * 99), "truncated"
    ),
    "random bytes": Case(lambda path: _written(path, random.Random(7).randbytes(300_000)), "not-a-backup"),
    "nothing": Case(lambda path: _written(path, b""), "not-a-backup"),
}


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_ends_as_documented_and_leaves_nothing_but_itself(
    repository: Running, case: Case, tmp_path: Path
) -> None:
    path = case.make(tmp_path / "hostile.mbz")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rows, stored = repository.rows(), repository.stored()

    with repository.within(mebibytes=_BOUND_MIB, seconds=case.seconds):
        sent = repository.send(path)
        assert sent.status_code == 201, sent.text
        resource = repository.settled(sent.json())

    version = resource["versions"][0]
    inspection = repository.client.get(version["inspection_url"])
    assert _outcome(inspection) == case.outcome
    assert "root:" not in inspection.text
    assert version["sha256"] == digest
    assert version["processing"]["state"] == ("done" if inspection.is_success else "failed")
    grown = {name: count - rows[name] for name, count in repository.rows().items()}
    assert grown == {**dict.fromkeys(rows, 1), "uploads": 0}
    assert repository.stored() - stored == {digest, f"{digest}.json"}
    assert repository.staged() == set()
    if not inspection.is_success:
        _cannot_be_released(repository, resource)
    _serves_as_before(repository, tmp_path)


def _outcome(inspection: httpx.Response) -> str:
    body = inspection.json()
    if inspection.is_success:
        return str(body["kind"])
    assert (inspection.status_code, body["code"]) == (422, "invalid-file"), inspection.text
    assert body["detail"]
    return str(body["reason"])


def _cannot_be_released(repository: Running, resource: dict[str, Any]) -> None:
    said = repository.client.patch(resource["api_url"], json={"licence": "CC-BY-4.0"})
    assert said.status_code == 200, said.text
    refused = repository.client.post(f"{resource['api_url']}/versions/1/release")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-file")


def _serves_as_before(repository: Running, folder: Path) -> None:
    """The next good upload is described and comes back as it was."""
    title = f"Sound {time.monotonic_ns()}"
    path = backup(folder / "sound.mbz", activities=[ActivitySpec(title=title)])
    resource = repository.settled(repository.send(path).json())
    version = resource["versions"][0]
    inspection = repository.client.get(version["inspection_url"]).json()
    assert [a["title"] for s in inspection["outline"] for a in s["activities"]] == [title]
    assert repository.client.get(version["download_url"]).content == path.read_bytes()


@pytest.mark.parametrize("member", ["moodle_backup.xml", "files.xml", "course/course.xml"])
@pytest.mark.parametrize("write", [write_zip, write_targz])
def test_nothing_is_fetched_from_elsewhere(
    service: Service, member: str, write: Callable[..., Path], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/x.dtd"
        path = write(tmp_path / "c.mbz", {**members(), member: _entity(address)})
        member_of = service.member()
        resource = json_of(send_file(member_of, path), 201)
        service.work()
        refused = json_of(member_of.get(resource["versions"][0]["inspection_url"]), 422)
        assert (refused["code"], refused["reason"]) == ("invalid-file", "xml-doctype")
        with pytest.raises(TimeoutError):
            listener.accept()


MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def test_markup_in_names_and_summaries_stays_text(service: Service, tmp_path: Path) -> None:
    path = backup(
        tmp_path / "c.mbz",
        fullname=MARKUP,
        shortname=MARKUP,
        summary=f"<p onclick='alert(3)'>Rivers <a href='javascript:alert(4)'>here</a></p>{MARKUP}",
        tags=[MARKUP],
        section_titles=["", MARKUP],
        activities=[ActivitySpec(title=MARKUP, tags=[MARKUP])],
    )
    teacher = service.member()
    sent = send_file(teacher, path, file_name=f"{MARKUP}.mbz", licence="CC-BY-4.0", release=True)
    service.work()
    resource = json_of(teacher.get(json_of(sent, 201)["api_url"]))
    assert resource["title"] == MARKUP
    assert "Rivers" in resource["summary"]
    for bad in ("script", "onerror", "onclick", "javascript", "alert(1)"):
        assert bad not in resource["summary"]
    inspection = json_of(teacher.get(resource["versions"][0]["inspection_url"]))
    assert inspection["outline"][1]["activities"][0]["title"] == MARKUP
    for address in ("/", f"/resources/{resource['id']}", "/?q=script"):
        page = service.client().get(address)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
    found = json_of(service.client().get("/api/v1/resources", query_string={"q": "rivers"}))
    assert [item["id"] for item in found["items"]] == [resource["id"]]


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_damage_is_described_or_refused(service: Service, tmp_path: Path, data: st.DataObject) -> None:
    """Bits flipped, bytes removed and the end cut off, anywhere."""
    containers: tuple[Container, ...] = ("tgz", "zip")
    container = data.draw(st.sampled_from(containers))
    content = bytearray(backup(tmp_path / f"{container}.mbz", container=container).read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=5)):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    if data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(content) - 1))
        del content[start : start + data.draw(st.integers(1, 100_000))]
    assume(content)  # of an empty file the test client makes a part without a body; see "nothing" above
    teacher = service.client(service.token(f"t{time.monotonic_ns()}"))
    resource = json_of(send_file(teacher, bytes(content)), 201)
    service.work()
    version = json_of(teacher.get(resource["api_url"]))["versions"][0]
    inspection = teacher.get(version["inspection_url"])
    if version["processing"]["state"] == JobState.DONE:
        assert json_of(inspection)["kind"]
    else:
        refused = json_of(inspection, 422)
        assert refused["code"] == "invalid-file"
        assert refused["reason"]
        assert version["processing"]["reason"] == refused["detail"]
    assert teacher.get(version["download_url"]).data == bytes(content)


def test_a_worker_killed_while_it_inspects_loses_no_job(tmp_path: Path) -> None:
    """A parser that takes its whole process with it: the worker is started again and does what is left."""
    path = hostile.targz_with_many_entries(tmp_path / "slow.mbz", 400_000)
    with running(tmp_path, web_workers="1", job_lease="PT1S") as service:
        worker = service.worker()
        resource = service.send(path).json()

        def is_running() -> bool:
            found = service.client.get(resource["api_url"]).json()
            return bool(found["versions"][0]["processing"]["state"] == "running")

        wait_for(is_running, "the inspection to begin")
        worker.kill()
        settled = service.settled(resource, seconds=90)
        assert settled["versions"][0]["processing"]["state"] == "done"
        assert settled["versions"][0]["kind"] == "course"
        assert service.worker().pid != worker.pid
        assert service.rows()["resources"] == service.rows()["inspections"] == 1
        _serves_as_before(service, tmp_path)
