"""Ways in without a word to search for: by subject, level, type, language and person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Response, request
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.search import Facet, SearchQuery
from repo_service.domain.vocabularies import LEVELS, SUBJECTS, TYPES, Concept, vocabulary
from repo_service.federation.addresses import ActorKind, ActorRef
from repo_service.http.activity_streams import actor_answer, require_home
from repo_service.http.context import identity, services
from repo_service.http.negotiation import also_as
from repo_service.web.blueprint import blueprint
from repo_service.web.labels import Label, facet_value, label_of
from repo_service.web.metadata import activity_url_of
from repo_service.web.rendering import page
from repo_service.web.searching import Question

PAGE_SIZE = 20
PEOPLE = 24
"""Those who shared last, on one page."""

COLLECTIONS = 8
"""The newest, on one page."""

_FACETS = (Facet.SUBJECT, Facet.LEVEL, Facet.TYPE, Facet.LANGUAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Something to browse by: how many resources there are, where they are listed, and the narrower ones that
    have any."""

    code: str
    label: Label
    count: int
    url: str
    narrower: Sequence[Shelf] = ()


@blueprint.get("/browse")
def browse() -> Response:
    """Everything there is, in shelves."""
    found = services().search.search(identity(), SearchQuery(facets=_FACETS, limit=0))
    counts = {
        facet: {count.value: count.count for count in counted} for facet, counted in found.facets.items()
    }
    return page(
        "browse.html",
        total=found.total,
        subjects=_tree(counts[Facet.SUBJECT]),
        levels=_shelves(Facet.LEVEL, LEVELS, counts[Facet.LEVEL]),
        types=_shelves(Facet.TYPE, TYPES, counts[Facet.TYPE]),
        languages=[
            _shelf(Facet.LANGUAGE, code, facet_value(Facet.LANGUAGE, code), count)
            for code, count in counts[Facet.LANGUAGE].items()
        ],
        people=services().profiles.lately(limit=PEOPLE),
        collections=services().collections.public(identity(), limit=COLLECTIONS),
    )


def person_activity(username: str) -> AnyResponse:
    """The person as an actor."""
    require_home()
    return actor_answer(services().actors.called(username).ref)


@blueprint.get("/people/<username>")
@also_as(activity=person_activity)
def person(username: str) -> AnyResponse:
    """Somebody who shared something, and what it is."""
    profile = services().profiles.get(username)
    actor = None if profile.has_left else ActorRef(ActorKind.ACCOUNT, profile.account_id)
    cursor = request.args.get("cursor") or None
    return page(
        "person.html",
        profile=profile,
        activity_url=None if actor is None else activity_url_of(actor),
        listed=services().profiles.resources(identity(), username, limit=PAGE_SIZE, cursor=cursor),
        is_first=cursor is None,
        collections=services().collections.public(identity(), limit=COLLECTIONS, owner=username),
    )


def _tree(counts: Mapping[str, int]) -> list[Shelf]:
    """The subjects that have any resource: broad fields, and what stands below them."""
    broad = (concept for concept in vocabulary(SUBJECTS) if not concept.broader)
    return [shelf for concept in broad if (shelf := _branch(concept, counts))]


def _branch(concept: Concept, counts: Mapping[str, int]) -> Shelf | None:
    if concept.code not in counts:  # a subject counts for those above it, so there is nothing below either
        return None
    below = (_branch(narrower, counts) for narrower in vocabulary(SUBJECTS).narrower(concept.code))
    return Shelf(
        code=concept.code,
        label=label_of(concept),
        count=counts[concept.code],
        url=Question(filters={Facet.SUBJECT: (concept.code,)}).url,
        narrower=[shelf for shelf in below if shelf],
    )


def _shelves(facet: Facet, name: str, counts: Mapping[str, int]) -> list[Shelf]:
    """Those values of a vocabulary that have any resource, in its own order."""
    return [
        _shelf(facet, concept.code, label_of(concept), counts[concept.code])
        for concept in vocabulary(name)
        if concept.code in counts
    ]


def _shelf(facet: Facet, code: str, label: Label, count: int) -> Shelf:
    return Shelf(code=code, label=label, count=count, url=Question(filters={facet: (code,)}).url)
