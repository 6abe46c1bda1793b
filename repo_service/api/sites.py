"""Sites and apps from elsewhere: which act for me, and which people can connect at all."""

from __future__ import annotations

from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from repo_service.api import operations
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import (
    ConnectedSiteOut,
    ConnectedSitesOut,
    SiteChangeIn,
    SiteOut,
    SitePageOut,
    SiteQueryIn,
)
from repo_service.domain.identity import ClientState
from repo_service.http.context import identity, services

blueprint = APIBlueprint("sites", __name__, url_prefix="/api/v1", tag="Connected sites")

_REFUSED = ("forbidden", "insufficient-scope")


@blueprint.get("/me/sites")
@blueprint.output(ConnectedSitesOut)
@blueprint.doc(operation_id="listConnectedSites", security=operations.BEARER, responses=problems(*_REFUSED))
def connected() -> Response:
    """The sites and apps that act for me"""
    found = services().grants.connected(identity())
    return answer(ConnectedSitesOut(items=[ConnectedSiteOut.model_validate(site) for site in found]))


@blueprint.delete("/me/sites/<uuid:client_id>")
@blueprint.output({}, status_code=204)
@blueprint.doc(operation_id="disconnectSite", security=operations.BEARER, responses=problems(*_REFUSED))
def disconnect(client_id: UUID) -> Response:
    """Disconnect a site or app from my account at once"""
    services().grants.disconnect(identity(), client_id)
    return Response(status=204)


@blueprint.get("/sites")
@blueprint.input(SiteQueryIn, location="query", arg_name="query")
@blueprint.output(SitePageOut)
@blueprint.doc(
    operation_id="listSites",
    security=operations.BEARER,
    responses=problems("invalid-cursor", "invalid-input", *_REFUSED),
)
def sites(query: SiteQueryIn) -> Response:
    """Every site and app that people can connect, or that wants to be, newest first (administrators)"""
    page = services().clients.list(identity(), limit=query.limit, cursor=query.cursor, state=query.state)
    return answer(
        SitePageOut(items=[SiteOut.model_validate(site) for site in page.items], next_cursor=page.next_cursor)
    )


@blueprint.get("/sites/<uuid:client_id>")
@blueprint.output(SiteOut)
@blueprint.doc(operation_id="getSite", security=operations.BEARER, responses=problems(*_REFUSED))
def site(client_id: UUID) -> Response:
    """One site or app (administrators)"""
    return answer(SiteOut.model_validate(services().clients.get(identity(), client_id)))


@blueprint.patch("/sites/<uuid:client_id>")
@blueprint.input(SiteChangeIn, location="json", arg_name="given")
@blueprint.output(SiteOut)
@blueprint.doc(
    operation_id="decideSite",
    security=operations.BEARER,
    responses=problems(*operations.JSON_BODY, *_REFUSED),
)
def decide(client_id: UUID, given: SiteChangeIn) -> Response:
    """Approve, decline or disable a site or app (administrators)"""
    record = services().clients.decide(identity(), client_id, ClientState(given.state))
    return answer(SiteOut.model_validate(record))
