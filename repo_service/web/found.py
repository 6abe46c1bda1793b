"""What was found in a file of persons and secrets, arranged for its owner to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repo_service.domain.errors import Uncleanable
from repo_service.domain.findings import KINDS, FindingClass, Subject, summarise
from repo_service.domain.texts import text
from repo_service.services.cleaning import why_uncleanable
from repo_service.web.places import Place, Places

MAX_SPOTS = 50
"""Parts of a course that one group lists; a backup may have thousands. The API gives all."""
MAX_EXACT = 100
"""Files and elements that one group lists."""
_MAX_PLUGINS = 20

_PLUGIN_DATA = "plugin-data"
_AUTHORS = "file-authors"
_USERS_WORK = frozenset({"posts", "entries"})
"""What teachers write, too, and Moodle takes for work of users all the same."""
_ENROLMENT_KEYS = frozenset({"enrolment-key", "guest-password"})

_TITLES = {
    Subject.LEARNERS: text("Learners and other users"),
    Subject.SECRETS: text("Keys and contacts"),
    Subject.UNJUDGED: text("What we cannot judge"),
    Subject.AUTHORS: text("To confirm"),
    Subject.NUMBERS: text("Numbers and other leftovers"),
}
_ABOUT = {
    Subject.LEARNERS: text("Accounts, and what people did and left in the course."),
    Subject.SECRETS: text("They would open doors of your site, or tell strangers whom to write to."),
    Subject.UNJUDGED: text("Here data of users may stand in a form that we do not know."),
    Subject.AUTHORS: text(
        "This stays, in a clean copy too. Files keep their authors and licences. Please look whether "
        "everybody who is named may be named in public."
    ),
    Subject.NUMBERS: text("They stop nothing and are of no use elsewhere. A clean copy has none of them."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One part of the course, and what was found there in words."""

    place: Place
    what: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """One finding as it stands in the file: the member of the archive, the path of tags."""

    member: str
    element: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All that was found about one subject; ``more_…`` say how many find no room on the page."""

    subject: Subject
    title: str
    about: str
    counts: Sequence[str]
    spots: Sequence[Spot]
    more_spots: int
    exact: Sequence[Exact]
    more_exact: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything that was found in one file.

    ``losses`` is what a clean copy does without, ``warnings`` what owners may not expect of one.
    ``uncleanable`` says why there can be none, and ``plugins`` names those that nobody can judge.
    """

    groups: Sequence[Group]
    blocking: bool
    heading: str
    to_confirm: Sequence[str]
    losses: Sequence[str]
    warnings: Sequence[str]
    uncleanable: str | None
    plugins: Sequence[str]
    more_plugins: int


def found_in(document: Mapping[str, Any], cleaning: Mapping[str, Any] | None = None) -> Found | None:
    """What an inspection found, or None for nothing. ``cleaning`` tells how a clean copy was made.

    Names of learners can be looked for only in the file that has the list of them. So what was left in a
    clean copy was found in its source, and the inspection of the copy alone would miss it.
    """
    findings = _merged(document["findings"], (cleaning or {}).get("left") or ())
    if not findings:
        return None
    places = Places(document)
    by_subject: dict[Subject, list[Mapping[str, Any]]] = {subject: [] for subject in Subject}
    for finding in findings:
        by_subject[_subject(finding)].append(finding)
    subjects = [subject for subject in Subject if by_subject[subject]]
    codes = {finding["code"] for finding in findings}
    obstacle = why_uncleanable(document)
    plugins = sorted({f["element"] for f in findings if f["code"] == "unknown-plugin"})
    return Found(
        groups=[_group(subject, by_subject[subject], places) for subject in subjects],
        blocking=any(f["finding_class"] == FindingClass.BLOCKING for f in findings),
        heading=_heading(subjects),
        to_confirm=_counts(by_subject[Subject.AUTHORS]),
        losses=list(_losses(subjects)),
        warnings=list(_warnings(codes)),
        uncleanable=None if obstacle is None else _why(obstacle, plugins),
        plugins=plugins[:_MAX_PLUGINS],
        more_plugins=max(0, len(plugins) - _MAX_PLUGINS),
    )


