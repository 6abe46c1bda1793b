"""The paging cursor: the place of the last hit, sealed against mix-ups with the question it belongs to.

It holds nothing secret and grants nothing; the seal only makes sure that it is given back as it was, with the
same question.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from repo_service.domain.errors import InvalidCursor
from repo_service.domain.search import SearchQuery
from repo_service.search.ordering import Place, place

_VERSION = 2
_SEAL_SIZE = 12
_MAX_CURSOR = 2_000


def encode(query: SearchQuery, last: Place) -> str:
    """The cursor that continues ``query`` after ``last``."""
    body = json.dumps([last.rank, last.recency, last.id], separators=(",", ":")).encode()
    return _plain(_seal(query, body) + body)


def decode(query: SearchQuery) -> Place | None:
    """The place after which ``query`` goes on, None for the first page. Raises InvalidCursor."""
    if query.cursor is None:
        return None
    if len(query.cursor) > _MAX_CURSOR:
        raise _invalid()
    try:
        sealed = base64.urlsafe_b64decode(query.cursor.encode("ascii") + b"=" * (-len(query.cursor) % 4))
    except (binascii.Error, ValueError) as error:
        raise _invalid() from error
    body = sealed[_SEAL_SIZE:]
    # Decoding forgives odd letters; what was sent must be exactly what was given out.
    if sealed[:_SEAL_SIZE] != _seal(query, body) or query.cursor != _plain(sealed):
        raise _invalid()
    rank, recency, document_id = json.loads(body)
    return place(rank=rank, recency=recency, document_id=document_id)


def _plain(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _seal(query: SearchQuery, body: bytes) -> bytes:
    filters = sorted((facet.value, sorted(set(values))) for facet, values in query.filters.items() if values)
    question = json.dumps([_VERSION, query.text, filters, query.sort], separators=(",", ":")).encode()
    digest = hashlib.blake2b(digest_size=_SEAL_SIZE, person=b"search cursor")
    digest.update(len(question).to_bytes(8))
    digest.update(question)
    digest.update(body)
    return digest.digest()


def _invalid() -> InvalidCursor:
    return InvalidCursor("The cursor was not made here, or belongs to another search.")
