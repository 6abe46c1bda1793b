"""Licences of files: what they are called everywhere, where they stand, and what does not go together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from repo_service.backups.licence_report import (
    LISTED,
    FileRow,
    LicenceReport,
    file_rows,
    licence_report,
    page_of_rows,
)
from repo_service.backups.licences import Licence, LicenceKind, Term, from_code, from_h5p, from_moodle
from repo_service.domain.vocabularies import LICENCES, vocabulary
from tests.backups.test_cutting import opened
from tests.backups.test_h5p import packed
from tests.support.backups import ActivitySpec, Container, members, write_targz, write_zip
from tests.support.private import private_backup


@pytest.mark.parametrize(
    ("name", "spdx", "url"),
    [
        ("cc-4.0", "CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
        ("cc-nd-4.0", "CC-BY-ND-4.0", "https://creativecommons.org/licenses/by-nd/4.0/"),
        ("cc-nc-nd-4.0", "CC-BY-NC-ND-4.0", "https://creativecommons.org/licenses/by-nc-nd/4.0/"),
        ("cc-nc-4.0", "CC-BY-NC-4.0", "https://creativecommons.org/licenses/by-nc/4.0/"),
        ("cc-nc-sa-4.0", "CC-BY-NC-SA-4.0", "https://creativecommons.org/licenses/by-nc-sa/4.0/"),
        ("cc-sa-4.0", "CC-BY-SA-4.0", "https://creativecommons.org/licenses/by-sa/4.0/"),
        ("cc", "CC-BY-3.0", "https://creativecommons.org/licenses/by/3.0/"),
        ("cc-nd", "CC-BY-ND-3.0", "https://creativecommons.org/licenses/by-nd/3.0/"),
        ("cc-nc-nd", "CC-BY-NC-ND-3.0", "https://creativecommons.org/licenses/by-nc-nd/3.0/"),
        ("cc-nc", "CC-BY-NC-3.0", "https://creativecommons.org/licenses/by-nc/3.0/"),
        ("cc-nc-sa", "CC-BY-NC-SA-3.0", "https://creativecommons.org/licenses/by-nc-sa/3.0/"),
        ("cc-sa", "CC-BY-SA-3.0", "https://creativecommons.org/licenses/by-sa/3.0/"),
        ("public", None, "https://creativecommons.org/publicdomain/mark/1.0/"),
        ("allrightsreserved", None, "http://rightsstatements.org/vocab/InC/1.0/"),
        ("unknown", None, "http://rightsstatements.org/vocab/CNE/1.0/"),
    ],
)
def test_moodles_short_names(name: str, spdx: str | None, url: str) -> None:
    licence = from_moodle(name)
    assert (licence.spdx, licence.url) == (spdx, url)
    assert (licence.moodle, licence.given) == (name, name)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("CC BY-SA 2.5", "CC-BY-SA-2.5"),
        ("cc-by-nc-sa-2.0", "CC-BY-NC-SA-2.0"),
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("http://creativecommons.org/licenses/by-nd/2.0/", "CC-BY-ND-2.0"),
        ("https://creativecommons.org/licenses/by/4.0/deed.de", "CC-BY-4.0"),
        ("cc-by", "CC BY"),  # MoodleNet's has no version either, but this is not MoodleNet
        ("", "unknown"),
    ],
)
def test_other_names_that_are_well_known(name: str, code: str) -> None:
    assert from_moodle(name).code == code


@pytest.mark.parametrize("name", ["school-licence", "cc-by-9.9", "CC BY-XX 4.0", "restricted-copyright", "U"])
def test_what_only_a_site_knows_is_kept(name: str) -> None:
    licence = from_moodle(name)
    assert (licence.kind, licence.code, licence.given) == (LicenceKind.OTHER, name, name)
    assert (licence.spdx, licence.url, licence.terms) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "version", "code"),
    [
        ("CC BY", "4.0", "CC-BY-4.0"),
        ("CC BY-SA", "3.0", "CC-BY-SA-3.0"),
        ("CC BY-ND", "2.5", "CC-BY-ND-2.5"),
        ("CC BY-NC", "2.0", "CC-BY-NC-2.0"),
        ("CC BY-NC-SA", "1.0", "CC-BY-NC-SA-1.0"),
        ("CC BY-NC-ND", "1.0", "CC-BY-NC-ND-1.0"),
        ("CC BY", "", "CC BY"),
        ("CC0 1.0", "", "CC0-1.0"),
        ("CC PDM", "", "public-domain"),
        ("PD", "", "public-domain"),
        ("ODC PDDL", "", "PDDL-1.0"),
        ("GNU GPL", "", "GPL-3.0-only"),
        ("GNU GPL", "v2", "GPL-2.0-only"),
        ("GNU GPL", "v1", "GPL-1.0-only"),
        ("C", "", "all-rights-reserved"),
        ("U", "", "unknown"),
        ("", "", "unknown"),
        ("Our own", "2", "Our own 2"),
        ("GNU GPL", "x", "GNU GPL x"),
    ],
)
def test_h5ps_codes(name: str, version: str, code: str) -> None:
    assert from_h5p(name, version).code == code


def test_the_address_of_the_first_nc_nd_has_another_order() -> None:
    assert from_h5p("CC BY-NC-ND", "1.0").url == "https://creativecommons.org/licenses/by-nd-nc/1.0/"


def test_what_licences_ask_for() -> None:
    terms = {concept.code: from_code(concept.code).terms for concept in vocabulary(LICENCES)}
    assert terms["CC0-1.0"] == terms["public-domain"] == frozenset()
    assert terms["CC-BY-4.0"] == frozenset({Term.ATTRIBUTION})
    assert terms["CC-BY-NC-SA-3.0"] == frozenset({Term.ATTRIBUTION, Term.NON_COMMERCIAL, Term.SHARE_ALIKE})
    assert terms["CC-BY-NC-ND-4.0"] == frozenset({Term.ATTRIBUTION, Term.NON_COMMERCIAL, Term.NO_DERIVATIVES})
    assert {code for code, found in terms.items() if found is None} == {
        *("all-rights-reserved", "unknown", "other-open"),
    }


# Reports


def test_the_licences_of_a_course(corpus: Path, tmp_path: Path) -> None:
    with opened(corpus / "m456-env-science-en.course.nousers.tgz.mbz", tmp_path) as source:
        report = licence_report(source.contents, from_code("CC-BY-4.0"))
        rows = {row.name: row for row in file_rows(source.contents)}
    assert report.files_count == 54
    assert {use.licence.code: use.count for use in report.used} == {
        "unknown": 48, "CC-BY-4.0": 3, "CC-BY-SA-4.0": 3,
    }  # fmt: skip
    conflict, notice = report.findings
    assert (conflict.code, conflict.severity, conflict.count) == ("share-alike", "conflict", 3)
    assert conflict.message == (
        "This resource says CC BY 4.0, 3 files must be shared under their own licence only."
    )
    assert {(row.name, row.place.title, row.place.section) for row in conflict.files} == {
        (name, "Data sets", "Climate") for name in ("co2.csv", "readme.txt", "world.png")
    }
    assert (notice.code, notice.severity, notice.count) == ("no-licence", "notice", 48)
    page = rows["foodweb.png"]
    assert (page.author, page.source, page.path, page.size) == ("Ada Lehrer", "foodweb.png", "/", 13201)
    assert (page.place.activity, page.place.module) == (199, "page")
    assert (page.place.component, page.place.area) == ("mod_page", "content")
    (package,) = report.packages
    assert package.place.title == "Fill the blanks: greenhouse gases"
    assert package.package is not None
    assert (package.package.title, package.package.library) == ("Geography", "H5P.Blanks")


def test_files_of_learners_are_passed_over(tmp_path: Path) -> None:
    with opened(private_backup(tmp_path / "course.mbz", container="zip"), tmp_path) as source:
        names = [row.name for row in file_rows(source.contents)]
    assert names == ["foodweb.txt"]


def _record(content: bytes, name: str, licence: str, **fields: Any) -> dict[str, Any]:
    return {
        "contenthash": hashlib.sha1(content).hexdigest(), "contextid": 900, "component": "mod_folder",
        "filearea": "content", "itemid": 0, "filepath": "/", "filename": name, "filesize": len(content),
        "mimetype": "text/plain", "author": "Ada", "license": licence, **fields,
    }  # fmt: skip


def folder_with(*files: tuple[bytes, dict[str, Any]]) -> dict[str, bytes]:
    """A course with one folder, which holds these files: (content, fields of the record)."""
    made = members(activities=[ActivitySpec(module="folder", title="Papers")])
    inside = ["".join(f"<{name}>{value}</{name}>" for name, value in fields.items()) for _, fields in files]
    records = "".join(f'<file id="{number}">{fields}</file>' for number, fields in enumerate(inside, start=1))
    made["files.xml"] = f'<?xml version="1.0" encoding="UTF-8"?>\n<files>{records}</files>'.encode()
    pool = {
        f"files/{fields['contenthash'][:2]}/{fields['contenthash']}": content for content, fields in files
    }
    return {**pool, **made}


def _report(
    made: Mapping[str, bytes], own: str | None, folder: Path, container: Container = "zip"
) -> LicenceReport:
    path = folder / "course.mbz"
    (write_zip if container == "zip" else write_targz)(path, made)
    with opened(path, folder) as source:
        return licence_report(source.contents, None if own is None else from_code(own))


def _with_licences(*names: str, **fields: Any) -> dict[str, bytes]:
    return folder_with(
        *((b"%d" % n, _record(b"%d" % n, f"{n}.txt", name, **fields)) for n, name in enumerate(names))
    )


@pytest.mark.parametrize(
    ("own", "files", "codes"),
    [
        ("CC-BY-4.0", ["allrightsreserved"], ["all-rights-reserved"]),
        ("CC-BY-4.0", ["cc-4.0", "cc", "public"], []),
        ("CC-BY-4.0", ["cc-nc-sa-4.0"], ["non-commercial"]),
        ("CC-BY-4.0", ["cc-nd-4.0"], ["no-derivatives"]),
        ("CC-BY-4.0", ["cc-sa-4.0"], ["share-alike"]),
        ("CC-BY-SA-4.0", ["cc-sa-4.0", "cc-sa", "cc-4.0"], []),
        ("CC-BY-SA-3.0", ["cc-sa-4.0"], ["share-alike"]),
        ("CC-BY-SA-4.0", ["CC BY-SA 1.0"], ["share-alike"]),
        ("CC-BY-SA-4.0", ["cc-nc-sa-4.0"], ["non-commercial"]),
        ("CC-BY-NC-SA-4.0", ["cc-sa-4.0"], ["share-alike"]),
        ("CC-BY-NC-4.0", ["cc-nc-4.0", "cc-4.0"], []),
        ("CC-BY-NC-ND-4.0", ["cc-nc-nd-4.0", "cc-nc-4.0", "cc-nd-4.0"], []),
        ("CC0-1.0", ["cc-4.0"], ["attribution"]),
        ("CC0-1.0", ["public", "CC0"], []),
        ("public-domain", ["allrightsreserved", "cc-nd"], ["all-rights-reserved", "no-derivatives"]),
        ("all-rights-reserved", ["allrightsreserved", "cc-nc-nd-4.0"], []),
        ("other-open", ["cc-nc-4.0"], []),
        ("other-open", ["allrightsreserved"], ["all-rights-reserved"]),
        ("CC-BY-4.0", ["unknown"], ["no-licence"]),
        ("CC-BY-4.0", ["$@NULL@$"], ["no-licence"]),
        ("CC-BY-4.0", ["school-licence"], ["other-licence"]),
        ("CC-BY-4.0", ["CC BY"], ["no-version"]),
        ("unknown", ["cc-nd-4.0"], ["resource-without-licence"]),
        (None, ["allrightsreserved"], ["resource-without-licence"]),
    ],
)
def test_what_does_not_go_together(
    own: str | None, files: list[str], codes: list[str], tmp_path: Path
) -> None:
    report = _report(_with_licences(*files), own, tmp_path)
    assert [finding.code for finding in report.findings] == codes


def test_who_made_it_is_missing(tmp_path: Path) -> None:
    report = _report(_with_licences("cc-4.0", "public", "cc-sa", author="$@NULL@$"), None, tmp_path)
    assert [(f.code, f.count, f.message) for f in report.findings[1:]] == [
        ("no-author", 2, "2 files ask for their authors to be named, and name none.")
    ]


def test_findings_are_counted_and_cut(tmp_path: Path) -> None:
    many = ["allrightsreserved"] * (LISTED + 5)
    (finding,) = _report(_with_licences(*many), "CC-BY-4.0", tmp_path).findings
    assert (finding.count, len(finding.files)) == (LISTED + 5, LISTED)
    assert finding.message == "This resource says CC BY 4.0, 25 files say all rights reserved."
    (one,) = _report(_with_licences("allrightsreserved"), "CC-BY-SA-4.0", tmp_path).findings
    assert one.message == "This resource says CC BY-SA 4.0, 1 file says all rights reserved."


def test_places_say_where_files_are(tmp_path: Path) -> None:
    report = _report(_with_licences("cc-4.0", "cc-4.0"), "CC-BY-4.0", tmp_path)
    (used,) = report.used
    ((place, count),) = used.places
    assert (count, used.count, used.size, used.places_count) == (2, 2, 2, 1)
    assert (place.activity, place.module, place.title, place.section) == (100, "folder", "Papers", "Week one")


def test_rows_come_in_pages(tmp_path: Path) -> None:
    write_zip(tmp_path / "course.mbz", _with_licences(*["cc-4.0"] * 7))
    with opened(tmp_path / "course.mbz", tmp_path) as source:
        pages = [page_of_rows(source.contents, skip=skip, limit=3) for skip in (0, 3, 6, 9)]
    assert [[row.name for row in page] for page in pages] == [
        ["0.txt", "1.txt", "2.txt"], ["3.txt", "4.txt", "5.txt"], ["6.txt"], [],
    ]  # fmt: skip


_SAID = {
    "title": "Fruits", "mainLibrary": "H5P.Blanks", "license": "CC BY-NC", "licenseVersion": "4.0",
    "authors": [{"name": "Ada", "role": "Author"}, {"name": "Bob", "role": "Editor"}],
    "source": "https://example.org/fruits",
}  # fmt: skip


def _package(content: bytes, licence: str = "$@NULL@$", **fields: Any) -> dict[str, bytes]:
    record = _record(content, "fruits.h5p", licence, author="$@NULL@$", **fields)
    return folder_with((content, record))


def test_authors_are_told_by_how_many_files_name_them(tmp_path: Path) -> None:
    """One line of Moodle's is one name, whatever stands in it; a package says where one ends."""
    authors = ["Curie, Marie", " Ada ", "Curie, Marie", "", "$@NULL@$"]
    files = [
        (b"%d" % n, _record(b"%d" % n, f"{n}.txt", "cc-4.0", author=author))
        for n, author in enumerate(authors)
    ]
    package = packed(_SAID)
    files.append((package, _record(package, "fruits.h5p", "cc-4.0", author="Somebody who sent it")))
    assert _report(folder_with(*files), None, tmp_path).authors == ("Curie, Marie", "Ada", "Bob")
    many = [(b"%d" % n, _record(b"%d" % n, f"{n}.txt", "cc-4.0", author=f"Author {n}")) for n in range(30)]
    assert len(_report(folder_with(*many), None, tmp_path).authors) == 10


