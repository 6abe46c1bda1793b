"""Putting into the queue what other servers are to be sent. Sending is ``delivering``'s."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy.orm import Session

from repo_service.domain.resources import JobKind
from repo_service.federation.addresses import ActorRef
from repo_service.models import Delivery, Dispatch
from repo_service.models.base import now
from repo_service.services.follows import Recipient
from repo_service.services.jobs import Jobs

ALL: Final = "all"
"""The key of the one job that sends: it has threads of its own for the hosts."""


def dispatch(
    session: Session,
    document: Mapping[str, Any],
    *,
    by: ActorRef,
    about: str,
    to: Iterable[Recipient],
) -> int:
    """Put ``document`` into the queue for each of ``to``, signed ``by`` an actor of ours; returns how many
    there are. What is ``about`` the same thing arrives in this order."""
    inboxes = list(dict.fromkeys(to))
    if not inboxes:
        return 0
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    sent = Dispatch(actor=by.path, about=about, body=body)
    session.add(sent)
    session.flush()
    moment = now()
    session.add_all(
        Delivery(
            dispatch_id=sent.id,
            instance_id=recipient.instance_id,
            inbox=recipient.inbox,
            about=about,
            next_try_at=moment,
        )
        for recipient in inboxes
    )
    return len(inboxes)


def send_soon(session: Session, jobs: Jobs) -> None:
    """Have the queue sent after the commit of ``session``."""
    jobs.enqueue(session, JobKind.DELIVER, ALL, again=True)
