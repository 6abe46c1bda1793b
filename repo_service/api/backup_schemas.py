"""What the API gives of the insides of backups: licences, and changes between versions."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from repo_service.api.schemas import AuthorOut, Outgoing, Query
from repo_service.backups.licences import LicenceKind, Term


class LicenceOut(Outgoing):
    """A licence by all its names."""

    code: str = Field(
        description="Of `/vocabularies/licences`, else an SPDX identifier, else what is written.",
        examples=["CC-BY-4.0"],
    )
    label: str = Field(examples=["CC BY 4.0"])
    kind: LicenceKind = Field(
        description="`licensed`: everybody is given rights, on some terms. `other`: only its site knows it."
    )
    given: str = Field(description="What is written in the file.", examples=["cc-4.0"])
    spdx: str | None = Field(description="SPDX identifier.", examples=["CC-BY-4.0"])
    url: str | None = Field(description="With its version.")
    moodle: str | None = Field(description="Moodle's short name.", examples=["cc-4.0"])
    terms: list[Term] | None = Field(description="What it asks for; null where nobody can say.")

    @field_validator("terms", mode="before")
    @classmethod
    def _in_order(cls, terms: frozenset[Term] | None) -> list[Term] | None:
        return None if terms is None else sorted(terms)


class PlaceOut(Outgoing):
    """A part of the course that holds files."""

    activity: int | None = Field(
        description="Its course module id; null for files of sections and the course."
    )
    module: str
    title: str
    section: str
    component: str = Field(examples=["mod_folder"])
    area: str = Field(examples=["content"])


class PackageAuthorOut(Outgoing):
    """Somebody who made an H5P package."""

    name: str
    role: str = Field(description="`Author`, `Editor`, `Licensee` or `Originator`, where it follows H5P.")


class PackageOut(Outgoing):
    """What an H5P package says of itself."""

    title: str
    library: str
    licence: LicenceOut | None
    licence_extras: str
    source: str
    authors: list[PackageAuthorOut]
    problem: str | None = Field(description="Why it could not be asked.")

    @field_validator("authors", mode="before")
    @classmethod
    def _named(cls, authors: tuple[tuple[str, str], ...]) -> list[PackageAuthorOut]:
        return [PackageAuthorOut(name=name, role=role) for name, role in authors]


class LicensedFileOut(Outgoing):
    """One file of a backup, and whose it is."""

    sha1: str = Field(description="Of its content: with the name it is the address of the file.")
    name: str
    path: str = Field(description="The folder within its area.")
    size: int
    media_type: str
    place: PlaceOut
    licence: LicenceOut = Field(description="That of the H5P package where it says one, else Moodle's.")
    moodle_licence: LicenceOut
    author: str
    source: str
    package: PackageOut | None = Field(description="Of H5P packages only.")


class UsedPlaceOut(PlaceOut):
    """A place and how many files there have the licence."""

    count: int


class UsedLicenceOut(Outgoing):
    """A licence and how many files have it."""

    licence: LicenceOut
    count: int
    size: int = Field(description="Of the files together, in bytes.")
    places: list[UsedPlaceOut] = Field(description="Those with the most files.")
    places_count: int

    @field_validator("places", mode="before")
    @classmethod
    def _counted(cls, places: tuple[tuple[Any, int], ...]) -> list[UsedPlaceOut]:
        found = [(PlaceOut.model_validate(place), count) for place, count in places]
        return [UsedPlaceOut(**place.model_dump(), count=count) for place, count in found]


class LicenceFindingOut(Outgoing):
    """Licences that do not go together, or something to find out before sharing on."""

    code: str = Field(examples=["all-rights-reserved"])
    severity: Literal["conflict", "notice"]
    message: str = Field(examples=["This resource says CC BY 4.0, 3 files say all rights reserved."])
    count: int
    files: list[LicensedFileOut] = Field(description="The first of them.")


class LicencesOut(Outgoing):
    """The licences in a backup."""

    licence: LicenceOut | None = Field(description="That of the resource, given by its owner.")
    authors: list[AuthorOut] = Field(description="Those of the resource.")
    licences: list[UsedLicenceOut] = Field(description="Those of the files, the most frequent first.")
    findings: list[LicenceFindingOut] = Field(description="Conflicts first, the gravest first.")
    packages: list[LicensedFileOut] = Field(description="The first of the H5P packages.")
    packages_count: int
    files_count: int
    files: list[LicensedFileOut] = Field(description="A page of all files.")
    next_cursor: str | None = Field(description="For the next page of files.")


class ChangesQuery(Query):
    """Which version to start from."""

    since: int | None = Field(
        default=None, ge=1, le=999999999, description="The last one before that you may read, by default."
    )


class ChangedPartOut(Outgoing):
    """A section, activity, question or file."""

    id: int | None = Field(description="Course module id, or id of the section.")
    title: str
    kind: str = Field(description="Module, question type or media type.", examples=["quiz"])
    place: str = Field(description="The section, question category or activity that it is in.")
    title_before: str | None
    what: list[str] = Field(
        description="What is different: `title`, `content`, `questions`, `files`, `settings`, `visibility`, "
        "`section` or `category` (it was moved)."
    )


class ChangedOut(Outgoing):
    """What came of all parts of one sort. All are counted, the first 200 of each kind are named."""

    added_count: int
    removed_count: int
    changed_count: int
    unchanged_count: int
    added: list[ChangedPartOut]
    removed: list[ChangedPartOut]
    changed: list[ChangedPartOut]


class ChangesOut(Outgoing):
    """What changed between two versions."""

    since: int
    version: int
    same_course: bool = Field(description="Both are backups of one course on one site.")
    course: list[str] = Field(description="What of the course itself: `title`, `content`, `files`.")
    sections: ChangedOut
    activities: ChangedOut
    questions: ChangedOut
    files: ChangedOut
