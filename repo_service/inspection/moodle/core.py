"""Moodle's releases, and the plugins that each of them brings.

The facts stand in ``core_plugins.json``, which names the source of each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from repo_service.domain.texts import text

_RELEASE = re.compile(r"([0-9]{1,2}\.[0-9]{1,2})(?:\.([0-9]{1,2}))?(\+?)(?: \(Build: [0-9]{8}\))?")
_VERSION = re.compile(r"[0-9]{10}(?:\.[0-9]{1,2})?")

_facts: dict[str, Any] = json.loads(
    resources.files(__package__).joinpath("core_plugins.json").read_text("utf-8")
)

RELEASES: dict[str, int] = _facts["releases"]
"""Release → the version number it began with, oldest first."""

OLDEST = next(iter(RELEASES))
NEWEST = next(reversed(RELEASES))

PLUGIN_TYPES = frozenset(_facts["plugins"])
"""The types of plugins that a backup can name."""


class UnknownMoodle(ValueError):
    """What was given is no version of Moodle that is known here; the text says what would be."""


@dataclass(frozen=True, slots=True)
class MoodleVersion:
    """``number`` is that of ``version.php``, such as 2024100706; ``release`` what people call it (4.5.6)."""

    number: Decimal
    release: str

    @property
    def branch(self) -> str:
        """The release whose core this version has: ``4.5``."""
        return branch_of(self.number)


def parse_version(given: str) -> MoodleVersion:
    """A release (``4.5``, ``4.5.6``, ``4.5.6+``, also with its build) or a version number (``2024100706``).

    A release without its last number is its first: Moodle calls 4.5.0 ``4.5``. Raises UnknownMoodle.
    """
    given = given.strip()
    if _VERSION.fullmatch(given) is not None:
        number = Decimal(given)
        if number < RELEASES[OLDEST]:
            raise UnknownMoodle(text("Moodle before 2.0 restores no backups of this kind."))
        return MoodleVersion(number, _release_of(number))
    found = _RELEASE.fullmatch(given)
    if found is None:
        raise UnknownMoodle(text("Give a release such as 4.5.6, or a version number such as 2024100706."))
    branch, minor, plus = found[1], int(found[2] or 0), found[3]
    if branch not in RELEASES:
        raise UnknownMoodle(
            text(
                "Moodle %(release)s is not known: %(oldest)s to %(newest)s are.",
                release=branch,
                oldest=OLDEST,
                newest=NEWEST,
            )
        )
    odd: dict[str, int] = _facts["odd_versions"]
    number = Decimal(odd.get(f"{branch}.{minor}", RELEASES[branch] + minor))
    if plus:
        # A weekly build after that release, of which only the site knows the number behind the point.
        number += Decimal("0.99")
    return MoodleVersion(number, given.partition(" ")[0])


def _release_of(number: Decimal) -> str:
    branch = branch_of(number)
    minor = int(number) - RELEASES[branch]
    return f"{branch}.{minor}" if 0 < minor < 100 else branch


def branch_of(number: Decimal) -> str:
    """The release that had begun with this version number, the first one for older numbers."""
    found = OLDEST
    for release, begun in RELEASES.items():
        if begun <= number:
            found = release
    return found


@cache
def ever_core(kind: str) -> frozenset[str]:
    """The plugins of one type that were part of Moodle at any time."""
    return frozenset(_facts["plugins"][kind])


@cache
def core_of(branch: str) -> frozenset[str]:
    """The components (``mod_quiz``) that are part of this release."""
    return frozenset(
        component
        for component, span in _spans()
        if _within(branch, span.get("since", OLDEST), span.get("until", NEWEST))
    )


@cache
def off_by_default(branch: str) -> frozenset[str]:
    """The components that a new site of this release has switched off: what is restored stays unseen."""
    return frozenset(
        component
        for component, span in _spans()
        if "off_since" in span
        and _within(branch, span["off_since"], span.get("off_until", span.get("until", NEWEST)))
    )


def life_of(component: str) -> tuple[str | None, str | None]:
    """(first, last) release with this component; None where it was there from the start, or still is."""
    kind, _, name = component.partition("_")
    span = _facts["plugins"].get(kind, {}).get(name, {})
    return span.get("since"), span.get("until")


def _spans() -> Iterator[tuple[str, dict[str, str]]]:
    for kind, names in _facts["plugins"].items():
        for name, span in names.items():
            yield f"{kind}_{name}", span


def _within(branch: str, first: str, last: str) -> bool:
    order = list(RELEASES)
    return order.index(first) <= order.index(branch) <= order.index(last)
