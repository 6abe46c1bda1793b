"""Moodle backups made in code, for tests that need one of a certain shape.

``backup`` writes a sound backup; ``members`` gives its members for tests that spoil them before ``write_zip``
or ``write_targz`` packs them. The layout is that of Moodle 4.5 (backup/moodle2/backup_stepslib.php).
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

Kind = Literal["course", "section", "activity"]
Container = Literal["tgz", "zip"]

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NULL = "$@NULL@$"
_EMPTY_SHA1 = hashlib.sha1(b"").hexdigest()
_DATE = 1_763_800_000


@dataclass(frozen=True, kw_only=True)
class ActivitySpec:
    """One activity to make. ``section`` is the number of its section; ``files`` are (name, content)."""

    module: str = "page"
    title: str = "A page"
    section: int = 1
    visible: bool = True
    availability: str = _NULL
    tags: Sequence[str] = ()
    files: Sequence[tuple[str, bytes]] = ()
    holds_section: str | None = None
    """Title of the subsection that the activity holds (module ``subsection``)."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """Versions that a backup states."""

    moodle_version: str = "2024100706"
    moodle_release: str = "4.5.6 (Build: 20250811)"
    backup_version: str = "2024100700"
    backup_release: str = "4.5"


MOODLE_45 = Release()
MOODLE_20 = Release(
    moodle_version="2010112400",
    moodle_release="2.0 (Build: 20101125)",
    backup_version="2010072300",
    backup_release="2.0",
)
MOODLE_52 = Release(
    moodle_version="2026042000",
    moodle_release="5.2 (Build: 20260420)",
    backup_version="2026042000",
    backup_release="5.2",
)

DEFAULT_ACTIVITIES = (
    ActivitySpec(module="page", title="Food webs", files=[("foodweb.txt", b"grass, hare, fox\n")]),
    ActivitySpec(module="quiz", title="Ecosystems quiz"),
)


def backup(
    path: Path,
    *,
    kind: Kind = "course",
    container: Container = "tgz",
    index: bool = True,
    dot_slash: bool = False,
    fullname: str = "Introduction to Ecology",
    shortname: str = "ECO1",
    summary: str = "<p>Living things and where they live.</p>",
    course_format: str = "topics",
    language: str = "",
    tags: Sequence[str] = ("ecology",),
    section_titles: Sequence[str] = ("", "Week one"),
    activities: Sequence[ActivitySpec] = DEFAULT_ACTIVITIES,
    questions: Mapping[str, int] | None = None,
    blocks: Sequence[str] = (),
    users: int = 0,
    anonymised: bool = False,
    release: Release = MOODLE_45,
    extra: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a backup to ``path`` and return it; ``extra`` adds or replaces members."""
    made = members(
        kind=kind,
        fullname=fullname,
        shortname=shortname,
        summary=summary,
        course_format=course_format,
        language=language,
        tags=tags,
        section_titles=section_titles,
        activities=activities,
        questions=questions,
        blocks=blocks,
        users=users,
        anonymised=anonymised,
        release=release,
    )
    made.update(extra or {})
    if container == "zip":
        return write_zip(path, made)
    return write_targz(path, made, index=index, dot_slash=dot_slash)


