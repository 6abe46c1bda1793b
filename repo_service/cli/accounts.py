"""Accounts and tokens: people, and what callers of the API show."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import click

from repo_service.cli import leaving
from repo_service.cli.common import OPERATOR, opened, tells_errors
from repo_service.domain.identity import Role, Scope
from repo_service.languages import LANGUAGES
from repo_service.services.container import Services
from repo_service.services.people import HANDED_OVER_LASTS

_role = click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.MEMBER.value,
    show_default=True,
    help="What they may do.",
)


def _offer_password(services: Services, username: str, *, send: bool) -> None:
    url = services.people.link_for_password(OPERATOR, username, send=send)
    if url is None:
        click.echo("A letter with a link to choose a password goes there.")
    else:
        click.echo(f"To choose a password, once, within {HANDED_OVER_LASTS.days} days:\n  {url}")


@click.group()
def account() -> None:
    """Accounts: people."""


account.add_command(leaving.export_account)
account.add_command(leaving.erase_account)


@account.command("create")
@click.argument("username")
@click.option("--name", default="", help="Name shown to people.")
@click.option("--email", help="Address of the person; you vouch that it is theirs.")
@click.option("--language", type=click.Choice(list(LANGUAGES)), help="Of letters to them.")
@_role
@click.option("--quota", type=click.IntRange(min=0), help="Bytes; without it the service's default.")
@click.option("--send", is_flag=True, help="Mail the link to choose a password instead of printing it.")
@tells_errors
def create_account(
    *,
    username: str,
    name: str,
    email: str | None,
    language: str | None,
    role: str,
    quota: int | None,
    send: bool,
) -> None:
    """Make an account, and a link by which its owner chooses a password."""
    if send and email is None:
        raise click.UsageError("--send needs --email.")
    with opened() as services:
        record = services.accounts.create(
            OPERATOR,
            username=username,
            display_name=name,
            email=email,
            language=language,
            role=Role(role),
            quota=quota,
        )
        click.echo(f"{record.username} ({record.role}) is there. For programs: repo token create {username}")
        _offer_password(services, username, send=send)


@account.command("reset")
@click.argument("username")
@click.option("--send", is_flag=True, help="Mail the link instead of printing it.")
@tells_errors
def reset_password(username: str, send: bool) -> None:
    """Make a link by which somebody chooses a new password; the old one works until they do."""
    with opened() as services:
        _offer_password(services, username, send=send)


@account.command("invite")
@click.option("--email", help="Whom it is for; without it whoever has the link.")
@_role
@click.option("--send", is_flag=True, help="Mail the invitation instead of printing its link.")
@tells_errors
def invite(email: str | None, role: str, send: bool) -> None:
    """Make a link by which somebody makes an account of their own."""
    if send and email is None:
        raise click.UsageError("--send needs --email.")
    with opened() as services:
        invited = services.invitations.invite(OPERATOR, email=email, role=Role(role), send=send)
        if invited.url is None:
            click.echo(f"A letter goes to {invited.invitation.email}.")
        else:
            click.echo(f"To make an account, once, until {invited.invitation.expires_at:%Y-%m-%d}:")
            click.echo(f"  {invited.url}")


@account.command("list")
@tells_errors
def list_accounts() -> None:
    """List every account."""
    with opened() as services:
        cursor: str | None = None
        while True:
            page = services.accounts.list(OPERATOR, limit=100, cursor=cursor)
            for record in page.items:
                blocked = "  blocked" if record.blocked_at else ""
                email = f"  {record.email}" if record.email else ""
                click.echo(
                    f"{record.id}  {record.username}  {record.role}  {record.used} bytes{email}{blocked}"
                )
            if (cursor := page.next_cursor) is None:
                return


@account.command("block")
@click.argument("username")
@click.option("--undo", is_flag=True, help="Let the account in again.")
@click.option("--reason", help="Its owner gets it by letter.")
@tells_errors
def block_account(username: str, undo: bool, reason: str | None) -> None:
    """Shut an account out at once."""
    with opened() as services:
        record = services.accounts.find(OPERATOR, username)
        services.accounts.change(OPERATOR, record.id, blocked=not undo, reason=reason)
        click.echo(f"{username} is {'let in again' if undo else 'blocked'}.")


@click.group()
def token() -> None:
    """Tokens: what callers of the API show."""


@token.command("create")
@click.argument("username")
@click.option("--name", default="command line", help="What it is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="May be given several times; without it reading and writing resources.",
)
@click.option("--days", type=click.IntRange(min=1), help="Valid for so many days; without it until revoked.")
@tells_errors
def create_token(username: str, name: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Make a token for an account and print its secret once."""
    from repo_service.models.base import now

    with opened() as services:
        record = services.accounts.find(OPERATOR, username)
        issued = services.accounts.issue_token(
            OPERATOR,
            name=name,
            scopes=frozenset(map(Scope, scopes)) or frozenset({Scope.READ, Scope.WRITE}),
            expires_at=None if days is None else now() + timedelta(days=days),
            account_id=record.id,
        )
        click.echo(issued.secret)


@token.command("revoke")
@click.argument("token_id", type=click.UUID)
@tells_errors
def revoke_token(token_id: UUID) -> None:
    """Make a token worthless at once."""
    with opened() as services:
        services.accounts.revoke_token(OPERATOR, token_id)
        click.echo("The token is revoked.")
