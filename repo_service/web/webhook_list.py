"""Webhooks: one's own, what was sent to each, and how it fared."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from flask import Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import Conflict, FieldError, InvalidInput
from repo_service.domain.identity import Scope
from repo_service.domain.texts import recognised, text
from repo_service.domain.webhooks import DeliveryState, Reach, WebhookEvent
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.models.webhook import URL_LENGTH
from repo_service.services.notifying import REASONS
from repo_service.services.webhooks import DESCRIPTION_LENGTH, WebhookChanges
from repo_service.web.blueprint import blueprint
from repo_service.web.errors import beside_form
from repo_service.web.fields import line_field
from repo_service.web.rendering import page, secret_page
from repo_service.web.signing import for_the_signed_in

_A_PAGE = 25

_EVENTS = {
    WebhookEvent.INSPECTED: text("A file was looked into"),
    WebhookEvent.RELEASED: text("A version was released"),
    WebhookEvent.WITHDRAWN: text("A resource was withdrawn"),
    WebhookEvent.REPORTED: text("A resource was reported"),
    WebhookEvent.PING: text("A test message"),
}
_REACHES = {
    Reach.OWN: text("What is mine"),
    Reach.PUBLIC: text("Also what everybody can see"),
    Reach.CLIENT: text("Also what came through the site that made it"),
}
_STATES = {
    DeliveryState.WAITING: text("Waiting"),
    DeliveryState.DELIVERED: text("Taken"),
    DeliveryState.FAILED: text("Failed"),
}
_DONE = {
    "ping": text("A test message is on its way."),
    "replay": text("It is sent once more."),
    "enable": text("It is told again of what happens from now on."),
    "disable": text("Nothing is sent there any more."),
    "delete": text("The webhook is deleted."),
}
"""What was just done, by the word that follows ``done=`` in the address."""


@blueprint.get("/mine/webhooks")
@for_the_signed_in
def webhooks() -> Response:
    """One's own, and the form for another."""
    return _list(done=_done())


@blueprint.post("/mine/webhooks")
@for_the_signed_in
def make_webhook() -> Response:
    """Make one, and show its secret this once."""
    chosen = request.form.getlist("event")
    typed = {
        "url": line_field(request.form, "url", limit=URL_LENGTH),
        "description": line_field(request.form, "description", limit=DESCRIPTION_LENGTH),
        "reach": request.form.get("reach", Reach.OWN.value),
    }
    try:
        if not set(chosen) <= set(WebhookEvent):
            raise InvalidInput(errors=[FieldError("/events", "Choose from the list.")])
        if typed["reach"] not in set(Reach):
            raise InvalidInput(errors=[FieldError("/reach", "Choose from the list.")])
        made, secret = services().webhooks.register(
            identity(),
            url=typed["url"],
            events=[WebhookEvent(event) for event in chosen],
            reach=Reach(typed["reach"]),
            description=typed["description"],
        )
    except (InvalidInput, Conflict) as error:
        status = CATALOGUE[error.code].status
        return _list(status=status, refusal=beside_form(error), typed=typed, chosen=frozenset(chosen))
    return _one(made.id, secret=secret)


@blueprint.get("/mine/webhooks/<uuid:webhook_id>")
@for_the_signed_in
def webhook(webhook_id: UUID) -> Response:
    """One, with what was sent there lately."""
    return _one(webhook_id, done=_done())


@blueprint.post("/mine/webhooks/<uuid:webhook_id>")
@for_the_signed_in
def change_webhook(webhook_id: UUID) -> AnyResponse:
    """Try it, send a message once more, stop it, delete it, or give it another secret."""
    own, who, deed = services().webhooks, identity(), request.form.get("do", "")
    try:
        match deed:
            case "ping":
                own.ping(who, webhook_id)
            case "replay":
                own.replay(who, webhook_id, _delivery_id())
            case "enable" | "disable":
                own.change(who, webhook_id, WebhookChanges(enabled=deed == "enable"))
            case "secret":
                return _one(webhook_id, secret=own.renew_secret(who, webhook_id)[1])
            case "delete":
                own.delete(who, webhook_id)
                return redirect(url_for("web.webhooks", done=deed), 303)
            case _:
                own.get(who, webhook_id)
                raise InvalidInput(errors=[FieldError("/do", "Choose one of the buttons.")])
    except (InvalidInput, Conflict) as error:
        return _one(webhook_id, status=CATALOGUE[error.code].status, refusal=beside_form(error))
    return redirect(url_for("web.webhook", webhook_id=webhook_id, done=deed), 303)


def _delivery_id() -> UUID:
    try:
        return UUID(request.form.get("delivery", ""))
    except ValueError as error:
        raise InvalidInput(errors=[FieldError("/delivery", "Reload the page and try again.")]) from error


def _done() -> str:
    return _DONE.get(request.args.get("done", ""), "")


def _list(
    *,
    status: int = 200,
    done: str = "",
    refusal: str = "",
    typed: Mapping[str, str] | None = None,
    chosen: frozenset[str] = frozenset(),
) -> Response:
    of_moderators = {WebhookEvent.REPORTED} if not identity().has(Scope.MODERATE) else set()
    return page(
        "webhooks.html",
        status=status,
        listed=services().webhooks.list(identity()),
        events=_EVENTS,
        offered=[event for event in _EVENTS if event not in {WebhookEvent.PING, *of_moderators}],
        reaches=_REACHES,
        reach_offered=(Reach.OWN, Reach.PUBLIC),
        reason_of=_reason_of,
        done=done,
        refusal=refusal,
        typed=typed or {},
        chosen=chosen,
        url_length=URL_LENGTH,
        description_length=DESCRIPTION_LENGTH,
    )


def _one(
    webhook_id: UUID, *, status: int = 200, done: str = "", refusal: str = "", secret: str | None = None
) -> Response:
    cursor = request.args.get("cursor") or None
    asked = request.args.get("state", "")
    state = DeliveryState(asked) if asked in set(DeliveryState) else None
    own, who = services().webhooks, identity()
    return secret_page(
        "webhook.html",
        status=status,
        webhook=own.get(who, webhook_id),
        listed=own.deliveries(who, webhook_id, state=state, limit=_A_PAGE, cursor=cursor),
        state=state,
        is_first=cursor is None,
        events=_EVENTS,
        reaches=_REACHES,
        states=_STATES,
        reason_of=_reason_of,
        done=done,
        refusal=refusal,
        secret=secret,
    )


def _reason_of(reason: str | None) -> str:
    """Why something was not taken, as it can be said in any language."""
    return recognised(reason or "", REASONS)
