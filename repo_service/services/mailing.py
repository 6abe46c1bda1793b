"""Sending letters: through an SMTP server, or into the log where there is none."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid, parseaddr
from enum import Enum, auto
from typing import Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import structlog

from repo_service.domain.texts import Text, text
from repo_service.languages import SOURCE

_TIMEOUT_SECONDS = 30
_PORTS = {"smtp": 587, "smtps": 465}
_PERMANENT = 500
"""Replies from here on are final (RFC 5321, section 4.2.1)."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Plain text for one address. ``link`` is the one that it is about, if any; ``language`` (BCP 47) that of
    the text."""

    to: str
    subject: str
    text: str
    link: str | None = None
    language: str = SOURCE


class MailRefused(Exception):
    """The server will never take this letter: there is no such mailbox, or not for us."""


class MailUnavailable(Exception):
    """The server cannot be spoken to now, or not as it is set up: the letter can go later."""


class Mailer(Protocol):
    """Whoever carries letters."""

    def send(self, letter: Letter) -> None:
        """Hand a letter over. Raises MailRefused, MailUnavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where to hand letters over. ``tls`` is ``starttls``, ``implicit`` (RFC 8314) or ``none``."""

    host: str
    port: int
    tls: str
    username: str = ""
    password: str = ""


def parse_smtp_url(url: str) -> SmtpServer:
    """The server of ``smtp://user:password@host:587`` (STARTTLS) or ``smtps://…`` (TLS from the first byte).

    ``?tls=none`` is for a relay in the same network, and sends no password. Parts are percent-encoded.
    Raises ValueError, whose message shows nothing of the URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError("begins with smtp:// or smtps://")
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError as error:
        raise ValueError(
            "the port is no number; a / or @ in the password is written as %2F or %40"
        ) from error
    if not parts.hostname or parts.path.strip("/") or parts.fragment:
        raise ValueError("is smtp://user:password@host:port; a / or # in the password is written %2F or %23")
    query = parse_qs(parts.query, keep_blank_values=True)
    tls = "implicit" if parts.scheme == "smtps" else "starttls"
    if query:
        if query != {"tls": ["none"]} or tls == "implicit":
            raise ValueError("takes no option but ?tls=none, and that with smtp:// only")
        tls = "none"
    if tls == "none" and parts.username:
        raise ValueError("sends no password without TLS: leave ?tls=none or the user name away")
    if not unquote(parts.netloc).isascii():
        raise ValueError("has ASCII characters only in its user name and password: smtplib sends no others")
    return SmtpServer(
        host=parts.hostname,
        port=port,
        tls=tls,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def parse_sender(text: str) -> Address:
    """``Name <address>`` or an address alone. Raises ValueError."""
    name, address = parseaddr(text)
    try:
        found = Address(display_name=name, addr_spec=address)
    except (HeaderParseError, ValueError, IndexError) as error:
        raise ValueError("is an address, or Name <address>") from error
    if not found.domain or not found.username or not text.isprintable():
        raise ValueError("is an address, or Name <address>")
    return found


class SmtpMailer:
    """Sends through a server, whose certificate is verified against the machine's authorities."""

    def __init__(self, server: SmtpServer, *, sender: Address) -> None:
        self._server = server
        self._sender = sender

    def send(self, letter: Letter) -> None:
        """One connection a letter: there are few of them."""
        message = self._message(letter)
        try:
            with self._connection() as connection:
                connection.send_message(message, self._sender.addr_spec, [letter.to])
        except smtplib.SMTPRecipientsRefused as error:
            ((code, _reply),) = error.recipients.values()
            raise _refusal(code, _Refused.ADDRESS) from error
        except smtplib.SMTPDataError as error:
            raise _refusal(error.smtp_code, _Refused.LETTER) from error
        except smtplib.SMTPResponseException as error:  # our user name, our sender: for the operators
            raise MailUnavailable(_answers(str(error.smtp_code))) from error
        except (smtplib.SMTPException, OSError) as error:  # TLS errors are OSErrors
            raise MailUnavailable(_is_unusable(str(error))) from error

    def _connection(self) -> smtplib.SMTP:
        server = self._server
        if server.tls == "implicit":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=_TIMEOUT_SECONDS, context=ssl.create_default_context()
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT_SECONDS)
        try:
            if server.tls == "starttls":
                connection.starttls(context=ssl.create_default_context())
            if server.username:
                connection.login(server.username, server.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        message["To"] = Address(addr_spec=letter.to)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = make_msgid(domain=self._sender.domain)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5: no holiday replies, please
        message.set_content(letter.text, cte="quoted-printable" if not letter.text.isascii() else None)
        message["Content-Language"] = letter.language  # RFC 3282; set_content() begins its headers anew
        return message


class LogMailer:
    """Writes letters to the log: for trying things out, and for who reads the log anyway."""

    def send(self, letter: Letter) -> None:
        """One line of the log, which says that it went nowhere else."""
        log.warning(
            "a letter for you to pass on: REPO_SMTP_URL is not set, so nothing was mailed",
            to=letter.to,
            subject=letter.subject,
            link=letter.link,
            text=letter.text,
        )


def open_mailer(smtp_url: str, *, mail_from: str) -> Mailer:
    """The mailer of these settings. Raises ValueError."""
    if not smtp_url:
        return LogMailer()
    return SmtpMailer(parse_smtp_url(smtp_url), sender=parse_sender(mail_from))


class _Refused(Enum):
    ADDRESS = auto()
    LETTER = auto()


def _refusal(code: int, what: _Refused) -> MailRefused | MailUnavailable:
    if code >= _PERMANENT:
        return MailRefused(_FOR_GOOD[what](str(code)))
    return MailUnavailable(_FOR_NOW[what](str(code)))


# What is said of it. Codes are those of the server's reply.

_FOR_GOOD: Final[Mapping[_Refused, Callable[[str], Text]]] = {
    _Refused.ADDRESS: lambda code: text("The mail server does not take the address (%(code)s).", code=code),
    _Refused.LETTER: lambda code: text("The mail server does not take the letter (%(code)s).", code=code),
}
_FOR_NOW: Final[Mapping[_Refused, Callable[[str], Text]]] = {
    _Refused.ADDRESS: lambda code: text(
        "The mail server does not take the address now (%(code)s).", code=code
    ),
    _Refused.LETTER: lambda code: text("The mail server does not take the letter now (%(code)s).", code=code),
}


def _answers(code: str) -> Text:
    return text("The mail server answers %(code)s to us.", code=code)


def _is_unusable(error: str) -> Text:
    return text("The mail server cannot be used: %(error)s", error=error)


REASONS: Final = tuple(made("") for made in (*_FOR_GOOD.values(), *_FOR_NOW.values(), _answers, _is_unusable))
"""All that is said of letters that were not taken, to recognise it where it was stored."""