@pytest.mark.parametrize("container", ["zip", "tgz"])
def test_a_package_has_the_licence_that_it_says(container: Container, tmp_path: Path) -> None:
    report = _report(_package(packed(_SAID)), "CC-BY-4.0", tmp_path, container)
    assert [use.licence.code for use in report.used] == ["CC-BY-NC-4.0"]
    assert [finding.code for finding in report.findings] == ["non-commercial"]
    (row,) = report.packages
    assert row.package is not None
    assert (row.package.title, row.package.authors) == ("Fruits", (("Ada", "Author"), ("Bob", "Editor")))
    assert (row.author, row.source) == ("Ada, Bob", "https://example.org/fruits")
    assert row.moodle_licence.kind is LicenceKind.UNSPECIFIED


def test_two_licences_of_one_package(tmp_path: Path) -> None:
    report = _report(_package(packed(_SAID), "cc-nc-sa-4.0"), "CC-BY-NC-4.0", tmp_path)
    assert [(f.code, f.message) for f in report.findings] == [
        ("two-licences", "1 H5P package has another licence inside than in Moodle.")
    ]
    assert _report(_package(packed(_SAID), "cc-nc-4.0"), "CC-BY-NC-4.0", tmp_path).findings == ()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"This is no zip.", "truncated"),
        (packed(_SAID, members={"../../evil": b"x"}), "path-traversal"),
        (packed(members={"h5p.json": b" " * 2_000_000}), "manifest-too-large"),
    ],
)
def test_a_hostile_package_is_left_out(content: bytes, problem: str, tmp_path: Path) -> None:
    report = _report(_package(content), "CC-BY-4.0", tmp_path)
    assert [finding.code for finding in report.findings] == ["no-licence", "unreadable-package"]
    (row,) = report.packages
    assert row.package is not None
    assert (row.package.problem, row.package.licence) == (problem, None)


