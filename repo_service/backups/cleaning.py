"""The clean copy of a backup: what Moodle writes without users, and none of the keys, contacts and numbers.

Two steps. A plan is made of the few files that tell which files and roles stay; then every member is passed
on, or through a redactor, in the order of the archive. Files of the pool are never looked into.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from repo_service.backups.archives import Archive, ZipArchive
from repo_service.backups.packing import TarGzPacker, ZipPacker
from repo_service.domain.errors import InvalidFile, Uncleanable
from repo_service.domain.findings import KINDS, Finding, Subject
from repo_service.domain.texts import text
from repo_service.inspection.archives.base import Sink, Want
from repo_service.inspection.archives.members import Packed
from repo_service.inspection.archives.targz import read_targz
from repo_service.inspection.base import Progress, Source
from repo_service.inspection.limits import KIB, LIMITS, MIB, Limits
from repo_service.inspection.moodle.findings import PersonScan
from repo_service.inspection.moodle.judging import PersonJudges, learners_file
from repo_service.inspection.moodle.parts import Manifest, integer
from repo_service.inspection.moodle.people import left_out, rules_of
from repo_service.inspection.moodle.redaction import KEEP, Judge, Judgement, Redactor
from repo_service.inspection.text import TextAllowance
from repo_service.inspection.xml import Handler, XmlAllowance, XmlSink

MANIFEST, FILES = "moodle_backup.xml", "files.xml"
_LOG = "moodle_backup.log"
_POOL = "files/"
_IN_MEMORY = 1 * MIB
_BLOCK = 256 * KIB
_PLAN_SHARE = 0.2
"""How much of the progress the plan is, where it takes a pass of its own."""

_RECORDS = 4
"""How many file records are remembered for each member that an archive may have."""

_OFF = frozenset(
    {
        "users",
        "anonymize",
        "role_assignments",
        "comments",
        "userscompletion",
        "logs",
        "grade_histories",
        "xapistate",
    }
)
"""Root settings of a backup without users (``backup_root_task::define_settings``)."""
_USERINFO = "_userinfo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What a clean copy was made of. ``removed`` is gone, ``left`` stays for its owner to confirm."""

    removed: tuple[Finding, ...]
    left: tuple[Finding, ...]


@dataclass(slots=True)
class _Plan:
    """Which files and roles stay."""

    with_users: bool = False
    date: int = 0
    titles: Mapping[str, str] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    """Ids of file records."""
    pool: set[bytes] = field(default_factory=set)
    """SHA-1 of the contents that stay."""
    roles: set[str] = field(default_factory=set)


def clean(
    source: Source,
    *,
    archive_format: Literal["zip", "tgz"],
    archive: Archive | None,
    write: Callable[[bytes], object],
    folder: Path,
    progress: Progress,
    limits: Limits = LIMITS,
) -> Cleaned:
    """Write the clean copy of a backup of Moodle 2 or later, in the same container.

    ``archive`` is the same backup with its members at hand; a tar.gz can do without, and is read twice then.
    ``folder`` takes what is too large for memory for a moment. Raises InvalidFile, and Uncleanable where
    nobody can tell whose data it is.
    """
    if archive is not None:
        plan = _plan_of_archive(archive, limits)
        share = 0.0
    else:
        plan = _plan_of_targz(source, limits, lambda done: progress(done * _PLAN_SHARE))
        share = _PLAN_SHARE
    scan = PersonScan(limits, XmlAllowance(limits), _CleaningJudges(limits, plan))

    def tell(done: float) -> None:
        progress(share + done * (1 - share))

    if archive_format == "zip":
        assert isinstance(archive, ZipArchive)
        for block in _rewritten_zip(archive, plan, scan, folder=folder, progress=tell):
            write(block)
    else:
        rewriter = _TarGzRewriter(plan, scan, TarGzPacker(write, modified=plan.date), folder)
        read_targz(source, rewriter, progress=tell, limits=limits)
        rewriter.finish()
    findings = scan.findings(plan.titles, with_users=plan.with_users)
    unjudged = [finding for finding in findings if KINDS[finding.code].subject is Subject.UNJUDGED]
    if unjudged:
        raise uncleanable(unjudged)
    stay = {Subject.AUTHORS}
    return Cleaned(
        removed=tuple(f for f in findings if KINDS[f.code].subject not in stay and f.code != "plugin-data"),
        left=tuple(f for f in findings if KINDS[f.code].subject in stay or f.code == "plugin-data"),
    )


def uncleanable(findings: list[Finding]) -> Uncleanable:
    """The error that says which parts nobody can judge."""
    places = sorted(
        {f.element if f.code == "unknown-plugin" else f"{f.place} ({f.element})" for f in findings}
    )
    named = ", ".join(places[:10]) + (" …" if len(places) > 10 else "")
    return Uncleanable(
        text(
            "We cannot tell where these keep data of users: %(places)s. Make the backup anew, without users.",
            places=named,
        ),
        places=places,
    )


