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
    SiteUsageOut,
)
from repo_service.domain.identity import ClientState
from repo_service.http.context import identity, services
from repo_service.services.records import ClientRecord

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
@blueprint.output(SiteUsageOut)
@blueprint.doc(operation_id="getSite", security=operations.BEARER, responses=problems(*_REFUSED))
def site(client_id: UUID) -> Response:
    """One site or app (administrators)"""
    return answer(_with_usage(services().clients.get(identity(), client_id)))


@blueprint.patch("/sites/<uuid:client_id>")
@blueprint.input(SiteChangeIn, location="json", arg_name="given")
@blueprint.output(SiteUsageOut)
@blueprint.doc(
    operation_id="decideSite",
    security=operations.BEARER,
    responses=problems(*operations.JSON_BODY, *_REFUSED),
)
def decide(client_id: UUID, given: SiteChangeIn) -> Response:
    """Approve, decline or disable a site or app, or say how much may be kept of what it sends
    (administrators)"""
    record = services().clients.get(identity(), client_id)
    if given.state is not None:
        record = services().clients.decide(identity(), client_id, ClientState(given.state))
    if "quota" in given.model_fields_set:
        record = services().clients.limit(identity(), client_id, given.quota)
    return answer(_with_usage(record))


def _with_usage(record: ClientRecord) -> SiteUsageOut:
    used = services().clients.used(identity(), record.id)
    return SiteUsageOut(used=used, **SiteOut.model_validate(record).model_dump())