def test_a_package_that_the_backup_lacks_is_told(tmp_path: Path) -> None:
    made = {name: data for name, data in _package(packed(_SAID)).items() if not name.startswith("files/")}
    (row,) = _report(made, None, tmp_path).packages
    assert row.package is not None
    assert row.package.problem == "not-there"


def test_a_package_is_read_once(tmp_path: Path) -> None:
    content = packed(_SAID)
    records = [(content, _record(content, f"{n}.h5p", "unknown")) for n in range(3)]
    write_zip(tmp_path / "course.mbz", folder_with(*records))
    with opened(tmp_path / "course.mbz", tmp_path) as source:
        assert len(list(source.contents.packages())) == 1
        rows: list[FileRow] = list(file_rows(source.contents))
    assert [row.licence.code for row in rows] == ["CC-BY-NC-4.0"] * 3


def test_what_is_written_is_made_safe(tmp_path: Path) -> None:
    made = _with_licences("own\u202elicence", author="A\u202eda", source="x" * 5000)
    write_zip(tmp_path / "course.mbz", made)
    with opened(tmp_path / "course.mbz", tmp_path) as source:
        (row,) = file_rows(source.contents)
    assert (row.author, row.licence.code, len(row.source)) == ("Ada", "ownlicence", 1500)


def test_a_licence_is_one_value() -> None:
    assert from_moodle("cc-4.0") == from_moodle("cc-4.0")
    assert isinstance(from_code("no such code"), Licence)
