"""The clean copy of a backup: nothing of learners and no key is left, and all else is."""

from __future__ import annotations

import base64
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import pytest
from lxml import etree

from repo_service.backups.archives import open_zip
from repo_service.backups.cleaning import Cleaned, clean
from repo_service.domain.errors import Uncleanable
from repo_service.domain.inspection import BackupInspection
from repo_service.inspection.sources import FileSource
from tests.inspection.support import inspect_backup
from tests.support.backups import Container, write_targz, write_zip
from tests.support.private import LEARNERS, SECRETS, TEACHER, private_backup, private_members

_PAIRS = [
    ("env-science-en.course.users.zip", "env-science-en.course.nousers.zip"),
    ("env-science-en.course.users.tgz", "env-science-en.course.nousers.tgz"),
    ("env-science-en.course.users-anonymised.zip", "env-science-en.course.nousers.zip"),
    ("analysis-de.course.users.zip", "analysis-de.course.nousers.zip"),
    ("analysis-de.course.users.tgz", "analysis-de.course.nousers.tgz"),
    ("python-uk.course.users.zip", "python-uk.course.nousers.tgz"),
    ("edge-cases.course.users.zip", "edge-cases.course.nousers.tgz"),
    ("generated-xs.course.users.tgz", "generated-xs.course.nousers.zip"),
    ("env-science-en.activity-assign.users.tgz", "env-science-en.activity-assign.nousers.zip"),
    ("env-science-en.activity-forum.users.zip", "env-science-en.activity-forum.nousers.tgz"),
    ("env-science-en.activity-quiz.users.zip", "env-science-en.activity-quiz.nousers.tgz"),
    ("env-science-en.activity-h5pactivity.users.tgz", "env-science-en.activity-h5pactivity.nousers.zip"),
]


def cleaned(path: Path, to: Path) -> Cleaned:
    """Write the clean copy of a backup to ``to``."""
    with FileSource(path) as source, to.open("wb") as file:
        is_zip = source.read_at(0, 2) == b"PK"
        return clean(
            source,
            archive_format="zip" if is_zip else "tgz",
            archive=open_zip(source) if is_zip else None,
            write=file.write,
            folder=to.parent,
            progress=lambda done: None,
        )


