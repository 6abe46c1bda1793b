"""Connected sites: which may act for me, and, for administrators, which people can connect at all."""

from __future__ import annotations

from uuid import UUID

from flask import Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import InvalidInput
from repo_service.domain.identity import ClientState, Scope
from repo_service.domain.redirects import host_of
from repo_service.domain.texts import text
from repo_service.http.context import identity, services
from repo_service.services.accounts import require_scope
from repo_service.web.authorising import SCOPES_IN_WORDS
from repo_service.web.blueprint import blueprint
from repo_service.web.fields import line_field
from repo_service.web.rendering import page
from repo_service.web.signing import for_the_signed_in
from repo_service.web.sizes import parse_size

_A_PAGE = 50

_DEEDS = {
    ClientState.PENDING: (ClientState.APPROVED, ClientState.DECLINED),
    ClientState.APPROVED: (ClientState.DISABLED,),
    ClientState.DECLINED: (ClientState.APPROVED,),
    ClientState.DISABLED: (ClientState.APPROVED,),
}
"""What can be done about a site, by the state it is in."""

_ORDERS = {
    ClientState.APPROVED: text("Approve"),
    ClientState.DECLINED: text("Decline"),
    ClientState.DISABLED: text("Disable"),
}
_STATES = {
    ClientState.PENDING: text("waits for an administrator"),
    ClientState.APPROVED: text("approved"),
    ClientState.DECLINED: text("declined"),
    ClientState.DISABLED: text("disabled"),
}

_NO_SIZE = text("Type a size such as 500 MB or 20 GB, or leave it empty.")


@blueprint.get("/mine/sites")
@for_the_signed_in
def connected_sites() -> Response:
    """The sites and apps that may act for me."""
    sites = services().grants.connected(identity())
    return page("connected_sites.html", sites=sites, words=SCOPES_IN_WORDS)


@blueprint.post("/mine/sites/<uuid:client_id>/disconnect")
@for_the_signed_in
def disconnect_site(client_id: UUID) -> AnyResponse:
    """End what one of them may do."""
    services().grants.disconnect(identity(), client_id)
    return redirect(url_for("web.connected_sites"), 303)


@blueprint.get("/mine/sites/<uuid:client_id>/disconnect")
@for_the_signed_in
def back_to_connected_sites(client_id: UUID) -> AnyResponse:
    """After a refusal this stands in the address bar, and Enter there asks for it again."""
    return redirect(url_for("web.connected_sites"))


@blueprint.get("/admin/sites")
@for_the_signed_in
def sites() -> Response:
    """Every site and app that can be connected, or wants to be: those that wait first."""
    return _sites()


def _sites(*, status: int = 200, refusal: str = "", refused: UUID | None = None, typed: str = "") -> Response:
    who = identity()
    require_scope(who, Scope.ADMINISTER)
    cursor = request.args.get("cursor")
    clients = services().clients
    waiting = None if cursor else clients.list(who, limit=_A_PAGE, state=ClientState.PENDING)
    listed = clients.list(who, limit=_A_PAGE, cursor=cursor)
    return page(
        "sites.html",
        status=status,
        waiting=waiting,
        listed=listed,
        used={client.id: clients.used(who, client.id) for client in listed.items},
        done=text("The room is changed.") if request.args.get("done") == "quota" else "",
        refusal=refusal,
        refused=refused,
        typed=typed,
        needs_approval=clients.policy.needs_approval,
        deeds=_DEEDS,
        orders=_ORDERS,
        states=_STATES,
        host_of=host_of,
        is_first=cursor is None,
    )


@blueprint.post("/admin/sites/<uuid:client_id>")
@for_the_signed_in
def decide_site(client_id: UUID) -> AnyResponse:
    """Approve, decline or disable one."""
    wanted = request.form.get("state", "")
    if wanted not in {state.value for state in ClientState}:
        raise InvalidInput(errors=[("/state", text("Choose one of the buttons."))])
    services().clients.decide(identity(), client_id, ClientState(wanted))
    return redirect(url_for("web.sites"), 303)


@blueprint.post("/admin/sites/<uuid:client_id>/quota")
@for_the_signed_in
def limit_site(client_id: UUID) -> AnyResponse:
    """More room, or less, for all that one sends, or as much as its people have."""
    typed = line_field(request.form, "quota", limit=40)
    size = parse_size(typed)
    if typed and size is None:
        return _sites(status=422, refusal=_NO_SIZE, refused=client_id, typed=typed)
    services().clients.limit(identity(), client_id, size)
    return redirect(url_for("web.sites", done="quota"), 303)


@blueprint.get("/admin/sites/<uuid:client_id>")
@blueprint.get("/admin/sites/<uuid:client_id>/quota")
@for_the_signed_in
def back_to_sites(client_id: UUID) -> AnyResponse:
    """As ``back_to_connected_sites``."""
    return redirect(url_for("web.sites"))
