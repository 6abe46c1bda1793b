"""H5P packages are asked for their licence, and a hostile one is left out."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.packages.h5p_manifest import Package, is_package, read_package
from repo_service.inspection.sources import FileSource
from tests.backups.support import bytes_source


def packed(manifest: Any = None, *, members: dict[str, bytes] | None = None) -> bytes:
    """A package with that h5p.json."""
    content = {} if manifest is None else {"h5p.json": json.dumps(manifest).encode()}
    content |= members or {}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return file.getvalue()


def _read(data: bytes) -> Package:
    return read_package(bytes_source(data))


def test_a_package_says_its_licence_and_authors(corpus: Path) -> None:
    with FileSource(corpus / "fixtures" / "h5p__guess-the-answer.h5p") as source:
        package = read_package(source)
    assert (package.title, package.library) == ("Fruits", "H5P.GuessTheAnswer")
    assert (package.license, package.license_version) == ("CC BY", "4.0")
    assert package.license_extras == "This is licence extras information added for testing purposes."
    assert package.source == "http://h5p.org"
    assert package.authors == (("H5P Author", "Author"), ("https://h5p.org", "Originator"))


@pytest.mark.parametrize(
    ("file", "title"),
    [("basic_essay", "Essay"), ("drag", "Drag the Words"), ("greeting-card", "Greeting card")],
)
def test_a_package_may_say_nothing(file: str, title: str, corpus: Path) -> None:
    with FileSource(corpus / "fixtures" / f"h5p__{file}.h5p") as source:
        package = read_package(source)
    assert (package.title, package.license, package.authors) == (title, "U", ())


@pytest.mark.parametrize(
    ("name", "media_type", "expected"),
    [
        ("a.h5p", "", True),
        ("a.H5P", "application/zip", True),
        ("a", "application/zip.h5p", True),
        ("a.zip", "application/zip", False),
    ],
)
def test_how_packages_are_known(name: str, media_type: str, expected: bool) -> None:
    assert is_package(name, media_type) is expected


def test_what_is_no_text_is_passed_over() -> None:
    package = _read(
        packed(
            {
                "title": 7,
                "license": ["CC BY"],
                "licenseVersion": None,
                "authors": [{"name": "Ada &amp; Co"}, {"role": "Author"}, "Bob", {"name": "\ud800X\x00"}],
                "source": {"a": 1},
            }
        )
    )
    assert (package.title, package.license, package.license_version, package.source) == ("", "", "", "")
    assert package.authors == (("Ada & Co", ""), ("X", ""))
    assert _read(packed({"authors": "Ada"})).authors == ()
    many = _read(packed({"title": "x" * 9000, "authors": [{"name": f"A{n}"} for n in range(900)]}))
    assert (len(many.title), len(many.authors)) == (255, 50)


def _encrypted() -> bytes:
    data = bytearray(packed({"title": "x"}))
    data[6] |= 1  # the flags of the local header, and of the directory
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    return bytes(data)


def _lying() -> bytes:
    """h5p.json inflates to 200 MB, and its headers say 1000 bytes."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = b"".join(squeeze.compress(b" " * 1_000_000) for _ in range(200)) + squeeze.flush()
    name = b"h5p.json"
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 0, 0, len(raw), 1000, len(name), 0) + name
    central = (
        struct.pack(
            "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, 0, len(raw), 1000, len(name), 0, 0, 0, 0, 0, 0
        )
        + name
    )
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local) + len(raw), 0)
    return local + raw + central + end


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: packed(members={"content/content.json": b"{}"}), "no-manifest"),
        (lambda: packed(members={"h5p.json": b" " * 100_000_000}), "manifest-too-large"),
        (lambda: packed(members={"h5p.json": b"["}), "bad-manifest"),
        (lambda: packed(members={"h5p.json": b"[" * 60_000}), "bad-manifest"),
        (lambda: packed(members={"h5p.json": b"[]"}), "bad-manifest"),
        (lambda: packed(members={"h5p.json": b'"' + b"\xff" * 10 + b'"'}), "bad-manifest"),
        (lambda: packed(members={"h5p.json": b'{"a":' + b"9" * 9000 + b"}"}), "bad-manifest"),
        (lambda: packed({"title": "x"}, members={"../evil.sh": b"x"}), "path-traversal"),
        (lambda: packed({"title": "x"}, members={"a/../../evil.sh": b"x"}), "path-traversal"),
        (lambda: packed(members={"h5p.json": b"{" + b" " * 900_000 + b"}"}), "bomb"),
        (_lying, "bomb"),
        (lambda: b"This is not a zip file.", "truncated"),
        (lambda: b"", "truncated"),
        (lambda: packed({"title": "x"})[:-10], "truncated"),
        (_encrypted, "encrypted"),
    ],
)
def test_hostile_packages_are_refused(make: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        _read(make())
    assert refused.value.reason == reason


@pytest.mark.parametrize("name", ["no-json-file", "unzippable"])
def test_broken_packages_of_moodles_own_tests(name: str, corpus: Path) -> None:
    with FileSource(corpus / "fixtures" / f"h5p__{name}.h5p") as source, pytest.raises(InvalidFile):
        read_package(source)