def members(
    *,
    kind: Kind = "course",
    fullname: str = "Introduction to Ecology",
    shortname: str = "ECO1",
    summary: str = "<p>Living things and where they live.</p>",
    course_format: str = "topics",
    language: str = "",
    tags: Sequence[str] = ("ecology",),
    section_titles: Sequence[str] = ("", "Week one"),
    activities: Sequence[ActivitySpec] = DEFAULT_ACTIVITIES,
    questions: Mapping[str, int] | None = None,
    blocks: Sequence[str] = (),
    users: int = 0,
    anonymised: bool = False,
    release: Release = MOODLE_45,
) -> dict[str, bytes]:
    """Name → content of every member, in the order in which Moodle packs them (the manifest last)."""
    made: dict[str, str] = {}
    pool: dict[str, bytes] = {}
    records: list[str] = []
    listed_activities: list[str] = []
    listed_sections: list[str] = []
    sequences: dict[int, list[int]] = {number: [] for number in range(len(section_titles))}
    delegated: list[tuple[str, int, int]] = []
    for position, spec in enumerate(activities):
        cmid, instance, context = 100 + position, 500 + position, 900 + position
        directory = f"activities/{spec.module}_{cmid}"
        sequences.setdefault(spec.section, []).append(cmid)
        listed_activities.append(
            _element(
                "activity",
                moduleid=cmid,
                sectionid=20 + spec.section,
                modulename=spec.module,
                title=spec.title,
                directory=directory,
            )
        )
        made[f"{directory}/{spec.module}.xml"] = (
            f'{_DECLARATION}<activity id="{instance}" moduleid="{cmid}" modulename={quoteattr(spec.module)}'
            f' contextid="{context}"><{spec.module} id="{instance}"><name>{escape(spec.title)}</name>'
            f"<intro></intro></{spec.module}></activity>"
        )
        made[f"{directory}/module.xml"] = (
            f'{_DECLARATION}<module id="{cmid}" version="2024100700">'
            f"<modulename>{escape(spec.module)}</modulename><sectionid>{20 + spec.section}</sectionid>"
            f"<sectionnumber>{spec.section}</sectionnumber>"
            f"<visible>{int(spec.visible)}</visible><availability>{escape(spec.availability)}</availability>"
            f"{_tags(spec.tags)}</module>"
        )
        first = len(records)
        for name, content in spec.files:
            digest = hashlib.sha1(content).hexdigest()
            pool[f"files/{digest[:2]}/{digest}"] = content
            for file_name, sha1, size in ((name, digest, len(content)), (".", _EMPTY_SHA1, 0)):
                record = _file(context, f"mod_{spec.module}", file_name, sha1, size)
                records.append(record.replace("<file>", f'<file id="{len(records) + 1}">', 1))
        made[f"{directory}/inforef.xml"] = _inforef(range(first + 1, len(records) + 1))
        if spec.holds_section is not None:
            delegated.append((spec.holds_section, cmid, instance))

    if kind != "activity":
        titles = list(section_titles) if kind == "course" else list(section_titles)[1:2]
        numbers = range(len(section_titles)) if kind == "course" else range(1, 1 + len(titles))
        for number, title in zip(numbers, titles, strict=True):
            _add_section(made, listed_sections, number, title, sequences[number])
        for offset, (title, cmid, instance) in enumerate(delegated):
            number = len(section_titles) + offset
            held = sequences.get(number, [])
            _add_section(made, listed_sections, number, title, held, held_by=(cmid, instance))
    if kind == "course":
        made["course/course.xml"] = (
            f'{_DECLARATION}<course id="2" contextid="30"><shortname>{escape(shortname)}</shortname>'
            f"<fullname>{escape(fullname)}</fullname><summary>{escape(summary)}</summary>"
            f"<summaryformat>1</summaryformat><format>{escape(course_format)}</format>"
            f"<startdate>{_DATE}</startdate><enddate>0</enddate><lang>{escape(language)}</lang><theme></theme>"
            f"{_tags(tags)}</course>"
        )
        for position, block in enumerate(blocks):
            made[f"course/blocks/{block}_{60 + position}/block.xml"] = (
                f'{_DECLARATION}<block id="{60 + position}" version="2024100700"><blockname>{escape(block)}'
                "</blockname></block>"
            )
    made["questions.xml"] = _questions(questions or {})
    if users:
        made["users.xml"] = (
            _DECLARATION
            + "<users>"
            + "".join(
                f'<user id="{200 + n}" contextid="{700 + n}"><username>learner{n}</username>'
                f"<email>learner{n}@example.org</email></user>"
                for n in range(users)
            )
            + "</users>"
        )
    made["files.xml"] = f"{_DECLARATION}<files>{''.join(records)}</files>"
    made["moodle_backup.xml"] = _manifest(
        kind=kind,
        fullname=fullname,
        shortname=shortname,
        course_format=course_format,
        release=release,
        activities=listed_activities,
        sections=listed_sections,
        users=bool(users),
        anonymised=anonymised,
    )
    return {
        **{name: text.encode() for name, text in made.items() if "/" in name},
        **pool,
        **{name: text.encode() for name, text in made.items() if "/" not in name},
    }


