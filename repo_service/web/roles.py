"""What roles are called."""

from __future__ import annotations

from collections.abc import Mapping

from repo_service.domain.identity import Role
from repo_service.domain.texts import text

ROLE_NAMES: Mapping[Role, str] = {
    Role.MEMBER: text("Member"),
    Role.MODERATOR: text("Moderator"),
    Role.ADMINISTRATOR: text("Administrator"),
}
