"""What both archive readers share: the visitor they drive and the rules for members' names."""

from __future__ import annotations

import enum
import re
import unicodedata
from typing import Protocol, cast

from isal import igzip_lib

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.base import NotThisFormat

_DROPPED = re.compile(r"[^ -~]|[&<>\"`|':]")
ISAL_ERROR = cast("type[Exception]", igzip_lib.error)  # its stub says that the class is an instance


class Sink(Protocol):
    """Takes the content of one member, block by block."""

    @property
    def done(self) -> bool:
        """Whether the rest of the member is of no interest."""

    def feed(self, data: bytes) -> None:
        """Raises InvalidFile."""

    def close(self) -> None:
        """The member is complete. Not called when the sink was done before. Raises InvalidFile."""


class Want(enum.Enum):
    """What a visitor wants of a member: nothing, its first few kilobytes, or all of it."""

    NOTHING = 0
    HEAD = 1
    ALL = 2


class Visitor(Protocol):
    """Looks at an archive as a reader walks through it."""

    def visit(self, name: str, size: int, *, is_file: bool) -> Want:
        """Called once for each member in the order of the archive; ``size`` is the inflated size in bytes.

        ``name`` is relative, with ``/``, without a leading ``./``.
        """

    def open(self, name: str) -> Sink:
        """Called for a member that is wanted, when its content comes."""

    def claims(self) -> bool:
        """Whether the manifest of the visitor's format is among the members shown so far.

        Asked when all are known: in a zip before the first is opened, in a tar.gz at its very end.
        """


def member_name(raw: bytes, *, encoding: str = "utf-8") -> str:
    """The name as text; bytes that are no text become U+FFFD, control characters go."""
    text = raw.decode(encoding, "replace")
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        "\ufffd" if unicodedata.category(character) in {"Cc", "Cs"} else character for character in text
    )


def name_sin(name: str) -> str | None:
    """The stable word for why a member's name must not be trusted, or None.

    A backslash counts as a separator, because it is one on the system that may unpack the archive.
    """
    if ".." not in name and "\\" not in name and ":" not in name and not name.startswith("/"):
        return None
    parts = name.replace("\\", "/").split("/")
    if ".." in parts:
        return "path-traversal"
    if parts[0] == "" or (len(parts[0]) == 2 and parts[0][1] == ":"):
        return "absolute-path"
    return None


def plain_name(name: str) -> str:
    """Without a leading ``./``, which ``tar -C folder .`` writes before every name."""
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name


def unpacked_name(name: str) -> str:
    """The file that Moodle makes of a member, as far as it could be one of a backup, whose names are plain.

    It drops what it finds suspicious in a name (PARAM_PATH of ``clean_param``), and the system that it runs
    on may not tell capital letters, or names that end with dots and spaces.
    """
    parts = _DROPPED.sub("", name.replace("\\", "/")).lower().split("/")
    return "/".join(part for part in (part.rstrip(" .") for part in parts) if part)


def is_misread(name: str, taken_for: str) -> bool:
    """Whether Moodle takes a member for a file with XML that ``taken_for``, its name here, is not."""
    return unpacked_name(name).endswith(".xml") and unpacked_name(name) != plain_name(taken_for)


class Sins:
    """The first thing found that matters only if the archive proves to be of the visitor's format."""

    def __init__(self) -> None:
        self._first: InvalidFile | None = None

    def add(self, sin: InvalidFile) -> None:
        if self._first is None:
            self._first = sin

    def judge(self, visitor: Visitor) -> None:
        """Raises NotThisFormat when the archive is of another format, else InvalidFile after a sin."""
        if not visitor.claims():
            raise NotThisFormat
        self.raise_first()

    def raise_first(self) -> None:
        """Raises InvalidFile after a sin, whatever the format."""
        if self._first is not None:
            raise self._first


def invalid_member(name: str, what: str, reason: str) -> InvalidFile:
    """The error that says what is wrong with one member."""
    return InvalidFile(f"The member {name[:200]!r} {what}.", reason=reason, place=name[:200])
