"""Accounts, tokens, clients and the audit trail."""

from __future__ import annotations

from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from repo_service.api import operations
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import (
    AccountChangeIn,
    AccountIn,
    AccountOut,
    AccountPageOut,
    AccountsQueryIn,
    AuditEntryOut,
    AuditPageOut,
    AuditQueryIn,
    ClientIn,
    ClientOut,
    ClientsOut,
    InvitationIn,
    InvitationOut,
    InvitationsOut,
    InvitedOut,
    IssuedTokenOut,
    TokenIn,
    TokenOut,
    TokensOut,
)
from repo_service.http.context import identity, services

blueprint = APIBlueprint("accounts", __name__, url_prefix="/api/v1", tag="Accounts")

_REFUSED = ("forbidden", "insufficient-scope")
_CHECKED = (*operations.JSON_BODY, *_REFUSED)


@blueprint.get("/me")
@blueprint.output(AccountOut)
@blueprint.doc(operation_id="getOwnAccount", security=operations.BEARER, responses=problems(*_REFUSED))
def me() -> Response:
    """My account"""
    return answer(AccountOut.model_validate(services().accounts.own(identity())))


@blueprint.get("/me/tokens")
@blueprint.output(TokensOut)
@blueprint.doc(operation_id="listTokens", security=operations.BEARER, responses=problems(*_REFUSED))
def tokens() -> Response:
    """My tokens, revoked ones included"""
    found = services().accounts.tokens(identity())
    return answer(TokensOut(items=[TokenOut.model_validate(token) for token in found]))


@blueprint.post("/me/tokens")
@blueprint.input(TokenIn, location="json", arg_name="given")
@blueprint.output(IssuedTokenOut, status_code=201)
@blueprint.doc(operation_id="issueToken", security=operations.BEARER, responses=problems(*_CHECKED))
def issue_token(given: TokenIn) -> Response:
    """Make a token

    It cannot do more than the one it is made with.
    """
    issued = services().accounts.issue_token(
        identity(),
        name=given.name,
        scopes=frozenset(given.scopes),
        expires_at=given.expires_at,
        client_id=given.client,
    )
    return answer(IssuedTokenOut.of(issued.token, issued.secret), 201)


@blueprint.delete("/me/tokens/<uuid:token_id>")
@blueprint.output({}, status_code=204)
@blueprint.doc(operation_id="revokeToken", security=operations.BEARER, responses=problems(*_REFUSED))
def revoke_token(token_id: UUID) -> Response:
    """Revoke a token at once"""
    services().accounts.revoke_token(identity(), token_id)
    return Response(status=204)


@blueprint.get("/me/clients")
@blueprint.output(ClientsOut)
@blueprint.doc(operation_id="listClients", security=operations.BEARER, responses=problems(*_REFUSED))
def clients() -> Response:
    """My registered software"""
    found = services().accounts.clients(identity())
    return answer(ClientsOut(items=[ClientOut.model_validate(client) for client in found]))


@blueprint.post("/me/clients")
@blueprint.input(ClientIn, location="json", arg_name="given")
@blueprint.output(ClientOut, status_code=201)
@blueprint.doc(operation_id="registerClient", security=operations.BEARER, responses=problems(*_CHECKED))
def register_client(given: ClientIn) -> Response:
    """Register software that acts for me"""
    client = services().accounts.register_client(identity(), name=given.name, kind=given.kind)
    return answer(ClientOut.model_validate(client), 201)


@blueprint.delete("/me/clients/<uuid:client_id>")
@blueprint.output({}, status_code=204)
@blueprint.doc(operation_id="disableClient", security=operations.BEARER, responses=problems(*_REFUSED))
def disable_client(client_id: UUID) -> Response:
    """Shut software out: its tokens stop working at once"""
    services().accounts.disable_client(identity(), client_id)
    return Response(status=204)


@blueprint.get("/accounts")
@blueprint.input(AccountsQueryIn, location="query", arg_name="query")
@blueprint.output(AccountPageOut)
@blueprint.doc(
    operation_id="listAccounts",
    security=operations.BEARER,
    responses=problems("invalid-cursor", "invalid-input", *_REFUSED),
)
def accounts(query: AccountsQueryIn) -> Response:
    """Every account, oldest first (administrators)"""
    page = services().accounts.list(
        identity(),
        limit=query.limit,
        cursor=query.cursor,
        words=query.q,
        role=query.role,
        state=query.state,
    )
    return answer(
        AccountPageOut(
            items=[AccountOut.model_validate(account) for account in page.items],
            next_cursor=page.next_cursor,
        )
    )


