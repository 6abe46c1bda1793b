"""Who asks: accounts with a role, tokens with scopes, or nobody."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


class Role(enum.StrEnum):
    """What an account may do beyond looking after its own resources."""

    MEMBER = "member"
    MODERATOR = "moderator"
    ADMINISTRATOR = "administrator"


class Scope(enum.StrEnum):
    """What a token may be used for. A token never gives more than its account's role."""

    SHARE = "@moodlenet/ed-resource:write.own"  # MoodleNet's name: Moodle asks for it
    READ = "resources:read"
    WRITE = "resources:write"
    MODERATE = "moderation"
    ADMINISTER = "administration"


class ClientKind(enum.StrEnum):
    """What a piece of registered software is."""

    MOODLE = "moodle"
    MOODLENET = "moodlenet"
    OTHER = "other"


SCOPES_OF_ROLE: dict[Role, frozenset[Scope]] = {
    Role.MEMBER: frozenset({Scope.SHARE, Scope.READ, Scope.WRITE}),
    Role.MODERATOR: frozenset({Scope.SHARE, Scope.READ, Scope.WRITE, Scope.MODERATE}),
    Role.ADMINISTRATOR: frozenset(Scope),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """The one who asks. ``account_id`` is None for the public; ``expires_at`` is when the token ends."""

    account_id: UUID | None = None
    username: str = ""
    role: Role | None = None
    scopes: frozenset[Scope] = frozenset()
    token_id: UUID | None = None
    client_id: UUID | None = None
    expires_at: datetime | None = None

    @property
    def is_public(self) -> bool:
        """Whether nobody has signed in."""
        return self.account_id is None

    def has(self, scope: Scope) -> bool:
        """Whether both the token and the account's role allow ``scope``."""
        return self.role is not None and scope in self.scopes and scope in SCOPES_OF_ROLE[self.role]


PUBLIC = Identity()
