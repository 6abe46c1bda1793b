"""Jobs, for administrators: what runs, waits or failed, why, and trying again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from flask import Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.resources import JobKind, JobState
from repo_service.domain.texts import recognised, text
from repo_service.http.context import identity, services
from repo_service.services.job_board import JobCount, JobRecord
from repo_service.services.mailing import REASONS
from repo_service.web.blueprint import blueprint
from repo_service.web.rendering import page
from repo_service.web.signing import for_the_signed_in

_A_PAGE = 50

KINDS: Mapping[JobKind, str] = {
    JobKind.INSPECT: text("Look inside a file"),
    JobKind.FINISH: text("Finish an upload"),
    JobKind.REPLICATE: text("Make and repair copies"),
    JobKind.VERIFY: text("Check what came straight to the bucket"),
    JobKind.SNAPSHOT: text("Publish the catalogue"),
    JobKind.FETCH: text("Fetch from other nodes"),
    JobKind.CLEAN: text("Make a clean copy"),
    JobKind.INDEX: text("Prepare a backup to be read in parts"),
    JobKind.MAIL: text("Send a letter"),
    JobKind.ERASE: text("Erase an account"),
    JobKind.RECEIVE: text("Read what another server sent"),
    JobKind.DELIVER: text("Tell other servers what is new"),
    JobKind.ACQUAINT: text("Get to know another server"),
    JobKind.NOTIFY: text("Call webhooks"),
}
"""What jobs do."""

STATES: Mapping[JobState, str] = {
    JobState.RUNNING: text("Running"),
    JobState.QUEUED: text("Waiting"),
    JobState.FAILED: text("Failed"),
    JobState.DONE: text("Done"),
}


@blueprint.get("/look-after/jobs")
@for_the_signed_in
def jobs() -> Response:
    """How many there are, and those that are not done, or that are asked for."""
    asked = {name: request.args.get(name, "") for name in ("kind", "state")}
    kind = JobKind(asked["kind"]) if asked["kind"] in set(JobKind) else None
    state = JobState(asked["state"]) if asked["state"] in set(JobState) else None
    cursor = request.args.get("cursor") or None
    board = services().job_board
    return page(
        "jobs.html",
        counts=_by_kind(board.counts(identity())),
        listed=board.list(identity(), limit=_A_PAGE, cursor=cursor, kind=kind, state=state),
        kind=kind,
        state=state,
        kinds=KINDS,
        states=STATES,
        is_first=cursor is None,
        done=request.args.get("done") == "retried",
        reason_of=_reason_of,
    )


@blueprint.post("/look-after/jobs/<uuid:job_id>/retry")
@for_the_signed_in
def retry_job(job_id: UUID) -> AnyResponse:
    """Try one again, now."""
    services().job_board.retry(identity(), job_id)
    return redirect(url_for("web.jobs", done="retried"), 303)


@blueprint.get("/look-after/jobs/<uuid:job_id>/retry")
def back_to_jobs(job_id: UUID) -> AnyResponse:
    """After a refusal this stands in the address bar, and Enter there asks for it again."""
    return redirect(url_for("web.jobs"))


def _reason_of(job: JobRecord) -> str:
    """Why it failed or waits, as it can be said in any language."""
    return recognised(job.reason or "", REASONS)


def _by_kind(counts: Iterable[JobCount]) -> dict[JobKind, dict[JobState, int]]:
    """The counts as a table, in the order of ``KINDS``."""
    found: dict[JobKind, dict[JobState, int]] = {kind: {} for kind in KINDS}
    for count in counts:
        found[count.kind][count.state] = count.count
    return {kind: states for kind, states in found.items() if states}
