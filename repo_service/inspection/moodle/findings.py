"""What of a backup tells of persons or opens a door: a redactor for each XML member, and what they found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from repo_service.domain.errors import InvalidFile
from repo_service.domain.findings import KINDS, Finding, FindingClass
from repo_service.inspection.archives.base import Sink
from repo_service.inspection.limits import Limits
from repo_service.inspection.moodle.judging import LEARNER_FILES, PersonJudges
from repo_service.inspection.moodle.naming import Texts, names_of
from repo_service.inspection.moodle.people import (
    EVERYWHERE,
    UNKNOWN_PERSON,
    USER_IDS,
    filled_by,
    left_out,
    rules_of,
    unknown_plugin,
)
from repo_service.inspection.moodle.redaction import Redactor
from repo_service.inspection.xml import XmlAllowance

_FILES = "files.xml"
_AUTHOR = "files/file/author"
_AUTHORS_NAMED = 12
_MAX_PATH = 1000
"""Characters of a path that are kept."""


class PersonScan:
    """Looks through a backup, member by member, and through what would stay of it for names.

    What would stay can be had: that is what a clean copy is made of.
    """

    def __init__(self, limits: Limits, allowance: XmlAllowance, judges: PersonJudges | None = None) -> None:
        self._limits = limits
        self._allowance = allowance
        self._texts = Texts()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._member = ""
        self._plugins: set[tuple[str, str]] = set()
        """(member, plugin) of what nobody can judge."""
        self._judges = judges or PersonJudges(limits)
        self._judges.look_into = self._look_into_block

    @property
    def texts_complete(self) -> bool:
        """Whether all texts could be looked through."""
        return self._texts.complete

    def sink(self, member: str, write: Callable[[bytes], object] = lambda data: None) -> Sink:
        """Takes one XML member of the backup; ``write`` gets what stays of it."""
        if (plugin := unknown_plugin(member)) is not None:
            self._add_plugin(member, plugin)
        self._member = member
        if left_out(member):
            return self._redactor(member, write=lambda data: None, anywhere=False)
        texts = self._texts.member(member)

        def keep(data: bytes) -> None:
            texts.write(data)
            write(data)

        return _Remembering(self._redactor(member, write=keep, anywhere=True), texts.close)

    def findings(self, titles: Mapping[str, str], *, with_users: bool) -> tuple[Finding, ...]:
        """All that was found. ``titles`` are those of the activities by their directories."""
        counts = self._counts
        if files := self._judges.workshop_files():
            counts[LEARNER_FILES, _FILES, "files/file"] += files
        names = names_of(self._judges.persons, self._judges.authors)
        counts.update(
            {key: count for key, count in self._texts.search(names).items() if key[1:] != (_FILES, _AUTHOR)}
        )
        for member, plugin in self._plugins:
            counts["unknown-plugin" if with_users else "plugin-data", member, plugin] += 1
        if with_users:
            for component in sorted(self._judges.unknown_areas):
                counts["unknown-plugin", _FILES, component] += 1
        found = [_finding(key, count, titles, with_users=with_users) for key, count in counts.items()]
        if self._judges.authors:
            found.append(_authors(self._judges.authors))
        order = list(KINDS)
        return tuple(sorted(found, key=lambda f: (order.index(f.code), f.place, f.element)))

    def _redactor(self, member: str, *, write: Callable[[bytes], object], anywhere: bool) -> Redactor:
        def found(code: str, path: str) -> None:
            key = code, member, path[:_MAX_PATH]
            if key not in self._counts and len(self._counts) >= self._limits.max_distinct:
                raise InvalidFile("The backup holds too many different things.", reason="too-many-values")
            self._counts[key] += 1

        def filled(tag: str) -> None:
            if anywhere and (plugin := filled_by(tag)) is not None:
                self._add_plugin(member, plugin)

        return Redactor(
            rules_of(member),
            place=member,
            allowance=self._allowance,
            write=write,
            found=found,
            everywhere=EVERYWHERE if anywhere else {},
            judges=self._judges.table(),
            plugin=filled,
        )

    def _add_plugin(self, member: str, plugin: str) -> None:
        self._plugins.add((member, plugin[:100]))
        if len(self._plugins) > self._limits.max_distinct:
            raise InvalidFile("The backup names too many plugins.", reason="too-many-values")

    def _look_into_block(self, data: bytes) -> None:
        self._texts.encoded(self._member, "block/configdata", data)


class _Remembering:
    """A redactor of which somebody is told when it is done."""

    def __init__(self, redactor: Redactor, closed: Callable[[], object]) -> None:
        self._redactor = redactor
        self._closed = closed

    @property
    def done(self) -> bool:
        return False

    def feed(self, data: bytes) -> None:
        self._redactor.feed(data)

    def close(self) -> None:
        self._redactor.close()
        self._closed()


def _finding(
    key: tuple[str, str, str], count: int, titles: Mapping[str, str], *, with_users: bool
) -> Finding:
    code, place, element = key
    if code == UNKNOWN_PERSON and not with_users:
        # By Moodle's own doing there are no users in it: a number that is left over.
        code = USER_IDS
    kind = KINDS[code]
    title = titles.get("/".join(place.split("/")[:2]), "")
    where = f"“{title}”" if title else place
    return Finding(
        code=code,
        finding_class=kind.finding_class,
        place=place,
        element=element,
        count=count,
        message=f"{kind.words(count)} in {where}",
    )


def _authors(authors: Counter[str]) -> Finding:
    count = sum(authors.values())
    named = [name for name, _ in authors.most_common(_AUTHORS_NAMED)]
    more = ["others"] if len(authors) > len(named) else []
    return Finding(
        code="file-authors",
        finding_class=FindingClass.ATTRIBUTION,
        place=_FILES,
        element=_AUTHOR,
        count=count,
        message=f"{KINDS['file-authors'].words(count)}: {', '.join([*named, *more])}",
    )
