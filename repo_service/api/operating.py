"""What operators and their tools ask: is it alive, is it ready, what does it count."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from repo_service.api import operations
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import IndexHomeOut, LivenessOut, ReadinessOut
from repo_service.http.context import metrics, services
from repo_service.http.metrics import CONTENT_TYPE

blueprint = APIBlueprint("operating", __name__, tag="Operating")


@blueprint.get("/healthz")
@blueprint.output(LivenessOut)
@blueprint.doc(operation_id="getLiveness", security=operations.PUBLIC, responses=problems())
def healthz() -> Response:
    """Does the process answer"""
    return answer(LivenessOut(alive=True), headers={"Cache-Control": "no-store"})


@blueprint.get("/readyz")
@blueprint.output(ReadinessOut)
@blueprint.doc(
    operation_id="getReadiness",
    security=operations.PUBLIC,
    responses=problems(
        also={
            503: {
                "description": "A part does not answer",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ReadinessOut"}}},
            },
        }
    ),
)
def readyz() -> Response:
    """Do database, store and queue answer

    Replicas are asked, too; the service is ready without them. So is a mirror of an index whose home was not
    followed for long.
    """
    found, mirror = services().health.readiness(), services().network_mirror
    ready = ReadinessOut(
        ready=found.ready,
        parts=found.parts,
        replicas=found.replicas,
        network_home=None if mirror is None else IndexHomeOut.model_validate(mirror.home()),
    )
    status = 200 if found.ready else 503
    return answer(ready, status, headers={"Cache-Control": "no-store"})


@blueprint.get("/metrics")
@blueprint.doc(
    operation_id="getMetrics",
    security=operations.PUBLIC,
    responses=problems(
        also={
            200: {
                "description": "Prometheus text format",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
        }
    ),
)
def counted() -> Response:
    """What all processes count, for Prometheus"""
    return Response(metrics().text(), content_type=CONTENT_TYPE)
