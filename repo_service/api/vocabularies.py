"""``/vocabularies``: the code lists that descriptions use."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from repo_service.api import operations
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import ConceptOut, VocabularyNamesOut, VocabularyOut
from repo_service.domain.errors import NotFound
from repo_service.domain.vocabularies import names, vocabulary

blueprint = APIBlueprint("vocabularies", __name__, url_prefix="/vocabularies", tag="Vocabularies")

_A_DAY = "public, max-age=86400"


@blueprint.get("/")
@blueprint.output(VocabularyNamesOut)
@blueprint.doc(operation_id="listVocabularies", security=operations.PUBLIC, responses=problems())
def index() -> Response:
    """Names of the code lists"""
    return answer(VocabularyNamesOut(items=list(names())), headers={"Cache-Control": _A_DAY})


@blueprint.get("/<name>")
@blueprint.output(VocabularyOut)
@blueprint.doc(operation_id="getVocabulary", security=operations.PUBLIC, responses=problems())
def get(name: str) -> Response:
    """One code list with labels and what its codes are called elsewhere"""
    if name not in names():
        raise NotFound("There is no such vocabulary.")
    found = vocabulary(name)
    concepts = [
        ConceptOut(
            code=concept.code,
            uri=concept.uri,
            broader=concept.broader,
            labels=dict(concept.labels),
            exact_match={scheme: list(terms) for scheme, terms in concept.exact_match.items()},
            close_match={scheme: list(terms) for scheme, terms in concept.close_match.items()},
        )
        for concept in found
    ]
    return answer(
        VocabularyOut(
            name=found.name,
            title=dict(found.title),
            source=found.source,
            date=found.date,
            licence=found.licence,
            concepts=concepts,
        ),
        headers={"Cache-Control": _A_DAY},
    )
