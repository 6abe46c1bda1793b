"""HTML pages."""

from __future__ import annotations

from apiflask import APIFlask

from repo_service.http.problems import Problem


def register(app: APIFlask) -> None:
    """Add the pages."""


def problem_page(problem: Problem) -> str:
    """A problem as a page."""
    return f"<title>{problem.title}</title>"