def removed_words(cleaning: Mapping[str, Any]) -> list[str]:
    """What a clean copy lost: ``14 user accounts``."""
    removed = cleaning.get("removed") or ()
    return [summary.words for summary in summarise((item["code"], item["count"]) for item in removed)]


def file_authors(document: Mapping[str, Any]) -> str:
    """Whom files name as their authors, for everybody to read: who passes a file on has to name them, too."""
    for finding in document["findings"]:
        if finding["code"] == _AUTHORS:
            message: str = finding["message"]
            return message.removeprefix(f"{KINDS[_AUTHORS].words(finding['count'])}: ")
    return ""


def _merged(
    inspected: Sequence[Mapping[str, Any]], left: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    merged: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for given in (*inspected, *left):
        kind = KINDS.get(given["code"])
        known = FindingClass.TECHNICAL if kind is None else kind.finding_class
        finding = {"element": "", "finding_class": known.value, **given}
        key = finding["code"], finding["place"], finding["element"]
        if key not in merged or merged[key]["count"] < finding["count"]:
            merged[key] = finding
    return list(merged.values())


def _subject(finding: Mapping[str, Any]) -> Subject:
    code = finding["code"]
    if code == _PLUGIN_DATA:  # it stays in clean copies
        return Subject.AUTHORS
    if code in KINDS:
        return KINDS[code].subject
    # A code of another release: what stops a release there is not to be called harmless here.
    return Subject.UNJUDGED if finding["finding_class"] == FindingClass.BLOCKING else Subject.NUMBERS


def _group(subject: Subject, findings: Sequence[Mapping[str, Any]], places: Places) -> Group:
    by_place: dict[Place, list[Mapping[str, Any]]] = {}
    for finding in findings:
        by_place.setdefault(places.of(finding["place"]), []).append(finding)
    listed = list(by_place.items())[:MAX_SPOTS]
    exact = findings[:MAX_EXACT]
    return Group(
        subject=subject,
        title=_TITLES[subject],
        about=_ABOUT[subject],
        counts=_counts(findings),
        spots=[Spot(place=place, what=_counts(there)) for place, there in listed],
        more_spots=len(by_place) - len(listed),
        exact=[Exact(member=f["place"], element=f["element"], count=f["count"]) for f in exact],
        more_exact=len(findings) - len(exact),
    )


def _counts(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """``12 submissions of learners``, summed. Of authors and mere claims the message says more."""
    names = {f["code"]: f["message"].partition(": ")[2] for f in findings}
    return [
        text("%(what)s: %(names)s", what=summary.words, names=names[_AUTHORS])
        if summary.code == _AUTHORS and names[_AUTHORS]
        else summary.words
        for summary in summarise((f["code"], f["count"]) for f in findings)
    ]


def _heading(subjects: Sequence[Subject]) -> str:
    if Subject.LEARNERS in subjects:
        return text("This file holds personal data")
    if Subject.UNJUDGED in subjects:
        return text("This file may hold personal data")
    if Subject.SECRETS in subjects:
        return text("This file holds keys and contacts")
    return text("What was found in the file")


def _losses(subjects: Sequence[Subject]) -> Iterator[str]:
    if Subject.LEARNERS in subjects:
        yield text("users, and all that they did and left: grades, submissions, posts, logs and the like")
    if Subject.SECRETS in subjects:
        yield text("keys, passwords and contact addresses")
    if Subject.NUMBERS in subjects:
        yield text("numbers of users of your site")


def _warnings(codes: set[str]) -> Iterator[str]:
    if codes & _USERS_WORK:
        yield text(
            "Forum discussions and the entries of glossaries, databases and wikis are left out, "
            "whoever wrote them: yours, too."
        )
    if codes & _ENROLMENT_KEYS:
        yield text("Enrolment methods that lose their key are switched off.")


def _why(obstacle: Exception, plugins: Sequence[str]) -> str:
    if not isinstance(obstacle, Uncleanable):
        return text(
            "Clean copies can be made of backups of Moodle 2.0 and later only, and this is an older one."
        )
    if plugins:
        return text("We do not know where these plugins keep data of users:")
    return text("We do not know what some parts of it say about users: see “What we cannot judge”.")
