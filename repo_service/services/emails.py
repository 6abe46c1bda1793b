"""E-mail addresses: one way to write each."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

from repo_service.domain.errors import InvalidInput
from repo_service.domain.texts import text
from repo_service.models.account import EMAIL_LENGTH

_WRONG = text("This is no e-mail address that letters can be sent to: it looks like ada@example.org.")


def normalise_email(address: str, *, pointer: str = "/email") -> str:
    """``address`` in small letters, its domain in ASCII (RFC 5891): two that reach one person are equal.

    Nothing is asked of the network. Raises InvalidInput.
    """
    try:
        found = validate_email(
            address.strip(),
            check_deliverability=False,
            allow_smtputf8=False,
            globally_deliverable=False,  # schools have networks of their own
        ).ascii_email
    except EmailNotValidError as error:
        raise InvalidInput(_WRONG, errors=[(pointer, _WRONG)]) from error
    if found is None or len(found) > EMAIL_LENGTH:
        raise InvalidInput(_WRONG, errors=[(pointer, _WRONG)])
    return found.lower()
