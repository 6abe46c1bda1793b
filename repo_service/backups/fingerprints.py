"""Fingerprints of records of a backup: the same wherever and whenever the same content is backed up.

A fingerprint is the SHA-256 of the texts of a record and the elements they stand in, as far as a clean copy
has them, so that a clean copy has the fingerprints of its source. Left out is what changes by itself: times
and counters, the numbers that a site gives (its own rows, its contexts), and what says nothing (empty, NULL,
zero), because a newer Moodle writes such fields anew for all that is old.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from repo_service.inspection.archives.base import Sink
from repo_service.inspection.limits import MIB
from repo_service.inspection.moodle.parts import NULL
from repo_service.inspection.moodle.people import EVERYWHERE, rules_of
from repo_service.inspection.moodle.redaction import Judge, Redactor
from repo_service.inspection.xml import XmlAllowance, XmlSink

_MAX_TEXT = 16 * MIB
"""Characters of one text that count."""
_MAX_FIELD = 1500
"""Characters kept of a field that is told."""

_VOLATILE = frozenset(
    {
        *("id", "timecreated", "timemodified", "timecopied", "added", "revision", "sortorder", "stamp"),
        *("visibleold", "needsupdate", "sha1hash", "updatefreq", "reviewmaxmarks"),
    }
)
"""Elements that change without anybody changing the content, by their name. The last is one that Moodle 4.3
gives a value of its own making."""
_NOTHING = re.compile(r"[+-]?0*(?:\.0*)?")
_NUMBERS = re.compile(r"[\d,]+")
_OF_THE_SITE = frozenset(
    {
        *("jumpto", "launch", "dependitem", "defaultsort", "questions"),
        *("answer", "trueanswer", "falseanswer"),
    }
)
"""Elements that hold the number of another row although their name does not end in ``id``: answers in
lessons, scorm, feedback, data, the list of questions of a quiz before 2.7; and which answer a record of a
question type belongs to."""
_UNORDERED = "tags"
"""Elements whose children have no order that means anything."""
_SCALES = frozenset({"grade", "scale", "grade_forum", "advancedgradingmethod", "assessed"})
"""Elements in which a number below zero is that of a scale (``grade_update``, lib/gradelib.php)."""
_LINK = re.compile(r"\$@([A-Z0-9_]+)\*[\d*]+@\$")
"""How Moodle writes a link to another part of the course (``encode_content_links``)."""
_CONDITION = re.compile(r'"(cm|id|course)":"?-?\d+"?')
"""In ``availability`` and ``availabilityjson``: activities, groups, grade items that are asked for."""
_FILTER = "filtercondition"
"""Of random questions: JSON that is full of numbers of categories and tags."""
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One record. ``fields`` are the texts of those of its own children that were asked for, and are no part
    of the digest; ``within`` the ids of the records around it, the outermost first."""

    path: str
    attributes: Mapping[str, str]
    fields: Mapping[str, str]
    digest: str
    within: tuple[str, ...]


Tell = Callable[[Fingerprint], object]
SeeId = Callable[[str, str], object]
"""Gets the tag and the ``id`` of an element."""


def fingerprint_sink(
    member: str,
    records: Mapping[str, frozenset[str]],
    tell: Tell,
    *,
    judges: Mapping[str, Judge],
    allowance: XmlAllowance,
    see_id: SeeId = lambda tag, id_: None,
) -> Sink:
    """Takes one XML member of a backup, and tells of each record at one of the paths, the inner ones first.

    ``records`` names the fields to be told of each. What a clean copy would not have is not seen.
    """
    fingerprinter = _Fingerprinter(records, tell, see_id)
    limits = replace(allowance.limits, max_field=_MAX_TEXT)
    reader = XmlSink(fingerprinter, place=member, allowance=XmlAllowance(limits))
    redactor = Redactor(
        rules_of(member),
        place=member,
        allowance=allowance,
        write=reader.feed,
        found=lambda code, path: None,
        everywhere=EVERYWHERE,
        judges=judges,
    )
    return _Chain(redactor, reader)


class _Chain:
    """Two sinks of which the first writes into the second."""

    def __init__(self, first: Sink, second: Sink) -> None:
        self._first = first
        self._second = second

    @property
    def done(self) -> bool:
        return False

    def feed(self, data: bytes) -> None:
        self._first.feed(data)

    def close(self) -> None:
        self._first.close()
        self._second.close()


@dataclass(slots=True)
class _Open:
    path: str
    depth: int
    attributes: dict[str, str]
    wanted: frozenset[str]
    fields: dict[str, str] = field(default_factory=dict)
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    unordered: int = 0
    """The sum of the digests of what has no order."""


class _Fingerprinter:
    """Told of every element that a clean copy has."""

    def __init__(self, records: Mapping[str, frozenset[str]], tell: Tell, see_id: SeeId) -> None:
        self._records = records
        self._tell = tell
        self._see_id = see_id
        self._open: list[_Open] = []
        self._begun: list[bool] = []
        """Of each element around, whether it stands in a digest already: only those with a text do."""

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        self._begun.append(False)
        where = "/".join(path)
        wanted = self._records.get(where)
        if wanted is not None:
            self._open.append(_Open(where, len(path), dict(attributes), wanted))
        if self._open and (id_ := attributes.get("id")):
            self._see_id(path[-1], id_)

    def end(self, path: list[str], text: str) -> None:
        begun = self._begun.pop()
        if not self._open:
            return
        record, tag = self._open[-1], path[-1]
        if len(path) == record.depth:
            self._open.pop()
            within = tuple(outer.attributes.get("id", "") for outer in self._open)
            if record.unordered:
                record.digest.update(b"%d" % (record.unordered % 2**256))
            digest = record.digest.hexdigest()
            self._tell(Fingerprint(record.path, record.attributes, record.fields, digest, within))
        elif begun:
            record.digest.update(b")")
        elif tag in record.wanted and len(path) == record.depth + 1:
            record.fields[tag] = "" if text == NULL else text[:_MAX_FIELD]
        elif not (meaning := _meaning(tag, text)):
            return
        elif _UNORDERED in path[record.depth :]:
            said = f"{tag} {meaning}".encode("utf-8", "replace")
            record.unordered += int.from_bytes(hashlib.sha256(said).digest(), "big")
        else:
            for level in range(record.depth, len(path) - 1):
                if not self._begun[level]:
                    self._begun[level] = True
                    record.digest.update(f"({path[level]}".encode())
            record.digest.update(f"={tag} {len(meaning)} {meaning}".encode("utf-8", "replace"))


def _meaning(tag: str, text: str) -> str:
    """What of a text is the same wherever it is backed up; empty where it says nothing."""
    text = text.strip()
    if text == NULL or tag in _VOLATILE or _is_number_of_site(tag, text) or _NOTHING.fullmatch(text):
        return ""
    if tag in _SCALES and text.startswith("-"):
        return "scale"
    if tag == _FILTER:
        return _DIGITS.sub("", text)
    if tag.startswith("availability"):
        return _CONDITION.sub(r'"\1":', text)
    return _LINK.sub(r"$@\1@$", text) if "$@" in text else text


def _is_number_of_site(tag: str, text: str) -> bool:
    return (tag.endswith("id") or tag in _OF_THE_SITE) and _NUMBERS.fullmatch(text) is not None
