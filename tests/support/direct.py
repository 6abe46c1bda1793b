"""A client that sends files straight to the bucket: the service's API, and bare HTTP to presigned URLs."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

import httpx
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.service import json_of
from tests.support.weed import Weed

UPLOADS = "/api/v1/uploads"


def bucket_settings(weed: Weed) -> dict[str, Any]:
    """Settings of a service whose clients reach its bucket."""
    return {
        "store_url": weed.store_url(
            weed.shared_bucket, prefix=secrets.token_hex(8), public_endpoint_url=weed.endpoint_url
        ),
        "store_access_key": weed.access_key,
        "store_secret_key": weed.secret_key,
    }


def begin(client: FlaskClient, size: int, **given: Any) -> Any:
    """A new upload that goes straight to the bucket."""
    said = {"file_name": "notes.txt", "size": size, **given}
    return json_of(client.post(f"{UPLOADS}/direct", json=said), 201)


def parts(client: FlaskClient, upload: Any, **query: int) -> Any:
    """A page of its parts."""
    return json_of(client.get(f"{UPLOADS}/{upload['id']}/parts", query_string=query))


def put_part(part: Any, data: bytes, part_size: int) -> httpx.Response:
    """Send one part of ``data``, the whole."""
    start = (part["number"] - 1) * part_size
    return httpx.put(part["url"], content=data[start : start + part["size"]], timeout=60)


def send(
    client: FlaskClient, upload: Any, data: bytes, numbers: Iterable[int] | None = None
) -> dict[int, str]:
    """Send parts (all, unless some are named); the tags that the bucket answered, with their quotes."""
    tags: dict[int, str] = {}
    first: int | None = 1
    while first is not None:
        page = parts(client, upload, first=first)
        for part in page["items"]:
            if numbers is None or part["number"] in numbers:
                answer = put_part(part, data, page["part_size"])
                assert answer.status_code == 200, answer.text
                tags[part["number"]] = answer.headers["ETag"]
        first = page["next_first"]
    return tags


def complete(client: FlaskClient, upload: Any, tags: dict[int, str] | None = None) -> TestResponse:
    """Put the parts together."""
    url = f"{UPLOADS}/{upload['id']}/complete"
    if tags is None:
        return client.post(url)
    return client.post(url, json={"parts": [{"number": n, "etag": tag} for n, tag in tags.items()]})


def sent(client: FlaskClient, data: bytes, **given: Any) -> Any:
    """An upload all of whose parts are sent and put together."""
    upload = begin(client, len(data), **given)
    send(client, upload, data)
    return json_of(complete(client, upload), 202)


def look(client: FlaskClient, upload: Any) -> Any:
    """The upload as it is now."""
    return json_of(client.get(f"{UPLOADS}/{upload['id']}"))
