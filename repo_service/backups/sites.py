"""What has to be known of a Moodle site to tell whether a backup will restore there."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from repo_service.domain.texts import text
from repo_service.inspection.moodle.core import MoodleVersion, core_of, off_by_default

COMPONENT = r"[a-z]{1,30}_[a-z][a-z0-9_]{0,98}"
PLUGIN_VERSION = r"[0-9]{1,10}(\.[0-9]{1,2})?"

_PLUGIN = re.compile(f"(?P<component>{COMPONENT})(?::(?P<version>{PLUGIN_VERSION}))?")


class Restorer(enum.StrEnum):
    """Who restores. A teacher may do less, and Moodle then restores less: no people, for one."""

    TEACHER = "teacher"
    MANAGER = "manager"


@dataclass(frozen=True, slots=True)
class SiteRole:
    """A role that the restorer may give to people in a course."""

    shortname: str
    archetype: str = ""


_TEACHERS = (SiteRole("teacher", "teacher"), SiteRole("student", "student"))
_MANAGERS = (SiteRole("manager", "manager"), SiteRole("editingteacher", "editingteacher"), *_TEACHERS)
_ROLES = {Restorer.TEACHER: _TEACHERS, Restorer.MANAGER: _MANAGERS}
"""What a new site lets them assign in courses (``get_default_role_archetype_allows``, lib/accesslib.php)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteProfile:
    """``plugins`` are those beyond Moodle's own, by component, with their version where it is known;
    ``without`` are those of Moodle's own that it has removed, ``disabled`` the activity modules that are
    switched off, None while that is not known. ``roles`` are those that the restorer may assign, None for a
    new site's."""

    version: MoodleVersion
    plugins: Mapping[str, str | None] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    disabled: frozenset[str] | None = None
    roles: tuple[SiteRole, ...] | None = None
    restorer: Restorer = Restorer.TEACHER

    def has(self, component: str) -> bool:
        """Whether the plugin is installed there."""
        return component in self.plugins or self.brings(component)

    def brings(self, component: str) -> bool:
        """Whether the plugin is there because it is part of that Moodle."""
        return component in core_of(self.version.branch) and component not in self.without

    def may_hide(self, component: str) -> bool:
        """Whether that Moodle has the plugin switched off unless somebody switched it on."""
        return self.disabled is None and component in off_by_default(self.version.branch)

    def since(self, release: str) -> bool:
        """Whether the site is of this release or a later one."""
        return order_of(self.version.branch) >= order_of(release)

    @property
    def assignable(self) -> tuple[SiteRole, ...]:
        """The roles that the restorer may assign."""
        return _ROLES[self.restorer] if self.roles is None else self.roles


class InvalidPlugins(ValueError):
    """The text names no plugins; what is wrong is said to whoever wrote it."""


def parse_plugins(lines: Iterable[str]) -> dict[str, str | None]:
    """``mod_hvp:2023122500,qtype_stack`` → component → version. Raises InvalidPlugins."""
    plugins: dict[str, str | None] = {}
    for line in lines:
        for item in filter(None, (part.strip() for part in line.split(","))):
            found = _PLUGIN.fullmatch(item)
            if found is None:
                raise InvalidPlugins(
                    text(
                        "%(given)s is no plugin: write mod_hvp, or mod_hvp:2023122500 with its version.",
                        given=repr(item[:60]),
                    )
                )
            plugins[found["component"]] = found["version"]
    return plugins


def number_of(version: str) -> Decimal:
    """A version as PHP reads it for a comparison: the number at its beginning, 0 without one."""
    found = re.match(r"\s*[0-9]{1,17}(\.[0-9]{1,4})?", version, re.ASCII)
    return Decimal(found[0].strip()) if found else Decimal(0)


def order_of(release: str) -> tuple[int, int]:
    """A release as something to compare: 3.10 comes after 3.9."""
    major, _, minor = release.partition(".")
    return int(major), int(minor)
