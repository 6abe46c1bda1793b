"""Which views are pages for people: their requests alone have a session, and their forms must be our own."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from apiflask import APIBlueprint
from flask import current_app, request

View = TypeVar("View", bound=Callable[..., Any])


class Pages(APIBlueprint):
    """A blueprint whose views are pages. The API never uses the session, so no other site can make a browser
    call it.

    APIFlask looks at the hooks of every blueprint, so this has to be one of its own.
    """

    def __init__(self, name: str, import_name: str, *, url_prefix: str | None = None) -> None:
        super().__init__(
            name, import_name, template_folder="templates", url_prefix=url_prefix, enable_openapi=False
        )


class Mark(StrEnum):
    """What is special about the view of a page."""

    CHECKS_ITS_FORM = "checks its form"
    """It takes a file: it looks for the form's token itself, before the first byte of the file."""
    CHANGES_NOTHING = "changes nothing"
    """Its form changes what this browser remembers, and nothing here: a mirror takes it, too."""


def mark(what: Mark) -> Callable[[View], View]:
    """Mark a view. Stands right below the line with its route."""

    def marked(view: View) -> View:
        _marked[what].add(view)
        return view

    return marked


def is_page() -> bool:
    """Whether what is asked for is a page."""
    return isinstance(current_app.blueprints.get(request.blueprint or ""), Pages)


def is_marked(what: Mark) -> bool:
    """Whether the view that answers has this mark."""
    return current_app.view_functions.get(request.endpoint or "") in _marked[what]


_marked: dict[Mark, set[Callable[..., Any]]] = {what: set() for what in Mark}
