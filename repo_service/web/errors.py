"""Problems as pages, and the page that explains each kind of problem."""

from __future__ import annotations

from flask import Response, request

from repo_service.domain.errors import DomainError, Gone, InvalidInput
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE, Problem
from repo_service.web.blueprint import blueprint
from repo_service.web.rendering import page, render


def problem_page(problem: Problem) -> str:
    """A problem as a whole page."""
    gone = problem.code == Gone.code
    resource_id = (request.view_args or {}).get("resource_id") if gone else None
    return render(
        "problem.html",
        problem=problem,
        gone=gone,
        reason=(problem.model_extra or {}).get("reason"),
        resource_id=resource_id,
        restoring=services().resources.restoring(identity(), resource_id) if resource_id else None,
    )


def beside_form(error: DomainError) -> str:
    """What to say of a refusal beside its form, where people know values by other names than the API does."""
    if isinstance(error, InvalidInput) and len(error.errors) == 1:
        return error.errors[0].detail
    return error.detail


@blueprint.get("/docs/errors")
def explain_errors() -> Response:
    """What each code means: where the ``type`` of every problem points."""
    return page("errors.html", catalogue=CATALOGUE)
