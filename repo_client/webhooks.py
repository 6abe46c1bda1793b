"""Messages to webhooks: whether they are from the service (Standard Webhooks)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from repo_client.errors import WrongSignature

TOLERANCE: Final = 300
"""Seconds that a message may be old, or clocks apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something happened. The same ``id`` may come twice."""

    id: str
    type: str
    timestamp: str
    data: Mapping[str, Any]


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> Message:
    """The message in the ``body`` of a request with these ``headers``, by the ``secret`` of the webhook.

    Raises WrongSignature.
    """
    named = {name.lower(): value for name, value in headers.items()}
    try:
        id_, timestamp = named["webhook-id"], named["webhook-timestamp"]
        given, at = named["webhook-signature"].split(" "), int(timestamp)
    except (KeyError, ValueError) as error:
        raise WrongSignature("This is not signed as messages to webhooks are.") from error
    if abs((time.time() if now is None else now) - at) > TOLERANCE:
        raise WrongSignature("This is too old, or a clock is wrong.")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.digest(key, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256)
    expected = f"v1,{base64.b64encode(signed).decode()}".encode()
    if not any(hmac.compare_digest(expected, one.encode()) for one in given):
        raise WrongSignature("The signature does not fit.")
    message = json.loads(body)
    return Message(id=id_, type=message["type"], timestamp=message["timestamp"], data=message["data"])
