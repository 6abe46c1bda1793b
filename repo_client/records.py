"""What the service answers, as far as this client looks into it. ``raw`` is all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file on its way in. ``url`` is where tus goes on, ``state`` one of those of docs/uploads.md."""

    id: str
    url: str
    state: str
    reason: str | None
    sha256: str | None

    @classmethod
    def of(cls, raw: Mapping[str, Any], *, url: str) -> Self:
        """From JSON."""
        return cls(id=raw["id"], url=url, state=raw["state"], reason=raw["reason"], sha256=raw["sha256"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One edition of a resource. ``processing`` is how far the look inside is: queued, running, done or
    failed; ``refused`` says why a release that was asked for did not follow it. ``size`` in bytes."""

    number: int
    file_name: str
    size: int | None
    sha256: str | None
    is_released: bool
    processing: str
    refused: str | None
    download_url: str

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """From JSON."""
        refused = raw["release_refused"]
        return cls(
            number=raw["number"],
            file_name=raw["file_name"],
            size=raw["size"],
            sha256=raw["sha256"],
            is_released=raw["released_at"] is not None,
            processing=raw["processing"]["state"],
            refused=None if refused is None else refused["detail"],
            download_url=raw["download_url"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A described educational thing with its versions, the newest first. ``url`` is its page."""

    id: str
    url: str
    title: str
    visibility: str
    licence: str | None
    canonical_url: str | None
    versions: tuple[Version, ...]
    raw: Mapping[str, Any]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """From JSON."""
        return cls(
            id=raw["id"],
            url=raw["url"],
            title=raw["title"],
            visibility=raw["visibility"],
            licence=raw["licence"],
            canonical_url=raw["canonical_url"],
            versions=tuple(Version.of(version) for version in raw["versions"]),
            raw=raw,
        )

    @property
    def newest(self) -> Version:
        """The newest version that the asker may see."""
        return self.versions[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook; ``secret`` is there when it was just made, and never again."""

    id: str
    url: str
    events: tuple[str, ...]
    state: str
    secret: str | None

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """From JSON."""
        return cls(
            id=raw["id"],
            url=raw["url"],
            events=tuple(raw["events"]),
            state=raw["state"],
            secret=raw.get("secret"),
        )
