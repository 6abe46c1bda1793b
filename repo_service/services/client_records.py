"""Clients as the use cases give them back."""

from __future__ import annotations

from repo_service.domain.identity import AuthMethod, ClientState, GrantType, Scope
from repo_service.models import Client
from repo_service.services.records import ClientRecord


def client_record(client: Client) -> ClientRecord:
    """The client without its secret."""
    return ClientRecord(
        id=client.id,
        name=client.name,
        kind=client.kind,
        account_id=client.account_id,
        state=ClientState.DISABLED if client.disabled_at else ClientState(client.approval),
        auth_method=None if client.auth_method is None else AuthMethod(client.auth_method),
        redirect_uris=tuple(client.redirect_uris),
        grant_types=frozenset(map(GrantType, client.grant_types)),
        scopes=tuple(map(Scope, client.scopes)),
        client_uri=client.client_uri,
        software_id=client.software_id,
        software_version=client.software_version,
        registered_from=client.registered_from,
        decided_by=client.decided_by,
        decided_at=client.decided_at,
        authorised_at=client.authorised_at,
        disabled_at=client.disabled_at,
        quota=client.quota,
        created_at=client.created_at,
    )
