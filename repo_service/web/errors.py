"""Problems as pages, and the page that explains each kind of problem."""

from __future__ import annotations

from flask import Response, request

from repo_service.domain.errors import DomainError, Gone, InvalidInput
from repo_service.http.problems import CATALOGUE, Problem
from repo_service.web.blueprint import blueprint
from repo_service.web.rendering import page, render


def problem_page(problem: Problem) -> str:
    """A problem as a whole page."""
    arguments = request.view_args or {}
    return render(
        "problem.html",
        problem=problem,
        gone=problem.code == Gone.code,
        reason=(problem.model_extra or {}).get("reason"),
        resource_id=arguments.get("resource_id"),
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
