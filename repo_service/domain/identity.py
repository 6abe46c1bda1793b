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


class AccountState(enum.StrEnum):
    """Whether an account can be used: fully, as a draft until its address is confirmed, or not at all."""

    ACTIVE = "active"
    UNCONFIRMED = "unconfirmed"
    BLOCKED = "blocked"


class Scope(enum.StrEnum):
    """What a token may be used for. A token never gives more than its account's role."""

    READ = "resources:read"
    WRITE = "resources:write"
    SHARE = "@moodlenet/ed-resource:write.own"
    """Create a draft as MoodleNet's ``/.pkg/@moodlenet/ed-resource/basic/v1/create`` does, and nothing else:
    what Moodle's "Share to MoodleNet" asks for (``moodlenet_client::API_SCOPE_CREATE_RESOURCE``)."""
    MODERATE = "moderation"
    ADMINISTER = "administration"


SCOPES_OF_SITES = (Scope.SHARE, Scope.READ, Scope.WRITE)
"""What a person can let software from elsewhere do for them, in the order in which they read it. Never more,
whatever their role: nobody moderates or administers through a Moodle."""


class ClientKind(enum.StrEnum):
    """What a piece of registered software is."""

    MOODLE = "moodle"
    MOODLENET = "moodlenet"
    OTHER = "other"


class Registration(enum.StrEnum):
    """Who may make an account: everybody, those with an invitation, or administrators alone."""

    OPEN = "open"
    INVITE = "invite"
    CLOSED = "closed"


class LinkPurpose(enum.StrEnum):
    """What a one-time link is good for, and nothing else."""

    CONFIRM = "confirm"
    RESET = "reset"
    INVITATION = "invitation"


class ClientState(enum.StrEnum):
    """Whether people can use a site or an app from here. Only the approved ones can act for anybody."""

    PENDING = "pending"
    APPROVED = "approved"
    DECLINED = "declined"
    DISABLED = "disabled"


class AuthMethod(enum.StrEnum):
    """How a client was registered to authenticate (RFC 7591, section 2: token_endpoint_auth_method)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    NONE = "none"


class GrantType(enum.StrEnum):
    """What a client may trade for an access token (RFC 6749, section 4.1 and 6)."""

    CODE = "authorization_code"
    REFRESH = "refresh_token"


SCOPES_OF_ROLE: dict[Role, frozenset[Scope]] = {
    Role.MEMBER: frozenset({Scope.READ, Scope.WRITE, Scope.SHARE}),
    Role.MODERATOR: frozenset({Scope.READ, Scope.WRITE, Scope.SHARE, Scope.MODERATE}),
    Role.ADMINISTRATOR: frozenset(Scope),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """The one who asks. ``account_id`` is None for the public; ``expires_at`` is when the token ends.

    ``grant_id`` is the consent by which a site or an app asks for somebody, None when they ask themselves.
    """

    account_id: UUID | None = None
    username: str = ""
    role: Role | None = None
    scopes: frozenset[Scope] = frozenset()
    token_id: UUID | None = None
    client_id: UUID | None = None
    expires_at: datetime | None = None
    grant_id: UUID | None = None

    @property
    def is_public(self) -> bool:
        """Whether nobody has signed in."""
        return self.account_id is None

    def has(self, scope: Scope) -> bool:
        """Whether both the token and the account's role allow ``scope``."""
        return self.role is not None and scope in self.scopes and scope in SCOPES_OF_ROLE[self.role]


PUBLIC = Identity()
