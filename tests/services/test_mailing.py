"""Letters on their way: to a real SMTP server, with TLS and without, and into the log."""

from __future__ import annotations

import ssl
from dataclasses import replace
from email.headerregistry import Address
from pathlib import Path
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from repo_service.domain.texts import Text, recognised
from repo_service.services.mailing import (
    REASONS,
    Letter,
    LogMailer,
    MailRefused,
    MailUnavailable,
    SmtpMailer,
    SmtpServer,
    open_mailer,
    parse_sender,
    parse_smtp_url,
)
from tests.support.mail import PASSWORD, USERNAME, Mailbox, certified, smtp_server
from tests.support.services import free_port

LETTER = Letter(
    to="ada@example.org", subject="Grüße", text="Hello,\n\nÄpfel and a very long line: " + "x" * 300 + "\n"
)
FROM = "The repository <repo@example.org>"
LOGIN = f"{quote(USERNAME, safe='')}:{quote(PASSWORD, safe='')}"


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's context with a certificate that this process trusts."""
    authority, context = certified()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return context


def _assert_arrived(box: Mailbox) -> None:
    (letter,) = box.letters
    assert letter["Subject"] == LETTER.subject
    assert letter["To"] == LETTER.to
    assert letter["From"] == FROM
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Content-Language"] == "en"
    assert str(letter["Message-ID"]).endswith("@example.org>")
    assert letter["Date"] is not None
    assert letter.get_content_type() == "text/plain"
    assert letter.get_content().replace("\r\n", "\n") == LETTER.text
    (envelope,) = box.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("repo@example.org", [LETTER.to])


@pytest.mark.parametrize(("tls", "scheme"), [("starttls", "smtp"), ("implicit", "smtps")])
def test_with_tls_and_a_password(trusted: ssl.SSLContext, tls: str, scheme: str) -> None:
    with smtp_server(tls=tls, context=trusted) as box:
        mailer = open_mailer(f"{scheme}://{LOGIN}@127.0.0.1:{box.port}", mail_from=FROM)
        mailer.send(LETTER)
    _assert_arrived(box)
    assert box.encrypted == [True]
    assert box.signed_in == [True]


def test_without_tls_where_that_is_meant(mailbox: Mailbox) -> None:
    open_mailer(mailbox.url, mail_from=FROM).send(LETTER)
    _assert_arrived(mailbox)


def test_a_wrong_password_is_for_the_operators(trusted: ssl.SSLContext) -> None:
    with smtp_server(tls="starttls", context=trusted) as box:
        mailer = open_mailer(f"smtp://{quote(USERNAME)}:wrong@127.0.0.1:{box.port}", mail_from=FROM)
        with pytest.raises(MailUnavailable, match="535"):
            mailer.send(LETTER)
    assert box.envelopes == []


@pytest.mark.parametrize(("tls", "scheme"), [("starttls", "smtp"), ("implicit", "smtps")])
def test_a_certificate_that_nobody_vouches_for_is_not_taken(tls: str, scheme: str) -> None:
    _, context = certified()
    with smtp_server(tls=tls, context=context) as box:
        mailer = open_mailer(f"{scheme}://{LOGIN}@127.0.0.1:{box.port}", mail_from=FROM)
        with pytest.raises(MailUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            mailer.send(LETTER)
    assert box.envelopes == []


def test_a_server_without_starttls_gets_nothing(mailbox: Mailbox) -> None:
    """Somebody between us and the server may have taken the offer of TLS out."""
    mailer = open_mailer(f"smtp://{LOGIN}@127.0.0.1:{mailbox.port}", mail_from=FROM)
    with pytest.raises(MailUnavailable):
        mailer.send(LETTER)
    assert mailbox.envelopes == []


def test_nobody_listens() -> None:
    with pytest.raises(MailUnavailable):
        open_mailer(f"smtp://127.0.0.1:{free_port()}?tls=none", mail_from=FROM).send(LETTER)


@pytest.mark.parametrize(
    ("where", "answer", "error"),
    [
        (LETTER.to, "550 no such mailbox", MailRefused),
        (LETTER.to, "450 greylisted", MailUnavailable),
        ("DATA", "554 not for us", MailRefused),
        ("DATA", "451 full", MailUnavailable),
    ],
)
def test_what_the_server_will_never_take_is_told_from_what_it_will_later(
    mailbox: Mailbox, where: str, answer: str, error: type[Exception]
) -> None:
    mailbox.answers[where] = answer
    with pytest.raises(error, match=answer[:3]) as told:
        open_mailer(mailbox.url, mail_from=FROM).send(LETTER)
    assert isinstance(recognised(str(told.value), REASONS), Text)


@pytest.mark.parametrize("where", ["to", "subject"])
@pytest.mark.parametrize("evil", ["\r\nBcc: all@example.org", "\nBcc: all@example.org", "\r.\r"])
def test_no_line_break_becomes_a_header(mailbox: Mailbox, where: str, evil: str) -> None:
    values = {"to": "ada@example.org", "subject": "S", "text": "T\n"}
    values[where] += evil
    with pytest.raises((ValueError, MailUnavailable)):
        open_mailer(mailbox.url, mail_from=FROM).send(Letter(**values))
    assert mailbox.envelopes == []


def test_a_dot_alone_in_a_line_does_not_end_the_letter(mailbox: Mailbox) -> None:
    text = "one\n.\nRCPT TO:<all@example.org>\n"
    open_mailer(mailbox.url, mail_from=FROM).send(Letter(to="ada@example.org", subject="S", text=text))
    assert mailbox.letters[0].get_content().replace("\r\n", "\n") == text


def test_without_a_server_the_letter_is_in_the_log() -> None:
    mailer = open_mailer("", mail_from="")
    assert isinstance(mailer, LogMailer)
    with capture_logs() as lines:
        mailer.send(replace(LETTER, link="https://repo.example/x"))
    (line,) = lines
    assert line["link"] == "https://repo.example/x"
    assert line["log_level"] == "warning"
    assert "REPO_SMTP_URL is not set" in line["event"]
    assert (line["to"], line["subject"], line["text"]) == (LETTER.to, LETTER.subject, LETTER.text)


def test_the_url_of_a_server() -> None:
    assert parse_smtp_url(f"smtp://{LOGIN}@mail.example.org") == SmtpServer(
        host="mail.example.org", port=587, tls="starttls", username=USERNAME, password=PASSWORD
    )
    assert parse_smtp_url("smtps://mail.example.org").port == 465
    assert parse_smtp_url("smtp://relay:25?tls=none").tls == "none"


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org:587",
        "http://mail.example.org",
        "smtp://",
        "smtp://user:secret/x@host",
        "smtp://user:sec#ret@host",
        "smtp://user:secr%C3%A9t@host",
        "smtp://host:port",
        "smtp://host?tls=maybe",
        "smtp://host?starttls=no",
        "smtps://host?tls=none",
        "smtp://user:secret@host?tls=none",
    ],
)
def test_an_url_that_is_none_is_refused_and_shows_no_secret(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as told:
        parse_smtp_url(url)
    assert "secret" not in str(told.value).replace("in the password", "")


def test_senders() -> None:
    assert parse_sender("repo@example.org") == Address(addr_spec="repo@example.org")
    assert parse_sender(FROM).display_name == "The repository"
    for wrong in ("", "The repository", "a@b\r\nBcc: c@d", "@example.org", "repo@"):
        with pytest.raises(ValueError, match="address"):
            parse_sender(wrong)
    assert isinstance(open_mailer("smtp://host", mail_from=FROM), SmtpMailer)