def moodle1_xml(*, fullname: str = "Old course", shortname: str = "OLD1", users: int = 0) -> bytes:
    """A moodle.xml as Moodle 1.9 wrote it (backup/backuplib.php of that release)."""
    accounts = "".join(f"<USER><ID>{n}</ID><USERNAME>learner{n}</USERNAME></USER>" for n in range(users))
    return (
        f"{_DECLARATION}<MOODLE_BACKUP>\n  <INFO>\n<NAME>restore.zip</NAME>"
        "<MOODLE_VERSION>2007101520</MOODLE_VERSION><MOODLE_RELEASE>1.9.2 (Build: 20080711)</MOODLE_RELEASE>"
        "<BACKUP_VERSION>2008030300</BACKUP_VERSION>"
        "<BACKUP_RELEASE>1.9</BACKUP_RELEASE><DATE>1299774017</DATE>"
        "<ORIGINAL_WWWROOT>http://old.example.org</ORIGINAL_WWWROOT>"
        f"<DETAILS><USERS>{'course' if users else 'none'}</USERS><USERFILES>true</USERFILES></DETAILS></INFO>"
        f"<COURSE><HEADER><ID>33</ID><FULLNAME>{escape(fullname)}</FULLNAME><SHORTNAME>{escape(shortname)}"
        "</SHORTNAME><SUMMARY>&lt;p&gt;An old one.&lt;/p&gt;</SUMMARY><FORMAT>weeks</FORMAT>"
        "<LANG>en_utf8</LANG><STARTDATE>1299823200</STARTDATE></HEADER>"
        "<BLOCKS><BLOCK><ID>314</ID><NAME>participants</NAME></BLOCK></BLOCKS>"
        "<SECTIONS><SECTION><ID>1</ID><NUMBER>0</NUMBER><SUMMARY></SUMMARY><VISIBLE>1</VISIBLE><MODS>"
        "<MOD><ID>501</ID><TYPE>forum</TYPE><INSTANCE>57</INSTANCE><VISIBLE>1</VISIBLE></MOD></MODS></SECTION>"
        "<SECTION><ID>2</ID><NUMBER>1</NUMBER><SUMMARY>Week one</SUMMARY><VISIBLE>1</VISIBLE><MODS>"
        "<MOD><ID>502</ID><TYPE>quiz</TYPE><INSTANCE>9</INSTANCE><VISIBLE>0</VISIBLE></MOD></MODS></SECTION>"
        f"</SECTIONS><USERS>{accounts}</USERS>"
        "<QUESTION_CATEGORIES><QUESTION_CATEGORY><ID>4</ID><NAME>Default</NAME><QUESTIONS>"
        "<QUESTION><ID>7</ID><NAME>Q</NAME><QTYPE>truefalse</QTYPE></QUESTION>"
        "</QUESTIONS></QUESTION_CATEGORY></QUESTION_CATEGORIES>"
        "<MODULES><MOD><ID>57</ID><MODTYPE>forum</MODTYPE><NAME>News forum</NAME></MOD>"
        "<MOD><ID>9</ID><MODTYPE>quiz</MODTYPE><NAME>Old quiz</NAME></MOD></MODULES>"
        "</COURSE></MOODLE_BACKUP>"
    ).encode()


def moodle1_backup(
    path: Path, *, fullname: str = "Old course", shortname: str = "OLD1", users: int = 0
) -> Path:
    """Write a Moodle 1.9 backup, which is always a zip."""
    xml = moodle1_xml(fullname=fullname, shortname=shortname, users=users)
    return write_zip(path, {"moodle.xml": xml, "course_files/notes.txt": b"notes\n", "moddata/": b""})


def write_zip(path: Path, content: Mapping[str, bytes]) -> Path:
    """A zip with directory entries before their files, as Moodle's packer writes it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in _with_directories(content).items():
            archive.writestr(zipfile.ZipInfo(name, (2025, 11, 22, 9, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return path


def write_targz(
    path: Path, content: Mapping[str, bytes], *, index: bool = True, dot_slash: bool = False
) -> Path:
    """A tar.gz as Moodle's tgz_packer writes it: ustar, directories first-class, the index first."""
    everything = _with_directories(content)
    if index:
        lines = [f"Moodle archive file index. Count: {len(everything)}"]
        lines += [
            f"{name}\td\t0\t?" if name.endswith("/") else f"{name}\tf\t{len(data)}\t{_DATE}"
            for name, data in everything.items()
        ]
        everything = {".ARCHIVE_INDEX": ("\n".join(lines) + "\n").encode(), **everything}
    with tarfile.open(path, "w:gz", format=tarfile.USTAR_FORMAT, compresslevel=1) as archive:
        for name, data in everything.items():
            info = tarfile.TarInfo(f"./{name}" if dot_slash else name)
            info.mtime = _DATE
            if name.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def _with_directories(content: Mapping[str, bytes]) -> dict[str, bytes]:
    everything: dict[str, bytes] = {}
    for name, data in content.items():
        parts = name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            everything.setdefault("/".join(parts[:depth]) + "/", b"")
        everything[name] = data
    return everything


