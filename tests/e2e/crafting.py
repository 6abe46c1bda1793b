"""Real backups with one thing changed, so that a restore fails or loses exactly that."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.backups import write_zip


class Backup:
    """The members of a backup, to be changed and written anew."""

    def __init__(self, path: Path) -> None:
        self._members = dict(_members_of(path))

    def replace(self, old: str, new: str, *, within: str) -> Backup:
        """Change a piece of XML, which has to be there, in a member or in all of a folder (``folder/``)."""
        places = [name for name in self._members if name == within or (within[-1] == "/" and within in name)]
        found = [name for name in places if old.encode() in self._members[name]]
        assert found, f"{old} stands nowhere in {within}"
        for name in found:
            self._members[name] = self._members[name].replace(old.encode(), new.encode())
        return self

    def rename_module(self, old: str, new: str) -> Backup:
        """Make every activity of one module one of another."""
        self._rename(f"activities/{old}_", f"activities/{new}_", old, new)
        self.replace(f"activities/{old}_", f"activities/{new}_", within="moodle_backup.xml")
        self.replace(
            f"<modulename>{old}</modulename>", f"<modulename>{new}</modulename>", within="moodle_backup.xml"
        )
        return self.replace(f">{old}_", f">{new}_", within="moodle_backup.xml")

    def rename_block(self, old: str, new: str) -> Backup:
        """Make every block of the course of one kind one of another."""
        self._rename(f"course/blocks/{old}_", f"course/blocks/{new}_", old, new)
        return self

    def write(self, path: Path) -> Path:
        """The backup as a file."""
        return write_zip(path, self._members)

    def _rename(self, old_start: str, new_start: str, old: str, new: str) -> None:
        renamed = {}
        for name, data in self._members.items():
            if name.startswith(old_start):
                folder, _, file = name.removeprefix(old_start).rpartition("/")
                file = f"{new}.xml" if file == f"{old}.xml" else file
                renamed[f"{new_start}{folder}/{file}"] = data
            else:
                renamed[name] = data
        assert renamed.keys() != self._members.keys(), f"nothing begins with {old_start}"
        self._members = renamed


def _members_of(path: Path) -> Iterator[tuple[str, bytes]]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if not name.endswith("/"):
                    yield name, archive.read(name)
        return
    with tarfile.open(path) as archive_tar:
        for member in archive_tar:
            if member.isfile() and member.name != ".ARCHIVE_INDEX":
                file = archive_tar.extractfile(member)
                assert file is not None
                yield member.name, file.read()
