"""``/api/v1/webhooks``: being told when something happens."""

from __future__ import annotations

from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from repo_service.api import operations
from repo_service.api.operations import answer, problems
from repo_service.api.webhook_schemas import (
    WebhookChangesIn,
    WebhookDeliveriesQueryIn,
    WebhookDeliveryOut,
    WebhookDeliveryPageOut,
    WebhookIn,
    WebhookOut,
    WebhooksOut,
    WebhookWithSecretOut,
)
from repo_service.http.context import identity, services, site
from repo_service.services.webhooks import WebhookChanges, WebhookRecord

blueprint = APIBlueprint("webhooks", __name__, url_prefix="/api/v1/webhooks", tag="Webhooks")

_REFUSED = ("forbidden", "insufficient-scope")
_CHECKED = (*operations.JSON_BODY, *_REFUSED)


@blueprint.get("")
@blueprint.output(WebhooksOut)
@blueprint.doc(operation_id="listWebhooks", security=operations.BEARER, responses=problems(*_REFUSED))
def webhooks() -> Response:
    """My webhooks"""
    found = services().webhooks.list(identity())
    return answer(WebhooksOut(items=[WebhookOut.model_validate(one) for one in found]))


@blueprint.post("")
@blueprint.input(WebhookIn, location="json", arg_name="given")
@blueprint.output(WebhookWithSecretOut, status_code=201)
@blueprint.doc(
    operation_id="createWebhook", security=operations.BEARER, responses=problems("conflict", *_CHECKED)
)
def create(given: WebhookIn) -> Response:
    """Be told when something happens

    The secret that signs what is sent is in this answer, and in no other.
    """
    record, secret = services().webhooks.register(
        identity(),
        url=given.url,
        events=given.events,
        reach=given.reach,
        description=given.description,
    )
    url = f"{site().base_url}/api/v1/webhooks/{record.id}"
    return answer(_with_secret(record, secret), 201, {"Location": url})


@blueprint.get("/<uuid:webhook_id>")
@blueprint.output(WebhookOut)
@blueprint.doc(operation_id="getWebhook", security=operations.BEARER, responses=problems(*_REFUSED))
def get(webhook_id: UUID) -> Response:
    """One of my webhooks"""
    return answer(WebhookOut.model_validate(services().webhooks.get(identity(), webhook_id)))


@blueprint.patch("/<uuid:webhook_id>")
@blueprint.input(WebhookChangesIn, location="json", arg_name="given")
@blueprint.output(WebhookOut)
@blueprint.doc(operation_id="changeWebhook", security=operations.BEARER, responses=problems(*_CHECKED))
def change(webhook_id: UUID, given: WebhookChangesIn) -> Response:
    """Change, disable or enable one of my webhooks"""
    changes = WebhookChanges(
        url=given.url,
        events=given.events,
        reach=given.reach,
        description=given.description,
        enabled=given.enabled,
    )
    return answer(WebhookOut.model_validate(services().webhooks.change(identity(), webhook_id, changes)))


@blueprint.delete("/<uuid:webhook_id>")
@blueprint.output({}, status_code=204)
@blueprint.doc(operation_id="deleteWebhook", security=operations.BEARER, responses=problems(*_REFUSED))
def delete(webhook_id: UUID) -> Response:
    """Delete one of my webhooks, with all its messages"""
    services().webhooks.delete(identity(), webhook_id)
    return Response(status=204)


@blueprint.post("/<uuid:webhook_id>/secret")
@blueprint.output(WebhookWithSecretOut)
@blueprint.doc(operation_id="renewWebhookSecret", security=operations.BEARER, responses=problems(*_REFUSED))
def renew_secret(webhook_id: UUID) -> Response:
    """Sign by a new secret from now on"""
    return answer(_with_secret(*services().webhooks.renew_secret(identity(), webhook_id)))


@blueprint.post("/<uuid:webhook_id>/ping")
@blueprint.output(WebhookDeliveryOut, status_code=202)
@blueprint.doc(
    operation_id="pingWebhook", security=operations.BEARER, responses=problems("conflict", *_REFUSED)
)
def ping(webhook_id: UUID) -> Response:
    """Send a message that tells of nothing, to try it"""
    return answer(WebhookDeliveryOut.model_validate(services().webhooks.ping(identity(), webhook_id)), 202)


@blueprint.get("/<uuid:webhook_id>/deliveries")
@blueprint.input(WebhookDeliveriesQueryIn, location="query", arg_name="query")
@blueprint.output(WebhookDeliveryPageOut)
@blueprint.doc(
    operation_id="listWebhookDeliveries",
    security=operations.BEARER,
    responses=problems("invalid-cursor", "invalid-input", *_REFUSED),
)
def deliveries(webhook_id: UUID, query: WebhookDeliveriesQueryIn) -> Response:
    """What was sent to one of my webhooks, and what waits, newest first"""
    page = services().webhooks.deliveries(
        identity(), webhook_id, state=query.state, limit=query.limit, cursor=query.cursor
    )
    return answer(
        WebhookDeliveryPageOut(
            items=[WebhookDeliveryOut.model_validate(one) for one in page.items],
            next_cursor=page.next_cursor,
        )
    )


@blueprint.post("/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/replay")
@blueprint.output(WebhookDeliveryOut, status_code=202)
@blueprint.doc(
    operation_id="replayWebhookDelivery",
    security=operations.BEARER,
    responses=problems("conflict", *_REFUSED),
)
def replay(webhook_id: UUID, delivery_id: UUID) -> Response:
    """Send a message once more, by the same id"""
    record = services().webhooks.replay(identity(), webhook_id, delivery_id)
    return answer(WebhookDeliveryOut.model_validate(record), 202)


def _with_secret(record: WebhookRecord, secret: str) -> WebhookWithSecretOut:
    return WebhookWithSecretOut(secret=secret, **WebhookOut.model_validate(record).model_dump())
