"""``/upload/tus``: files that our own pages send in several goes, with the session of whoever looks at them.

The API never uses a session, so that no other site can make a browser call it. This address is a page's: each
request shows the token of the page's form in a header, which no other site can read or set.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from repo_service.domain.errors import Unauthorised
from repo_service.http.context import identity
from repo_service.http.pages import Mark, Pages, mark
from repo_service.http.tus import Endpoint
from repo_service.web import csrf
from repo_service.web.fields import Fields

PREFIX = "/upload/tus"

blueprint = Pages("sending", __name__, url_prefix=PREFIX)


def _of_our_pages(view: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse the signed out, and whoever does not come from a page of ours, before a byte is read.

    The signed out are not sent to sign in: scripts ask here, and have to be told.
    """

    @mark(Mark.CHECKS_ITS_FORM)
    @wraps(view)
    def guarded(**arguments: Any) -> Any:
        if identity().is_public:
            raise Unauthorised("You are signed out: sign in and do this again.")
        csrf.check(Fields())
        return view(**arguments)

    return guarded


Endpoint(PREFIX).add_to(blueprint, guard=_of_our_pages)
