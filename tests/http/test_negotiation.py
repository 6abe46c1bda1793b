"""Which form of a thing is asked for."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from repo_service.http.negotiation import Form, asked_form

_PROFILE = 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        # What software sends
        ("application/activity+json", Form.ACTIVITY),
        (_PROFILE, Form.ACTIVITY),
        (f"application/activity+json, {_PROFILE}, text/html;q=0.1", Form.ACTIVITY),  # Mastodon
        (f"{_PROFILE}, application/activity+json, application/ld+json", Form.ACTIVITY),  # Fedify
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Form.PAGE),  # browsers
        ("*/*", Form.PAGE),  # curl
        ("", Form.PAGE),
        ("application/ld+json", Form.METADATA),
        ("application/ld+json, text/html;q=0.5", Form.METADATA),
        # Ties, weights and refusals
        ("application/activity+json, text/html", Form.ACTIVITY),
        ("application/activity+json, */*", Form.ACTIVITY),
        ("application/activity+json;q=0.5, text/html", Form.PAGE),
        ("application/activity+json;q=0, */*;q=0.1", Form.PAGE),
        ("application/activity+json;q=0", Form.PAGE),
        ("application/ld+json, application/activity+json;q=0.9", Form.METADATA),
        ("application/ld+json, application/activity+json", Form.ACTIVITY),
        # Profiles
        (
            'application/ld+json; profile="https://example.org https://www.w3.org/ns/activitystreams"',
            Form.ACTIVITY,
        ),
        ('application/ld+json; profile="https://www.w3.org/ns/activitystreams2"', Form.METADATA),
        ('application/ld+json; profile="http://www.w3.org/ns/json-ld#compacted"', Form.METADATA),
        ("application/*", Form.PAGE),
        ("application/json", Form.PAGE),
        ("application/activity+json; q=x, ;,", Form.PAGE),
    ],
)
def test_forms(accept: str, form: Form) -> None:
    assert asked_form(parse_accept_header(accept, MIMEAccept)) is form
