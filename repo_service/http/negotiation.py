"""One address, several forms: a page for people, ActivityStreams for servers, JSON-LD for harvesters."""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Iterator
from typing import Final, ParamSpec

from flask import make_response, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_options_header
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.federation import contexts
from repo_service.http.context import site

Given = ParamSpec("Given")
View = Callable[Given, AnyResponse]


class Form(enum.Enum):
    """How something can be shown at the address of its page."""

    PAGE = "page"
    ACTIVITY = "activity"
    METADATA = "metadata"


_PREFERRED: Final = (Form.ACTIVITY, Form.METADATA)
"""Of forms that are asked for alike. The page comes last: who names another form knows what to do with it."""


def asked_form(accept: MIMEAccept) -> Form:
    """Which form is asked for (RFC 9110, section 12.5.1). JSON-LD counts as ActivityStreams where the profile
    says so (ActivityPub, section 3.2), and as metadata otherwise. A wildcard means the page: whoever does not
    say what it can read is a browser, or a person with a tool."""
    qualities = dict.fromkeys(_PREFERRED, 0.0)
    for form, quality in _named(accept):
        qualities[form] = max(qualities[form], quality)
    best = max(_PREFERRED, key=lambda form: qualities[form])  # the first of several that are alike
    asked = 0 < qualities[best] >= accept["text/html"]
    return best if asked else Form.PAGE


def _named(accept: MIMEAccept) -> Iterator[tuple[Form, float]]:
    for value, quality in accept:
        name, parameters = parse_options_header(value)
        if name == contexts.MEDIA_TYPE:
            yield Form.ACTIVITY, quality
        elif name == contexts.LD_MEDIA_TYPE:
            # Several profiles can be named, separated by spaces (RFC 6906, section 3.1).
            is_activity = contexts.ACTIVITY_STREAMS in parameters.get("profile", "").split()
            yield (Form.ACTIVITY if is_activity else Form.METADATA), quality


def also_as(
    *, activity: View[Given] | None = None, metadata: View[Given] | None = None
) -> Callable[[View[Given]], View[Given]]:
    """The view of a page, and of what else can be had at its address. Stands right below the line with its
    route. A mirror publishes nothing of its own, so there is no ActivityStreams on one."""
    others = {Form.ACTIVITY: activity, Form.METADATA: metadata}

    def negotiated(page: View[Given]) -> View[Given]:
        @functools.wraps(page)
        def view(*args: Given.args, **kwargs: Given.kwargs) -> AnyResponse:
            form = asked_form(request.accept_mimetypes)
            other = None if form is Form.ACTIVITY and site().read_only else others.get(form)
            response: AnyResponse = make_response((other or page)(*args, **kwargs))
            response.vary.add("Accept")
            return response

        return view

    return negotiated
