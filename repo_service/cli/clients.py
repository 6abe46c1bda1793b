"""Sites and apps that people can connect with their accounts."""

from __future__ import annotations

from uuid import UUID

import click

from repo_service.cli.common import OPERATOR, opened, tells_errors
from repo_service.domain.identity import SCOPES_OF_SITES, AuthMethod, ClientState, GrantType, Scope


@click.group()
def clients() -> None:
    """Sites and apps that people can connect with their accounts (OAuth)."""


@clients.command("list")
@click.option("--state", type=click.Choice([state.value for state in ClientState]), help="Only those.")
@tells_errors
def list_clients(state: str | None) -> None:
    """List them, newest first: where they send people back to, and what they say of themselves."""
    with opened() as services:
        cursor: str | None = None
        while True:
            page = services.clients.list(
                OPERATOR, limit=100, cursor=cursor, state=None if state is None else ClientState(state)
            )
            for client in page.items:
                click.echo(f"{client.id}  {client.state}  {' '.join(client.redirect_uris)}  {client.name!r}")
            if (cursor := page.next_cursor) is None:
                return


@clients.command("approve")
@click.argument("client_id", type=click.UUID)
@tells_errors
def approve_client(client_id: UUID) -> None:
    """Let people connect it, at once."""
    _decide(client_id, ClientState.APPROVED)


@clients.command("decline")
@click.argument("client_id", type=click.UUID)
@tells_errors
def decline_client(client_id: UUID) -> None:
    """Do not let people connect it."""
    _decide(client_id, ClientState.DECLINED)


@clients.command("disable")
@click.argument("client_id", type=click.UUID)
@tells_errors
def disable_client(client_id: UUID) -> None:
    """Shut it out at once: all that people let it do ends."""
    _decide(client_id, ClientState.DISABLED)


@clients.command("add")
@click.argument("redirect_uris", nargs=-1, required=True)
@click.option("--name", default="", help="Shown to administrators; without it the host.")
@click.option("--public", is_flag=True, help="An app that can keep no secret: it gets none, and needs PKCE.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in SCOPES_OF_SITES]),
    help="May be given several times; without it all of them.",
)
@tells_errors
def add_client(redirect_uris: tuple[str, ...], name: str, public: bool, scopes: tuple[str, ...]) -> None:
    """Add one that does not register itself, and print its id and, once, its secret.

    A Moodle sends people back to its address with /admin/oauth2callback.php at the end.
    """
    from repo_service.services.clients import ClientMetadata

    with opened() as services:
        made = services.clients.add(
            OPERATOR,
            ClientMetadata(
                redirect_uris=redirect_uris,
                name=name,
                auth_method=AuthMethod.NONE if public else AuthMethod.BASIC,
                grant_types=frozenset(GrantType),
                scopes=frozenset(map(Scope, scopes)) or frozenset(SCOPES_OF_SITES),
            ),
        )
        click.echo(f"client id      {made.client.id}")
        if made.secret is not None:
            click.echo(f"client secret  {made.secret}")


def _decide(client_id: UUID, state: ClientState) -> None:
    with opened() as services:
        client = services.clients.decide(OPERATOR, client_id, state)
        click.echo(f"{client.redirect_uris[0]} is {client.state}.")
