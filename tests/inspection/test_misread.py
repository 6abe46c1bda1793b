"""Archives and XML of which Moodle would read something else than is read here.

Each hides the password of a quiz from the inspection, and a restore in Moodle 4.5 finds it: where Moodle does
so is said in ``archives.base``, ``archives.targz`` and ``moodle.redaction``.
"""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from repo_service.inspection.archives.base import unpacked_name
from tests.inspection.support import inspect_backup, refusal
from tests.support.backups import write_targz, write_zip
from tests.support.private import private_members

_QUIZ = "activities/quiz_101/quiz.xml"
_NO_PASSWORD = b"<password></password>"
_PASSWORD = b"<password>QUIZ-PASS-fir</password>"


def _members() -> tuple[dict[str, bytes], bytes]:
    """A course without its quiz, and the quiz with a password."""
    made = private_members(users=False, secrets=False)
    return made, made.pop(_QUIZ).replace(_NO_PASSWORD, _PASSWORD)


def _codes(path: Path) -> set[str]:
    return {finding.code for finding in inspect_backup(path).blocking}


@pytest.mark.parametrize("write", [write_zip, write_targz])
@pytest.mark.parametrize(
    "name",
    [
        "activities/quiz_101/quiz.xml'",
        'activities/quiz_101/"quiz.xml',
        "activities/quiz_101/quiz.x\x01ml",
        "activities/quiz_101/quiz.xml.",
        "activities/quiz_101/quiz\u00e4.xml",
        "activities/quiz_101//quiz.xml",
        "activities/./quiz_101/quiz.xml",
        "activities\\quiz_101\\quiz.xml",
        "Activities/Quiz_101/Quiz.XML",
    ],
)
def test_a_name_that_moodle_changes(
    name: str, write: Callable[[Path, dict[str, bytes]], Path], tmp_path: Path
) -> None:
    made, quiz = _members()
    assert refusal(write(tmp_path / "x.mbz", {name: quiz, **made})) == "misleading-name"


def test_other_names_are_nobodys_concern(tmp_path: Path) -> None:
    made, quiz = _members()
    made |= {_QUIZ: quiz, "Notes 'for' me.TXT": b"", "./files/Übung.pdf": b"", "__MACOSX/._a": b""}
    assert _codes(write_zip(tmp_path / "x.mbz", made)) == {"quiz-password"}


def test_a_name_in_the_extra_field_of_a_zip(tmp_path: Path) -> None:
    made, quiz = _members()
    path = write_zip(tmp_path / "x.mbz", made)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("notes.txt")
        said = struct.pack("<BI", 1, zlib.crc32(b"notes.txt")) + _QUIZ.encode()
        info.extra = struct.pack("<HHHHH", 0x9999, 2, 0, 0x7075, len(said)) + said
        archive.writestr(info, quiz)
    assert refusal(path) == "misleading-name"


def test_the_same_name_twice_is_no_lie(tmp_path: Path) -> None:
    made, quiz = _members()
    path = write_zip(tmp_path / "x.mbz", made)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo(_QUIZ)
        said = struct.pack("<BI", 1, zlib.crc32(_QUIZ.encode())) + _QUIZ.encode()
        info.extra = struct.pack("<HH", 0x7075, len(said)) + said
        archive.writestr(info, quiz)
    assert _codes(path) == {"quiz-password"}


def _tar_member(
    name: bytes,
    data: bytes,
    *,
    kind: bytes = b"0",
    size: bytes | None = None,
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
) -> bytes:
    header = bytearray(512)
    header[: len(name)] = name
    header[124:136] = b"%011o\0" % len(data) if size is None else size
    header[156:157] = kind
    header[257:265] = magic
    header[345 : 345 + len(prefix)] = prefix
    header[148:156] = b" " * 8
    header[148:155] = b"%06o\0" % sum(header)
    return bytes(header) + data + bytes(-len(data) % 512)


_GNU = b"ustar  \0"


def _hidden(quiz: bytes) -> dict[str, bytes]:
    name = _QUIZ.encode()
    folder, _, file = name.rpartition(b"/")
    inner = _tar_member(name, quiz)
    long_name = _tar_member(b"././@LongLink", b"notes.txt\0", kind=b"L", magic=_GNU)
    return {
        "in a member of a type that Moodle passes over": _tar_member(b"notes.txt", inner, kind=b"7"),
        "under a long name of GNU": long_name + _tar_member(name, quiz, magic=_GNU),
        "as a long name of GNU": _tar_member(name, quiz, kind=b"L", magic=_GNU)
        + _tar_member(b"notes.txt", b""),
        "under a name in a pax header": _tar_member(b"x", b"18 path=notes.txt\n", kind=b"x") + inner,
        "in a prefix that GNU has no room for": _tar_member(file, quiz, magic=_GNU, prefix=folder),
        "under a name with a zero": _tar_member(name.replace(b".xml", b".\0xml"), quiz),
        "under a name that is no text": _tar_member(name.replace(b".xml", b".\xffxml"), quiz),
        "behind twelve digits": _tar_member(
            b"notes.txt", bytes(512) + inner, size=b"%012o" % (512 + len(inner))
        ),
    }


@pytest.mark.parametrize("how", list(_hidden(b"")))
def test_a_tar_that_moodle_reads_differently(how: str, tmp_path: Path) -> None:
    made, quiz = _members()
    members = b"".join(_tar_member(name.encode(), data) for name, data in made.items())
    path = tmp_path / "x.mbz"
    path.write_bytes(gzip.compress(_hidden(quiz)[how] + members + bytes(1024)))
    other_type = "unknown-member-type" if "type" in how else "misleading-name"
    assert refusal(path) == other_type


def test_pax_headers_that_name_nothing(tmp_path: Path) -> None:
    """As bsdtar writes them."""
    made, quiz = _members()
    pax = _tar_member(b"activities/quiz_101/PaxHeader/quiz.xml", b"20 mtime=1700000000\n", kind=b"x")
    members = b"".join(_tar_member(name.encode(), data) for name, data in made.items())
    path = tmp_path / "x.mbz"
    path.write_bytes(gzip.compress(members + pax + _tar_member(_QUIZ.encode(), quiz) + bytes(1024)))
    assert _codes(path) == {"quiz-password"}


@pytest.mark.parametrize(
    ("name", "unpacked"),
    [
        ("./course/course.xml", "course/course.xml"),
        ("/a//b/../c.xml", "a/b/c.xml"),
        ('a\\"b"<c>&|d`e.xml', "a/bcde.xml"),
        ("A. /b.XML..", "a/b.xml"),
        ("\ufffd\u00a0a.xml", "a.xml"),
    ],
)
def test_what_moodle_makes_of_a_name(name: str, unpacked: str) -> None:
    assert unpacked_name(name) == unpacked


@pytest.mark.parametrize(
    "directory",
    ["activities/page_101", "activities/quiz", "activities/a/quiz_1", "course", "sections/section_21"],
)
def test_a_directory_does_not_tell_which_module_is_in_it(directory: str, tmp_path: Path) -> None:
    made, quiz = _members()
    made["moodle_backup.xml"] = made["moodle_backup.xml"].replace(b"activities/quiz_101", directory.encode())
    made[f"{directory}/quiz.xml"] = quiz
    assert _codes(write_zip(tmp_path / "x.mbz", made)) == {"quiz-password"}