@blueprint.post("/accounts")
@blueprint.input(AccountIn, location="json", arg_name="given")
@blueprint.output(AccountOut, status_code=201)
@blueprint.doc(
    operation_id="createAccount", security=operations.BEARER, responses=problems("name-taken", *_CHECKED)
)
def create_account(given: AccountIn) -> Response:
    """Make an account (administrators)"""
    record = services().accounts.create(
        identity(),
        username=given.username,
        display_name=given.display_name,
        email=given.email,
        language=given.language,
        role=given.role,
        quota=given.quota,
    )
    if given.send_link:
        services().people.link_for_password(identity(), record.username, send=True)
    return answer(AccountOut.model_validate(record), 201)


@blueprint.get("/accounts/<uuid:account_id>")
@blueprint.output(AccountOut)
@blueprint.doc(operation_id="getAccount", security=operations.BEARER, responses=problems(*_REFUSED))
def get_account(account_id: UUID) -> Response:
    """One account: one's own, or any (administrators)"""
    return answer(AccountOut.model_validate(services().accounts.get(identity(), account_id)))


@blueprint.patch("/accounts/<uuid:account_id>")
@blueprint.input(AccountChangeIn, location="json", arg_name="given")
@blueprint.output(AccountOut)
@blueprint.doc(
    operation_id="changeAccount", security=operations.BEARER, responses=problems("name-taken", *_CHECKED)
)
def change_account(account_id: UUID, given: AccountChangeIn) -> Response:
    """Change role, quota, name, address or language, or block an account (administrators)"""
    record = services().accounts.change(
        identity(),
        account_id,
        display_name=given.display_name,
        email=given.email,
        language=given.language,
        role=given.role,
        quota=given.quota,
        default_quota=given.default_quota,
        blocked=given.blocked,
        reason=given.blocked_reason,
    )
    return answer(AccountOut.model_validate(record))


@blueprint.get("/invitations")
@blueprint.output(InvitationsOut)
@blueprint.doc(operation_id="listInvitations", security=operations.BEARER, responses=problems(*_REFUSED))
def invitations() -> Response:
    """The newest invitations, used and expired ones included (administrators)"""
    found = services().invitations.list(identity())
    return answer(InvitationsOut(items=[InvitationOut.model_validate(record) for record in found]))


@blueprint.post("/invitations")
@blueprint.input(InvitationIn, location="json", arg_name="given")
@blueprint.output(InvitedOut, status_code=201)
@blueprint.doc(operation_id="invite", security=operations.BEARER, responses=problems("name-taken", *_CHECKED))
def invite(given: InvitationIn) -> Response:
    """Invite somebody (administrators)"""
    invited = services().invitations.invite(
        identity(), email=given.email, role=given.role, send=given.send and given.email is not None
    )
    return answer(InvitedOut.of(invited.invitation, invited.url), 201)


@blueprint.delete("/invitations/<uuid:invitation_id>")
@blueprint.output({}, status_code=204)
@blueprint.doc(operation_id="revokeInvitation", security=operations.BEARER, responses=problems(*_REFUSED))
def revoke_invitation(invitation_id: UUID) -> Response:
    """Take an invitation back (administrators)"""
    services().invitations.revoke(identity(), invitation_id)
    return Response(status=204)


@blueprint.get("/audit")
@blueprint.input(AuditQueryIn, location="query", arg_name="query")
@blueprint.output(AuditPageOut)
@blueprint.doc(
    operation_id="listAudit",
    security=operations.BEARER,
    responses=problems("invalid-cursor", "invalid-input", *_REFUSED),
)
def audit(query: AuditQueryIn) -> Response:
    """Who did what, newest first (moderators)"""
    page = services().audit_trail.search(
        identity(),
        limit=query.limit,
        cursor=query.cursor,
        by=query.by,
        action=query.action,
        noun=query.noun,
        noun_id=query.noun_id,
        since=query.since,
        until=query.until,
    )
    return answer(
        AuditPageOut(
            items=[AuditEntryOut.model_validate(entry) for entry in page.items], next_cursor=page.next_cursor
        )
    )
