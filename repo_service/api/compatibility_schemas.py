"""What ``api/compatibility.py`` takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from repo_service.api.schemas import Incoming, Name, Outgoing, Query
from repo_service.backups.compatibility import Verdict
from repo_service.backups.sites import (
    COMPONENT,
    PLUGIN_VERSION,
    Restorer,
    SiteProfile,
    SiteRole,
    parse_plugins,
)
from repo_service.inspection.moodle.core import parse_version
from repo_service.services.site_profiles import SiteDescription

MAX_PLUGINS = 2000
_MAX_ROLES = 200


def _known_moodle(text: str) -> str:
    parse_version(text)
    return text


def _plugins(text: str) -> str:
    parse_plugins([text])
    return text


Moodle = Annotated[str, StringConstraints(max_length=40), AfterValidator(_known_moodle)]
Component = Annotated[str, StringConstraints(pattern=f"^{COMPONENT}$")]
PluginVersion = Annotated[str, StringConstraints(pattern=f"^{PLUGIN_VERSION}$")]
_PluginList = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(_plugins)]

_MOODLE = "A release such as `4.5.6`, or a version number such as `2024100706`."
_RESTORER = "Who restores: a teacher, into a course of theirs, or somebody who may do everything."


class CompatibilityQueryIn(Query):
    """A site, described here or by a profile."""

    moodle: Moodle | None = Field(default=None, description=_MOODLE, examples=["4.5.6"])
    plugins: list[_PluginList] = Field(
        default=[],
        max_length=MAX_PLUGINS,
        description="What the site has beyond Moodle's own, by commas: `mod_hvp:2023122500,qtype_stack`.",
    )
    without: list[_PluginList] = Field(
        default=[], max_length=MAX_PLUGINS, description="What of Moodle's own the site has removed, likewise."
    )
    site: UUID | None = Field(default=None, description="A profile of mine, in place of the above.")
    restorer: Restorer | None = Field(default=None, description=f"{_RESTORER} A teacher, unless said.")

    @model_validator(mode="after")
    def _one_site(self) -> Self:
        if (self.moodle is None) == (self.site is None):
            raise ValueError("Give moodle, such as moodle=4.5.6, or site, a profile of yours; not both.")
        if self.site is not None and (self.plugins or self.without):
            raise ValueError("The profile says which plugins there are: leave plugins and without out.")
        if max(len(parse_plugins(self.plugins)), len(parse_plugins(self.without))) > MAX_PLUGINS:
            raise ValueError(f"Name at most {MAX_PLUGINS} plugins.")
        return self

    def profile(self) -> SiteProfile:
        """The site, when it is described here."""
        assert self.moodle is not None
        return SiteProfile(
            version=parse_version(self.moodle),
            plugins=parse_plugins(self.plugins),
            without=frozenset(parse_plugins(self.without)),
            restorer=self.restorer or Restorer.TEACHER,
        )


class RemarkOut(Outgoing):
    """One thing to know about the restore."""

    code: str = Field(description="For software.", examples=["missing-module"])
    message: str = Field(description="For people.")
    component: str = Field(description="The plugin concerned, or empty.", examples=["mod_hvp"])
    name: str = Field(description="What it is called in the backup, or empty.")
    count: int = Field(description="How often.")
    moodle_string: str = Field(
        description="The string of Moodle's that says the same, or empty.",
        examples=["core/noticenewerbackup"],
    )


class CompatibilityOut(Outgoing):
    """How a restore would end."""

    verdict: Verdict = Field(
        description="`complete`, `warned` (by Moodle, first), `partial` (something is missing) or `refused`."
    )
    sentence: str = Field(description="The same in one sentence, for teachers.")
    errors: list[RemarkOut] = Field(description="Why Moodle refuses it.")
    warnings: list[RemarkOut] = Field(description="What Moodle says before it goes on.")
    losses: list[RemarkOut] = Field(description="What would be missing, of which Moodle says nothing.")
    notes: list[RemarkOut] = Field(description="What cannot be told from here, or is good to know.")


class RoleIn(Incoming):
    """A role that the restorer may give to people in a course."""

    shortname: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
    archetype: Annotated[str, StringConstraints(max_length=30, pattern=r"^[a-z]*$")] = ""


class SiteProfileIn(Incoming):
    """A Moodle site."""

    name: Name = Field(examples=["Our school"])
    moodle: Moodle = Field(description=_MOODLE, examples=["4.5.6"])
    plugins: Annotated[dict[Component, PluginVersion | None], Field(max_length=MAX_PLUGINS)] = Field(
        default={},
        description="What it has beyond Moodle's own, by component, with the version where it is known.",
        examples=[{"mod_hvp": "2023122500"}],
    )
    without: Annotated[list[Component], Field(max_length=MAX_PLUGINS)] = Field(
        default=[], description="What of Moodle's own it has removed."
    )
    disabled: Annotated[list[Component], Field(max_length=MAX_PLUGINS)] | None = Field(
        default=None, description="Activity modules that it has switched off; null while that is not known."
    )
    roles: Annotated[list[RoleIn], Field(max_length=_MAX_ROLES)] | None = Field(
        default=None, description="Roles that the restorer may give in courses; null for those of a new site."
    )
    restorer: Restorer = Field(default=Restorer.TEACHER, description=_RESTORER)

    def description(self) -> SiteDescription:
        """The same in the words of the services."""
        roles = None if self.roles is None else [SiteRole(r.shortname, r.archetype) for r in self.roles]
        return SiteDescription(
            name=self.name,
            moodle=self.moodle,
            plugins=self.plugins,
            without=self.without,
            disabled=self.disabled,
            roles=roles,
            restorer=self.restorer,
        )


class RoleOut(Outgoing):
    """A role that the restorer may give to people in a course."""

    shortname: str
    archetype: str


class SiteProfileOut(Outgoing):
    """A Moodle site of mine."""

    id: UUID
    name: str
    moodle: str
    plugins: dict[str, str | None]
    without: list[str]
    disabled: list[str] | None
    roles: list[RoleOut] | None
    restorer: Restorer
    created_at: datetime
    updated_at: datetime


class SiteProfilesOut(Outgoing):
    """All sites of mine, oldest first."""

    items: list[SiteProfileOut]