def content_of(path: Path) -> dict[str, bytes]:
    """Name -> content of each file in an archive, read by the standard library."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    with tarfile.open(path) as tar:
        files = [member for member in tar if member.isfile()]
        return {member.name: file.read() for member in files if (file := tar.extractfile(member))}


@pytest.mark.parametrize("container", ["tgz", "zip"])
def test_nothing_of_learners_and_no_key_is_left(container: Container, tmp_path: Path) -> None:
    source = private_backup(tmp_path / "source.mbz", container=container)
    before = b"".join(content_of(source).values()) + "".join(content_of(source)).encode()
    assert all(text in before for text in (*LEARNERS, *SECRETS))
    report = cleaned(source, tmp_path / "clean.mbz")
    copy = content_of(tmp_path / "clean.mbz")
    after = b"".join(copy.values())
    assert not [text for text in (*LEARNERS, *SECRETS) if text in after]
    twin = private_backup(tmp_path / "twin.mbz", container=container, users=False)
    cleaned(twin, tmp_path / "twin-clean.mbz")
    assert copy == content_of(tmp_path / "twin-clean.mbz")
    assert {"users", "submissions", "attempts", "comments", "logs", "learner-files", "enrolment-key"} <= {
        finding.code for finding in report.removed
    }
    left = {(finding.code, finding.place) for finding in report.left}
    assert left == {
        ("file-authors", "files.xml"),
        ("name-in-text", "course/course.xml"),
        ("name-in-text", "course/blocks/html_60/block.xml"),
    }


@pytest.mark.parametrize("container", ["tgz", "zip"])
def test_what_nobody_names_is_the_same_to_the_byte(container: Container, tmp_path: Path) -> None:
    source = private_backup(tmp_path / "source.mbz", container=container, users=False, secrets=False)
    cleaned(source, tmp_path / "clean.mbz")
    before, after = content_of(source), content_of(tmp_path / "clean.mbz")
    before.pop(".ARCHIVE_INDEX", None)
    assert set(before) == set(after)
    assert {name for name in before if before[name] != after[name]} == {"files.xml", "badges.xml"}
    assert TEACHER.encode() in after["files.xml"]
    assert b"<userid>$@NULL@$</userid>" in after["files.xml"]


def test_a_method_that_loses_its_key_is_switched_off(tmp_path: Path) -> None:
    cleaned(private_backup(tmp_path / "source.mbz", users=False), tmp_path / "clean.mbz")
    enrolments = content_of(tmp_path / "clean.mbz")["course/enrolments.xml"]
    assert enrolments.count(b"<status>1</status>") == 2
    assert enrolments.count(b"<password>$@NULL@$</password>") == 2


def test_a_clean_copy_has_nothing_to_be_taken_out(tmp_path: Path) -> None:
    cleaned(private_backup(tmp_path / "source.mbz"), tmp_path / "clean.mbz")
    found = inspect_backup(tmp_path / "clean.mbz")
    assert not found.blocking
    assert not found.includes_users
    assert not [finding for finding in found.findings if finding.code == "user-ids"]
    again = cleaned(tmp_path / "clean.mbz", tmp_path / "again.mbz")
    assert not again.removed
    assert (tmp_path / "again.mbz").read_bytes() == (tmp_path / "clean.mbz").read_bytes()


def test_data_that_nobody_can_judge_is_refused(tmp_path: Path) -> None:
    made = private_members()
    made["activities/hvp_150/hvp.xml"] = b"<activity><hvp><played><by>7</by></played></hvp></activity>"
    with pytest.raises(Uncleanable) as refused:
        cleaned(write_zip(tmp_path / "source.mbz", made), tmp_path / "clean.mbz")
    assert refused.value.places == ("mod_hvp",)


def test_a_user_where_nobody_expects_one_is_refused(tmp_path: Path) -> None:
    made = private_members()
    made["activities/page_100/page.xml"] = made["activities/page_100/page.xml"].replace(
        b"</page>", b"<readers><reader><userid>7</userid></reader></readers></page>"
    )
    with pytest.raises(Uncleanable) as refused:
        cleaned(write_targz(tmp_path / "source.mbz", made), tmp_path / "clean.mbz")
    assert refused.value.places == ("activities/page_100/page.xml (activity/page/readers/reader/userid)",)


def test_a_plugin_in_a_backup_without_users_stays(tmp_path: Path) -> None:
    made = private_members(users=False)
    made["activities/hvp_150/hvp.xml"] = b"<activity><hvp><name>Cards</name></hvp></activity>"
    report = cleaned(write_zip(tmp_path / "source.mbz", made), tmp_path / "clean.mbz")
    assert (
        content_of(tmp_path / "clean.mbz")["activities/hvp_150/hvp.xml"] == made["activities/hvp_150/hvp.xml"]
    )
    assert "plugin-data" in {finding.code for finding in report.left}


def test_members_that_no_backup_has_are_left_out(tmp_path: Path) -> None:
    made = private_members(users=False)
    made["notes-on-learners.txt"] = b"Ngozi"
    made["files/ab/" + "ab" * 20] = b"in no list of files"
    made["moodle_backup.log"] = b"user 7 did it"
    cleaned(write_zip(tmp_path / "source.mbz", made), tmp_path / "clean.mbz")
    copy = content_of(tmp_path / "clean.mbz")
    assert "notes-on-learners.txt" not in copy
    assert "files/ab/" + "ab" * 20 not in copy
    assert copy["moodle_backup.log"] == b""


def test_names_that_moodle_refuses_are_repaired(tmp_path: Path) -> None:
    made = private_members(users=False)
    for name in ("moodle_backup.xml", "course/course.xml"):
        made[name] = made[name].replace(
            b"Introduction to Ecology", b"Eco &lt;b&gt;&amp; logy&lt;/b&gt; &lt;8&gt;"
        )
    source = write_zip(tmp_path / "source.mbz", made)
    assert "unrestorable-name" in {finding.code for finding in inspect_backup(source).findings}
    cleaned(source, tmp_path / "clean.mbz")
    found = inspect_backup(tmp_path / "clean.mbz")
    left, right = "SINGLE LEFT-POINTING ANGLE QUOTATION MARK", "SINGLE RIGHT-POINTING ANGLE QUOTATION MARK"
    assert found.fullname == f"Eco & logy {unicodedata.lookup(left)}8{unicodedata.lookup(right)}"
    assert content_of(tmp_path / "clean.mbz")["moodle_backup.xml"][:5] == b"<?xml"


def test_teachers_examples_of_a_workshop_keep_their_files(tmp_path: Path) -> None:
    made = private_members()
    made["activities/workshop_160/workshop.xml"] = (
        b'<activity><workshop id="1"><examplesubmissions><examplesubmission id="40"><title>Like this</title>'
        b'</examplesubmission></examplesubmissions><submissions><submission id="41"><authorid>7</authorid>'
        b"</submission></submissions></workshop></activity>"
    )

    def record(id_: int, item: int, name: bytes) -> bytes:
        return (
            b'<file id="%d"><contenthash>%s</contenthash><component>mod_workshop</component>'
            b"<filearea>submission_attachment</filearea><itemid>%d</itemid><filename>%s</filename></file>"
            % (id_, (name * 40)[:40].hex().encode()[:40], item, name)
        )

    made["files.xml"] = made["files.xml"].replace(
        b"</files>", record(50, 40, b"example") + record(51, 41, b"learners") + b"</files>"
    )
    for container in (write_zip, write_targz):
        cleaned(container(tmp_path / "source.mbz", made), tmp_path / "clean.mbz")
        files = content_of(tmp_path / "clean.mbz")["files.xml"]
        assert b"example" in files
        assert b"learners" not in files


@pytest.mark.parametrize(("users", "without"), _PAIRS)
def test_a_clean_copy_is_what_moodle_writes_without_users(
    users: str, without: str, corpus: Path, tmp_path: Path
) -> None:
    cleaned(corpus / f"m456-{users}.mbz", tmp_path / "clean.mbz")
    cleaned(corpus / f"m456-{without}.mbz", tmp_path / "twin.mbz")
    copy, twin = content_of(tmp_path / "clean.mbz"), content_of(tmp_path / "twin.mbz")
    assert set(copy) == set(twin)
    for name in copy:
        if name == "moodle_backup.xml":
            continue
        assert sorted(copy[name].splitlines()) == sorted(twin[name].splitlines()), name
    found, expected = inspect_backup(tmp_path / "clean.mbz"), inspect_backup(corpus / f"m456-{without}.mbz")
    assert found.outline == expected.outline
    assert _settings(found) == _settings(expected)
    assert not found.blocking


def _settings(found: BackupInspection) -> dict[str, str]:
    return {
        name: value for name, value in found.root_settings.items() if name not in ("filename", "anonymize")
    }


_WITH_USERS = sorted({users for users, _ in _PAIRS if "anonymised" not in users})


@pytest.mark.parametrize("users", _WITH_USERS)
def test_names_that_are_left_are_reported(users: str, corpus: Path, tmp_path: Path) -> None:
    """No name, user name or address of anybody in users.xml is left, but where the report says so."""
    before = content_of(corpus / f"m456-{users}.mbz")
    report = cleaned(corpus / f"m456-{users}.mbz", tmp_path / "clean.mbz")
    after = content_of(tmp_path / "clean.mbz")
    told = {finding.place for finding in report.left if finding.code == "name-in-text"}
    authors = {finding.place for finding in report.left if finding.code == "file-authors"}
    persons = etree.fromstring(before["users.xml"]).findall("user")
    assert persons
    for person in persons:
        first, last, username, address = (
            (person.findtext(tag) or "").encode() for tag in ("firstname", "lastname", "username", "email")
        )
        for place, data in after.items():
            hidden = etree.fromstring(data).findtext("configdata") if place.endswith("block.xml") else None
            content = data + base64.b64decode(hidden or "")
            assert address not in content
            if not username.isalpha():  # “admin” is a word of any text
                assert username not in content
            if b" ".join((first, last)) in content:
                assert place in told | authors, (place, first, last)
