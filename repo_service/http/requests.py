"""Requests as views get them: JSON is declared as JSON and is not null, versions have numbers, addresses are
ASCII."""

from __future__ import annotations

import re
from typing import Any, Final

import flask
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import IntegerConverter

from repo_service.domain.errors import InvalidInput, PayloadTooLarge, UnsupportedMediaType

_NOT_OF_ADDRESSES: Final = re.compile(rb"[^!-~]")
"""What no query may hold as it is (RFC 3986, section 2)."""


class Request(flask.Request):
    """A request whose JSON is read strictly. What does not belong into a query is percent-encoded in it, as
    browsers do before they send it: Werkzeug would fail over bytes that are no UTF-8, whoever asks for the
    query."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.query_string = _NOT_OF_ADDRESSES.sub(lambda byte: b"%%%02X" % ord(byte[0]), self.query_string)

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The JSON body. ``force``, which APIFlask always sets, takes no other media type for JSON here.

        Raises UnsupportedMediaType, PayloadTooLarge, BadRequest when it is no JSON, InvalidInput for null,
        which APIFlask would take for an empty object.
        """
        if not self.is_json:
            raise UnsupportedMediaType("Send JSON as application/json.", supported=["application/json"])
        try:
            value = super().get_json(silent=silent, cache=cache)
        except RequestEntityTooLarge as error:
            raise PayloadTooLarge("The JSON is too long.", limit=self.max_content_length or 0) from error
        if value is None and not silent:
            raise InvalidInput(errors=[("", "An object is wanted, not null.")])
        return value


class VersionNumber(IntegerConverter):
    """1 to 999,999,999 in a path; anything else is no address.

    A minimum given to ``int`` is looked at after the method: Werkzeug then answers 405 where 404 is meant.
    """

    regex = "[1-9][0-9]{0,8}"


def register(app: flask.Flask) -> None:
    """Make ``app`` read requests like this; ``<version:number>`` becomes a part of paths."""
    app.request_class = Request
    app.url_map.converters["version"] = VersionNumber
