"""Archives made to hurt end in the documented problem or in a description, in bounded time and memory.

Each is inspected in a process of its own, so that its memory can be measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from repo_service.inspection.limits import LIMITS
from tests.support import hostile
from tests.support.backups import ActivitySpec, backup, members, write_targz, write_zip

_MIB = 1024 * 1024
_PROJECT = Path(__file__).resolve().parents[2]

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'


def _zip(name: str, make: Callable[[], bytes]) -> Callable[[Path], Path]:
    return lambda path: write_zip(path, {**members(), name: make()})


def _tgz(name: str, make: Callable[[], bytes]) -> Callable[[Path], Path]:
    return lambda path: write_targz(path, {**members(), name: make()})


def _xml(root: bytes, inside: bytes, *, times: int = 1) -> Callable[[], bytes]:
    """An XML file; ``%d`` in what is repeated becomes 0, 1, 2 … Made only when its test runs."""

    def make() -> bytes:
        content = b"".join(inside % n for n in range(times)) if b"%d" in inside else inside * times
        return _DECLARATION + b"<%s>" % root + content + b"</%s>" % root.split()[0]

    return make


def _tar(*extra: tarfile.TarInfo) -> Callable[[Path], Path]:
    return lambda path: hostile.targz_with(path, *extra)


@dataclass(frozen=True)
class Case:
    make: Callable[[Path], Path]
    outcome: str
    """The kind of inspection, or the reason of the refusal."""
    seconds: float = 10
    events: int = LIMITS.max_xml_events
    """Less than it is, for what would only take longer."""


CASES = {
    "zip bomb": Case(hostile.zip_bomb, "bomb"),
    "tar bomb": Case(hostile.tar_bomb, "bomb"),
    "text bomb in a zip": Case(_zip("files.xml", _xml(b"files", b" ", times=300 * _MIB)), "bomb"),
    "billion laughs, zip": Case(_zip("files.xml", lambda: hostile.BILLION_LAUGHS), "xml-doctype"),
    "billion laughs, tar": Case(_tgz("files.xml", lambda: hostile.BILLION_LAUGHS), "xml-doctype"),
    "external entity": Case(_tgz("course/course.xml", lambda: hostile.EXTERNAL_ENTITY), "xml-doctype"),
    "external DTD": Case(_zip("course/course.xml", lambda: hostile.EXTERNAL_DTD), "xml-doctype"),
    "path traversal, zip": Case(
        lambda path: write_zip(path, {**members(), "../../etc/x": b""}), "path-traversal"
    ),
    "path traversal, tar": Case(_tar(tarfile.TarInfo("files/../../x")), "path-traversal"),
    "backslashes": Case(_tar(tarfile.TarInfo("..\\..\\x")), "path-traversal"),
    "absolute, zip": Case(lambda path: write_zip(path, {**members(), "/etc/x": b""}), "absolute-path"),
    "absolute, tar": Case(_tar(tarfile.TarInfo("/etc/x")), "absolute-path"),
    "drive letter": Case(_tar(tarfile.TarInfo("C:\\x")), "absolute-path"),
    "symbolic link, tar": Case(_tar(hostile.tar_link("files", "/etc")), "symbolic-link"),
    "symbolic link, zip": Case(hostile.zip_with_symlink, "symbolic-link"),
    "hard link": Case(_tar(hostile.tar_link("x", "y", kind=tarfile.LNKTYPE)), "hard-link"),
    "device": Case(_tar(hostile.tar_link("x", "", kind=tarfile.CHRTYPE)), "device"),
    "pipe": Case(_tar(hostile.tar_link("x", "", kind=tarfile.FIFOTYPE)), "device"),
    "claims ten million entries": Case(
        lambda path: hostile.raw_zip(path, hostile.encoded_members(), claim=10_000_000), "too-many-entries", 2
    ),
    "claims more entries": Case(
        lambda path: hostile.raw_zip(path, hostile.encoded_members(), claim=400), "bad-zip-directory", 2
    ),
    "claims fewer entries": Case(
        lambda path: hostile.raw_zip(path, hostile.encoded_members(), claim=2), "bad-zip-directory", 2
    ),
    "directory elsewhere": Case(
        lambda path: hostile.raw_zip(path, hostile.encoded_members(), directory_offset_error=-9),
        "bad-zip-directory",
        2,
    ),
    "two names for a member": Case(
        lambda path: hostile.raw_zip(path, [(b"moodle_backup.xml", b"x")], local_name=b"moodle_backup.xmL"),
        "bad-zip-directory",
        2,
    ),
    "members share bytes": Case(
        lambda path: hostile.raw_zip(path, [(b"moodle_backup.xml", b"x" * 999)] * 9, shared_offset=True),
        "overlapping-members",
        2,
    ),
    "300,000 entries, zip": Case(lambda path: hostile.zip_with_many_entries(path, 300_000), "course", 20),
    "300,000 entries, tar": Case(lambda path: hostile.targz_with_many_entries(path, 300_000), "course", 20),
    "600,000 entries, zip": Case(
        lambda path: hostile.zip_with_many_entries(path, 600_000), "too-many-entries", 2
    ),
    "600,000 entries, tar": Case(
        lambda path: hostile.targz_with_many_entries(path, 600_000), "too-many-entries", 20
    ),
    "encrypted": Case(lambda path: hostile.raw_zip(path, hostile.encoded_members(), flags=1), "encrypted"),
    "unknown compression": Case(
        lambda path: hostile.raw_zip(path, hostile.encoded_members(), method=93), "unknown-compression"
    ),
    "names that are no UTF-8, zip": Case(
        lambda path: hostile.raw_zip(path, [*hostile.encoded_members(), (b"files/\xff\xfe\x80", b"x")]),
        "course",
    ),
    "names that are no UTF-8, tar": Case(_tar(tarfile.TarInfo("files/\udcff\udcfe")), "course"),
    "a second manifest": Case(
        lambda path: hostile.raw_zip(
            path,
            [*hostile.encoded_members(), (b"./moodle_backup.xml", members(users=3)["moodle_backup.xml"])],
        ),
        "duplicate-member",
    ),
    "a very deep document": Case(_zip("files.xml", _xml(b"files", b"<a>", times=5000)), "xml-too-deep"),
    "a very long tag": Case(
        _tgz("files.xml", _xml(b"files " + b" ".join(b'a%d=">"' % n for n in range(90_000)), b"")),
        "xml-token-too-long",
    ),
    "a very long comment": Case(
        _zip("files.xml", _xml(b"files><!--", b"- ", times=_MIB)), "xml-token-too-long"
    ),
    "a very long text": Case(
        _tgz("files.xml", _xml(b"files", b"<file><filename>" + b"x" * 30 * _MIB + b"</filename></file>")),
        "xml-token-too-long",
    ),
    "many small elements": Case(
        _tgz("files.xml", _xml(b"files", b"<a/>", times=6_000_000)), "xml-too-large", 40, events=8_000_000
    ),
    "many kinds of tags": Case(
        _tgz("files.xml", _xml(b"files", b"<a%d/>", times=1_000_000)), "xml-too-many-names"
    ),
    "many kinds of tags where persons are looked for": Case(
        _tgz("activities/page_101/roles.xml", _xml(b"roles", b"<a%d/>", times=1_000_000)),
        "xml-too-many-names",
    ),
    "many kinds of attributes": Case(
        _zip("files.xml", _xml(b"files", b'<a a%d=""/>', times=1_000_000)), "xml-too-many-names"
    ),
    "many contexts": Case(
        _tgz("files.xml", _xml(b"files", b"<file><contextid>%d</contextid></file>", times=400_000)), "course"
    ),
    "many question types": Case(
        _tgz("questions.xml", _xml(b"questions", b"<question><qtype>q%d</qtype></question>", times=60_000)),
        "too-many-values",
    ),
    "too many activities": Case(
        lambda path: backup(path, activities=[ActivitySpec(title="x")] * 10_001), "too-many-activities", 20
    ),
    "too much text": Case(
        lambda path: backup(path, activities=[ActivitySpec(title="x" * 1500)] * 9_000), "too-much-text", 20
    ),
    "many parts without a list": Case(
        lambda path: hostile.raw_zip(
            path,
            [
                *hostile.encoded_members(),
                *((b"activities/x_%d/module.xml" % n, b"<module/>") for n in range(90_000)),
            ],
        ),
        "too-many-activities",
        20,
    ),
    "markup in names": Case(
        lambda path: backup(path, fullname="<script>alert(1)</script>", summary="<script>alert(1)</script>"),
        "course",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_ends_as_documented(case: Case, tmp_path: Path) -> None:
    archive = case.make(tmp_path / "hostile.mbz")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.inspection.probe", str(archive), str(case.events)],
        cwd=_PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    answer = json.loads(ran.stdout)
    print(answer)
    assert answer.get("kind", answer.get("reason")) == case.outcome
    assert answer["peak"] < 256
    assert answer["seconds"] < case.seconds * answer["slow"]
