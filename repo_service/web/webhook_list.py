"""Webhooks: one's own, what was sent to each, and how it fared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
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
_LENGTHS = {"url": URL_LENGTH, "description": DESCRIPTION_LENGTH}
_DONE = {
    "change": text("The changes are saved."),
    "ping": text("A test message is on its way."),
    "replay": text("It is sent once more."),
    "enable": text("It is told again of what happens from now on."),
    "disable": text("Nothing is sent there any more."),
    "delete": text("The webhook is deleted."),
}
"""What was just done, by the word that follows ``done=`` in the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """What was typed into the form of a webhook, whether or not it can be."""

    url: str = ""
    events: Sequence[str] = ()
    reach: str = Reach.OWN.value
    description: str = ""

    def wanted_events(self) -> list[WebhookEvent]:
        """Raises InvalidInput for one that there is not."""
        if not set(self.events) <= set(WebhookEvent):
            raise InvalidInput(errors=[FieldError("/events", "Choose from the list.")])
        return [WebhookEvent(event) for event in self.events]

    def wanted_reach(self) -> Reach:
        """Raises InvalidInput for one that there is not."""
        if self.reach not in set(Reach):
            raise InvalidInput(errors=[FieldError("/reach", "Choose from the list.")])
        return Reach(self.reach)


def _typed() -> _Typed:
    return _Typed(
        url=line_field(request.form, "url", limit=URL_LENGTH),
        events=request.form.getlist("event"),
        reach=request.form.get("reach", Reach.OWN.value),
        description=line_field(request.form, "description", limit=DESCRIPTION_LENGTH),
    )


@blueprint.get("/mine/webhooks")
@for_the_signed_in
def webhooks() -> Response:
    """One's own, and the form for another."""
    return _list(done=_done())


@blueprint.post("/mine/webhooks")
@for_the_signed_in
def make_webhook() -> Response:
    """Make one, and show its secret this once."""
    typed = _typed()
    try:
        made, secret = services().webhooks.register(
            identity(),
            url=typed.url,
            events=typed.wanted_events(),
            reach=typed.wanted_reach(),
            description=typed.description,
        )
    except (InvalidInput, Conflict) as error:
        status = CATALOGUE[error.code].status
        return _list(status=status, refusal=beside_form(error), typed=typed)
    return _one(made.id, secret=secret)


@blueprint.get("/mine/webhooks/<uuid:webhook_id>")
@for_the_signed_in
def webhook(webhook_id: UUID) -> Response:
    """One, with what was sent there lately."""
    return _one(webhook_id, done=_done())


@blueprint.post("/mine/webhooks/<uuid:webhook_id>")
@for_the_signed_in
def change_webhook(webhook_id: UUID) -> AnyResponse:
    """Change it, try it, send a message once more, stop it, delete it, or give it another secret."""
    own, who, deed = services().webhooks, identity(), request.form.get("do", "")
    try:
        match deed:
            case "change":
                _change(webhook_id, _typed())
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
        typed = _typed() if deed == "change" else None
        return _one(webhook_id, status=CATALOGUE[error.code].status, refusal=beside_form(error), typed=typed)
    return redirect(url_for("web.webhook", webhook_id=webhook_id, done=deed), 303)


def _change(webhook_id: UUID, typed: _Typed) -> None:
    """To what was typed. What a site may have is no choice of people's, but it stays as it is."""
    kept = services().webhooks.get(identity(), webhook_id)
    changes = WebhookChanges(
        url=typed.url,
        events=typed.wanted_events(),
        reach=None if typed.reach == kept.reach else typed.wanted_reach(),
        description=typed.description,
    )
    services().webhooks.change(identity(), webhook_id, changes)


def _delivery_id() -> UUID:
    try:
        return UUID(request.form.get("delivery", ""))
    except ValueError as error:
        raise InvalidInput(errors=[FieldError("/delivery", "Reload the page and try again.")]) from error


def _offered(kept: Reach | None = None) -> dict[str, Sequence[StrEnum]]:
    """What may be chosen: a reach that only sites may have is offered to what has it."""
    of_moderators = {WebhookEvent.REPORTED} if not identity().has(Scope.MODERATE) else set()
    return {
        "events": [event for event in _EVENTS if event not in {WebhookEvent.PING, *of_moderators}],
        "reaches": [reach for reach in _REACHES if reach is not Reach.CLIENT or reach is kept],
    }


def _done() -> str:
    return _DONE.get(request.args.get("done", ""), "")


def _list(
    *,
    status: int = 200,
    done: str = "",
    refusal: str = "",
    typed: _Typed | None = None,
) -> Response:
    return page(
        "webhooks.html",
        status=status,
        listed=services().webhooks.list(identity()),
        events=_EVENTS,
        reaches=_REACHES,
        offered=_offered(),
        lengths=_LENGTHS,
        reason_of=_reason_of,
        done=done,
        refusal=refusal,
        typed=typed or _Typed(),
    )


def _one(
    webhook_id: UUID,
    *,
    status: int = 200,
    done: str = "",
    refusal: str = "",
    secret: str | None = None,
    typed: _Typed | None = None,
) -> Response:
    cursor = request.args.get("cursor") or None
    asked = request.args.get("state", "")
    state = DeliveryState(asked) if asked in set(DeliveryState) else None
    own, who = services().webhooks, identity()
    found = own.get(who, webhook_id)
    return secret_page(
        "webhook.html",
        status=status,
        webhook=found,
        typed=typed,
        offered=_offered(found.reach),
        lengths=_LENGTHS,
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
