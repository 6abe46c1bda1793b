"""What roles and states of accounts are called."""

from __future__ import annotations

from collections.abc import Mapping

from repo_service.domain.identity import AccountState, Role
from repo_service.domain.texts import text

ROLE_NAMES: Mapping[Role, str] = {
    Role.MEMBER: text("Member"),
    Role.MODERATOR: text("Moderator"),
    Role.ADMINISTRATOR: text("Administrator"),
}

STATE_NAMES: Mapping[AccountState, str] = {
    AccountState.ACTIVE: text("Active"),
    AccountState.UNCONFIRMED: text("Address not confirmed"),
    AccountState.BLOCKED: text("Blocked"),
}