def _add_section(
    made: dict[str, str],
    listed: list[str],
    number: int,
    title: str,
    sequence: Sequence[int],
    *,
    held_by: tuple[int, int] | None = None,
) -> None:
    """``held_by`` is the (course module id, instance id) of the subsection activity that holds it."""
    parent, instance = held_by or (None, None)
    id_ = 20 + number
    directory = f"sections/section_{id_}"
    listed.append(
        _element(
            "section",
            sectionid=id_,
            title=title or str(number),
            directory=directory,
            parentcmid="" if parent is None else parent,
            modname="" if parent is None else "subsection",
        )
    )
    made[f"{directory}/section.xml"] = (
        f'{_DECLARATION}<section id="{id_}"><number>{number}</number><name>{escape(title) or _NULL}</name>'
        "<summary></summary><summaryformat>1</summaryformat>"
        f"<sequence>{','.join(map(str, sequence))}</sequence>"
        f"<visible>1</visible><availabilityjson>{_NULL}</availabilityjson>"
        f"<component>{_NULL if parent is None else 'mod_subsection'}</component>"
        f"<itemid>{_NULL if instance is None else instance}</itemid></section>"
    )


def _manifest(
    *,
    kind: Kind,
    fullname: str,
    shortname: str,
    course_format: str,
    release: Release,
    activities: Sequence[str],
    sections: Sequence[str],
    users: bool,
    anonymised: bool,
) -> str:
    settings = {"filename": "backup.mbz", "users": int(users), "anonymize": int(anonymised), "files": 1}
    written = "".join(
        f"<setting><level>root</level><name>{name}</name><value>{value}</value></setting>"
        for name, value in settings.items()
    )
    held = f"<activities>{''.join(activities)}</activities>"
    if sections:
        held += f"<sections>{''.join(sections)}</sections>"
    return (
        f"{_DECLARATION}<moodle_backup>\n  <information>\n    <name>backup.mbz</name>"
        f"<moodle_version>{release.moodle_version}</moodle_version>"
        f"<moodle_release>{escape(release.moodle_release)}</moodle_release>"
        f"<backup_version>{release.backup_version}</backup_version>"
        f"<backup_release>{release.backup_release}</backup_release><backup_date>{_DATE}</backup_date>"
        "<include_files>1</include_files><original_wwwroot>https://moodle.example.org</original_wwwroot>"
        "<original_site_identifier_hash>5a0e8237a29bfe1732f297d179c9245d</original_site_identifier_hash>"
        f"<original_course_id>2</original_course_id>"
        f"<original_course_format>{escape(course_format)}</original_course_format>"
        f"<original_course_fullname>{escape(fullname)}</original_course_fullname>"
        f"<original_course_shortname>{escape(shortname)}</original_course_shortname>"
        f"<original_course_startdate>{_DATE}</original_course_startdate>"
        "<original_course_enddate>0</original_course_enddate>"
        f'<details><detail backup_id="0"><type>{kind}</type><format>moodle2</format><mode>10</mode></detail>'
        "</details>"
        f"<contents>{held}</contents><settings>{written}</settings></information></moodle_backup>"
    )


def _questions(counts: Mapping[str, int]) -> str:
    entries = "".join(
        f'<question_bank_entry id="{n}"><question_version><question_versions id="{n}"><version>1</version>'
        f'<questions><question id="{n}"><name>Q{n}</name><qtype>{escape(qtype)}</qtype></question>'
        "</questions></question_versions></question_version></question_bank_entry>"
        for qtype, amount in counts.items()
        for n in range(amount)
    )
    return (
        f'{_DECLARATION}<question_categories><question_category id="1"><name>Bank</name>'
        f"<question_bank_entries>{entries}</question_bank_entries></question_category></question_categories>"
    )


def _file(context: int, component: str, name: str, digest: str, size: int) -> str:
    return _element(
        "file",
        contenthash=digest,
        contextid=context,
        component=component,
        filearea="content",
        itemid=0,
        filepath="/",
        filename=name,
        filesize=size,
        mimetype=_NULL if name == "." else "text/plain",
    )


def _inforef(files: Sequence[int]) -> str:
    """What an activity refers to (backup_inforef_structure_step)."""
    listed = "".join(f"<file><id>{id_}</id></file>" for id_ in files)
    return f"{_DECLARATION}<inforef>{f'<fileref>{listed}</fileref>' if files else ''}</inforef>"


def _tags(tags: Sequence[str]) -> str:
    return "<tags>" + "".join(_element("tag", name=tag.lower(), rawname=tag) for tag in tags) + "</tags>"


def _element(tag: str, **children: object) -> str:
    inside = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in children.items())
    return f"<{tag}>{inside}</{tag}>"
