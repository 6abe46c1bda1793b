"""Will it restore? ``…/compatibility`` of a version, and the profiles of one's sites to ask with."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from repo_service.api import operations
from repo_service.api.compatibility_schemas import (
    CompatibilityOut,
    CompatibilityQueryIn,
    SiteProfileIn,
    SiteProfileOut,
    SiteProfilesOut,
)
from repo_service.api.operations import answer, problems
from repo_service.backups.sites import SiteProfile
from repo_service.http.context import identity, services, site

blueprint = APIBlueprint("compatibility", __name__, url_prefix="/api/v1", tag="Compatibility")

_REFUSED = ("forbidden", "insufficient-scope")
_CHECKED = (*operations.JSON_BODY, *_REFUSED)


@blueprint.get("/resources/<uuid:resource_id>/versions/<version:number>/compatibility")
@blueprint.input(CompatibilityQueryIn, location="query", arg_name="query")
@blueprint.output(CompatibilityOut)
@blueprint.doc(
    operation_id="getCompatibility",
    security=operations.PUBLIC,
    responses=problems(
        "gone", "not-inspected", "invalid-file", "not-a-backup", "invalid-input", "insufficient-scope"
    ),
)
def compatibility(resource_id: UUID, number: int, query: CompatibilityQueryIn) -> Response:
    """Whether a version restores on a site

    Errors and warnings are those that Moodle's own pre-check gives; losses are what it leaves out without
    a word. Describe the site here, or name a profile of yours.
    """
    judged = services().judge.judge(identity(), resource_id, number, site=_site(query))
    return answer(CompatibilityOut.model_validate(judged))


@blueprint.get("/me/site-profiles")
@blueprint.output(SiteProfilesOut)
@blueprint.doc(operation_id="listSiteProfiles", security=operations.BEARER, responses=problems(*_REFUSED))
def profiles() -> Response:
    """My sites"""
    found = services().site_profiles.list(identity())
    return answer(SiteProfilesOut(items=[SiteProfileOut.model_validate(record) for record in found]))


@blueprint.post("/me/site-profiles")
@blueprint.input(SiteProfileIn, location="json", arg_name="given")
@blueprint.output(SiteProfileOut, status_code=201)
@blueprint.doc(
    operation_id="createSiteProfile",
    security=operations.BEARER,
    responses=problems("conflict", *_CHECKED),
)
def create(given: SiteProfileIn) -> Response:
    """Describe a site of mine"""
    record = services().site_profiles.create(identity(), given.description())
    url = f"{site().base_url}/api/v1/me/site-profiles/{record.id}"
    return answer(SiteProfileOut.model_validate(record), 201, {"Location": url})


@blueprint.get("/me/site-profiles/<uuid:profile_id>")
@blueprint.output(SiteProfileOut)
@blueprint.doc(operation_id="getSiteProfile", security=operations.BEARER, responses=problems(*_REFUSED))
def get(profile_id: UUID) -> Response:
    """One of my sites"""
    return answer(SiteProfileOut.model_validate(services().site_profiles.get(identity(), profile_id)))


@blueprint.put("/me/site-profiles/<uuid:profile_id>")
@blueprint.input(SiteProfileIn, location="json", arg_name="given")
@blueprint.output(SiteProfileOut)
@blueprint.doc(operation_id="replaceSiteProfile", security=operations.BEARER, responses=problems(*_CHECKED))
def put(profile_id: UUID, given: SiteProfileIn) -> Response:
    """Describe one of my sites anew

    What is left out is as if it had never been said.
    """
    record = services().site_profiles.replace(identity(), profile_id, given.description())
    return answer(SiteProfileOut.model_validate(record))


@blueprint.delete("/me/site-profiles/<uuid:profile_id>")
@blueprint.output({}, status_code=204)
@blueprint.doc(operation_id="deleteSiteProfile", security=operations.BEARER, responses=problems(*_REFUSED))
def delete(profile_id: UUID) -> Response:
    """Forget one of my sites"""
    services().site_profiles.delete(identity(), profile_id)
    return Response(status=204)


def _site(query: CompatibilityQueryIn) -> SiteProfile:
    if query.site is None:
        return query.profile()
    profile = services().site_profiles.get(identity(), query.site).profile()
    return profile if query.restorer is None else replace(profile, restorer=query.restorer)