class _CleaningJudges(PersonJudges):
    """The judges of a second look: by now it is known which files and roles stay."""

    def __init__(self, limits: Limits, plan: _Plan) -> None:
        super().__init__(limits)
        self._plan = plan
        self._references = 0

    def table(self) -> Mapping[str, Judge]:
        return {
            **super().table(),
            "setting": _setting,
            "role": self.role,
            "references": self.references,
            "file-reference": self.file_reference,
            "role-reference": self.role_reference,
        }

    def file(self, attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
        learners = self.is_learners(fields)
        if (id_ := attributes.get("id")) is not None:  # whose a workshop's file is, only the plan knows
            learners = id_ in self._plan.dropped
        return learners_file(fields) if learners else self.teaching_file(fields)

    def role(self, attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
        """A role that only users had is of no use, and another site may ask what to make of it."""
        return Judgement(keep=attributes.get("id", "") in self._plan.roles)

    def file_reference(self, attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
        return self._reference(fields.get("id", "") not in self._plan.dropped)

    def role_reference(self, attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
        return self._reference(fields.get("id", "") in self._plan.roles)

    def references(self, attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
        """Moodle writes no list of references to nothing."""
        kept, self._references = self._references, 0
        return Judgement(keep=kept > 0)

    def _reference(self, keep: bool) -> Judgement:
        self._references += keep
        return Judgement(keep=keep)


def _setting(attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
    name = fields.get("name", "")
    if (name in _OFF or name.endswith(_USERINFO)) and fields.get("value", "0") != "0":
        return Judgement(texts={"value": b"0"})
    return KEEP


def _rewritten_zip(
    archive: ZipArchive, plan: _Plan, scan: PersonScan, *, folder: Path, progress: Progress
) -> Iterator[bytes]:
    packer = ZipPacker()
    for number, name in enumerate(archive.names()):
        progress(number / len(archive))
        if name.endswith("/"):
            continue
        if _stays_in_pool(name, plan):
            raw = archive.raw(name)
            packed = Packed(raw.method, raw.crc, raw.compressed_size, raw.size)
            with raw.stream as stream:
                yield from packer.add_packed(name, packed, stream)
        elif name == _LOG:
            with _spool(folder) as empty:
                yield from packer.add(name, 0, empty)
        elif _is_xml(name):
            with _spool(folder) as spool, archive.open(name) as content:
                sink = scan.sink(name, spool.write)
                while block := content.read(_BLOCK):
                    sink.feed(block)
                sink.close()
                if not left_out(name):
                    yield from packer.add(name, _rewound(spool), spool)
    yield from packer.finish()


class _TarGzRewriter:
    """A visitor that passes each member on as it comes."""

    def __init__(self, plan: _Plan, scan: PersonScan, packer: TarGzPacker, folder: Path) -> None:
        self._plan = plan
        self._scan = scan
        self._packer = packer
        self._folder = folder
        self._size = 0
        self._listed = False

    def visit(self, name: str, size: int, *, is_file: bool) -> Want:
        self._listed = self._listed or name == MANIFEST
        self._size = size
        if not is_file:
            return Want.NOTHING
        if name == _LOG:
            self._packer.begin(name, 0)
            self._packer.end(0)
            return Want.NOTHING
        if _stays_in_pool(name, self._plan):
            if size:
                return Want.ALL
            self._packer.begin(name, 0)
            self._packer.end(0)
            return Want.NOTHING
        return Want.ALL if _is_xml(name) else Want.NOTHING

    def open(self, name: str) -> Sink:
        if _is_xml(name):
            return _Rewriting(self._scan, name, self._packer, self._folder)
        self._packer.begin(name, self._size)
        return _Passing(self._packer, self._size)

    def claims(self) -> bool:
        return self._listed

    def finish(self) -> None:
        self._packer.finish()


class _Rewriting:
    """One XML member on its way into a tar: held until its new size is known."""

    def __init__(self, scan: PersonScan, name: str, packer: TarGzPacker, folder: Path) -> None:
        self._name = name
        self._packer = packer
        self._spool = _spool(folder)
        self._sink = scan.sink(name, self._spool.write)

    @property
    def done(self) -> bool:
        return False

    def feed(self, data: bytes) -> None:
        self._sink.feed(data)

    def close(self) -> None:
        self._sink.close()
        with self._spool:
            if not left_out(self._name):
                self._packer.add(self._name, _rewound(self._spool), self._spool)


class _Passing:
    """One file of the pool on its way into a tar."""

    def __init__(self, packer: TarGzPacker, size: int) -> None:
        self._packer = packer
        self._size = size

    @property
    def done(self) -> bool:
        return False

    def feed(self, data: bytes) -> None:
        self._packer.put(data)

    def close(self) -> None:
        self._packer.end(self._size)


def _plan_of_archive(archive: Archive, limits: Limits) -> _Plan:
    planner = _Planner(limits)
    names = [name for name in archive.names() if planner.visit(name, 0, is_file=True) is not Want.NOTHING]
    for member, content in archive.read_many(names):
        sink = planner.open(member.name)
        while block := content.read(_BLOCK):
            sink.feed(block)
        sink.close()
    return planner.plan()


def _plan_of_targz(source: Source, limits: Limits, progress: Progress) -> _Plan:
    planner = _Planner(limits)
    read_targz(source, planner, progress=progress, limits=limits)
    return planner.plan()


class _Planner:
    """A visitor that reads what the plan depends on."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._allowance = XmlAllowance(limits)
        self._manifest = Manifest(TextAllowance(limits), limits)
        self._plan = _Plan()
        self._judges = _PlanningJudges(limits, self._plan)

    def visit(self, name: str, size: int, *, is_file: bool) -> Want:
        if name == "users.xml":
            self._plan.with_users = True
        file = name.rpartition("/")[2]
        wanted = name in (MANIFEST, FILES, "completion.xml", "course/enrolments.xml") or (
            not name.startswith(_POOL) and file in ("roles.xml", "workshop.xml")
        )
        return Want.ALL if is_file and wanted else Want.NOTHING

    def open(self, name: str) -> Sink:
        if name == FILES or name.endswith("workshop.xml"):
            return Redactor(
                rules_of(name),
                place=name,
                allowance=self._allowance,
                write=lambda data: None,
                found=lambda code, path: None,
                judges=self._judges.table(),
            )
        handler: Handler = self._manifest if name == MANIFEST else _RoleIds(self._plan.roles, self._limits)
        return XmlSink(handler, place=name, allowance=self._allowance)

    def claims(self) -> bool:
        return True

    def plan(self) -> _Plan:
        manifest, plan = self._manifest, self._plan
        self._judges.settle()
        plan.with_users = plan.with_users or manifest.settings.get("users") == "1"
        plan.date = max(0, integer(manifest.information.get("backup_date", "")) or 0)
        plan.titles = {activity.directory: activity.title for activity in manifest.activities}
        return plan


class _PlanningJudges(PersonJudges):
    """The judges of a first look: they note which files stay."""

    def __init__(self, limits: Limits, plan: _Plan) -> None:
        super().__init__(limits)
        self._plan = plan
        self._workshops: list[tuple[str | None, Mapping[str, str]]] = []

    def file(self, attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
        id_ = attributes.get("id")
        if fields.get("component") == "mod_workshop":
            self._workshops.append((id_, dict(fields)))
            if len(self._workshops) > self._limits.max_distinct:
                raise InvalidFile("The backup has too many files in workshops.", reason="too-many-values")
        else:
            self._note(id_, fields)
        return KEEP

    def settle(self) -> None:
        """All examples are known now, and so is whose the files of workshops are."""
        for id_, fields in self._workshops:
            self._note(id_, fields)

    def _note(self, id_: str | None, fields: Mapping[str, str]) -> None:
        if self.is_learners(fields):
            if id_ is not None:
                self._plan.dropped.add(id_)
        elif (content := _hash(fields.get("contenthash", ""))) is not None:
            self._plan.pool.add(content)
        if len(self._plan.dropped) + len(self._plan.pool) > _RECORDS * self._limits.max_members:
            raise InvalidFile("The backup lists too many files.", reason="too-many-values")


class _RoleIds:
    """Ids of roles that more than users refer to: enrolment methods, overrides, completion criteria."""

    def __init__(self, roles: set[str], limits: Limits) -> None:
        self._roles = roles
        self._limit = limits.max_distinct

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        pass

    def end(self, path: list[str], text: str) -> None:
        match path:
            case ["enrolments", "enrols", "enrol", "roleid"]:
                self._add(text)
            case ["roles", "role_overrides", "override", "roleid"]:
                self._add(text)
            case ["course_completion", "course_completion_criteria", "role"]:
                self._add(text)
            case [*_, "plugin_enrol_lti_enrol", "tool", "roleinstructor" | "rolelearner"]:
                self._add(text)

    def _add(self, text: str) -> None:
        if text.isdecimal() and text != "0":
            self._roles.add(text)
            if len(self._roles) > self._limit:
                raise InvalidFile("The backup names too many roles.", reason="too-many-values")


def _stays_in_pool(name: str, plan: _Plan) -> bool:
    content = _hash(name.rpartition("/")[2]) if name.startswith(_POOL) else None
    return content is not None and content in plan.pool


def _hash(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text) if len(text) == 40 else None
    except ValueError:
        return None


def _is_xml(name: str) -> bool:
    return name.endswith(".xml") and not name.startswith(_POOL)


def _spool(folder: Path) -> IO[bytes]:
    make: Callable[..., IO[bytes]] = tempfile.SpooledTemporaryFile
    return make(max_size=_IN_MEMORY, dir=str(folder))


def _rewound(spool: IO[bytes]) -> int:
    """Go back to its beginning; returns its size in bytes."""
    size = spool.tell()
    spool.seek(0)
    return size
