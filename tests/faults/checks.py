"""What has to hold after every fault, however it came."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import httpx
from sqlalchemy import func, select, update

from repo_service.domain.resources import JobState, LocationState
from repo_service.models import Blob, BlobLocation, Change, Job, Resource, Upload
from repo_service.models.base import now
from repo_service.services import garbage
from repo_service.services.quota import used_bytes
from repo_service.services.wanted import only_rendition
from tests.faults.clients import Share
from tests.faults.site import Site
from tests.support.running import wait_for

_SETTLE_SECONDS = 90
_LONG = timedelta(days=30)


class Broken(Exception):
    """An invariant does not hold. The message says which."""


def settle(site: Site) -> None:
    """Wait until no job is left to do and the index has followed. Raises Broken when that does not come."""
    _wait(lambda: not _unsettled(site), lambda: f"not settled: {_unsettled(site)}")


def check_kept(site: Site, share: Share) -> int:
    """Whatever the teacher has of this file is whole, inspected, released, found and replicated; returns how
    many resources that are."""
    resources = share.own_resources()
    _require(bool(share.resource), "the file could not be shared again")
    ids = [resource["id"] for resource in resources]
    _require(share.resource["id"] in ids, "the resource that was acknowledged is not there")
    for resource in resources:
        _check_resource(share, resource)
    _wait(
        lambda: set(ids) <= set(_found(site, share)),
        lambda: f"search finds {_found(site, share)}, not {ids}",
    )
    _check_copies(site, share.file.digest)
    wrong = list(site.services.verifier.verify())
    _require(not wrong, f"verify: {wrong}")
    with site.services.database.read() as session:
        failed = session.execute(select(Job.kind, Job.reason).where(Job.state == JobState.FAILED.value)).all()
    _require(not failed, f"jobs failed: {failed}")
    _require(httpx.get(f"{site.url}/readyz", timeout=20).is_success, "the service is not ready")
    return len(resources)


def check_no_orphans(site: Site) -> None:
    """After all grace periods the stores hold just what the catalogue names, and the quota counts that."""
    let_time_pass(site)
    with patch.object(garbage, "_ABANDONED", timedelta(0)):
        site.services.garbage.collect(grace=timedelta(0))
    with site.services.database.read() as session:
        rows = session.execute(select(BlobLocation.store, BlobLocation.locator, BlobLocation.digest)).all()
        used = used_bytes(session, site.account)
        # What the service makes for itself is on nobody's account.
        theirs = select(func.coalesce(func.sum(Blob.size), 0)).where(~only_rendition())
        kept = session.scalar(theirs)
        uploads = session.scalars(select(Upload.state)).all()
    for place in site.places:
        named = {row.locator for row in rows if row.store == place.name}
        wanted = named | {f"{name}.json" for name in named}
        there = place.listing()
        _require(
            there == wanted,
            f"{place.name} has {sorted(there - wanted)} besides, and lacks {sorted(wanted - there)}",
        )
    spool = [path for path in (site.disk.path / "spool").rglob("*") if path.is_file()]
    _require(not spool, f"the spool has {spool}")
    _require(not uploads, f"uploads are left: {uploads}")
    _require(used == kept, f"the quota counts {used} bytes, {kept} are kept")


def check_nothing_is_left(site: Site, shares: Sequence[Share]) -> None:
    """Once everything is withdrawn and all grace periods are over, the stores are empty."""
    for share in shares:
        for resource in share.own_resources():
            share.send("POST", f"/api/v1/resources/{resource['id']}/withdraw", json={"reason": "Over."})
    settle(site)
    check_no_orphans(site)
    left = {place.name: listing for place in site.places if (listing := place.listing())}
    _require(not left, f"left in the stores: {left}")


def _check_resource(share: Share, resource: dict[str, Any]) -> None:
    _require(resource["visibility"] == "public", f"the resource is {resource['visibility']}")
    for version in resource["versions"]:
        _require(version["processing"]["state"] == "done", f"processing: {version['processing']}")
        _require(version["sha256"] == share.file.digest, "another SHA-256 than was sent")
        answer = httpx.get(version["download_url"], timeout=60, follow_redirects=True)
        _require(answer.is_success, f"the download is answered {answer.status_code}: {answer.text[:200]}")
        _require(hashlib.sha256(answer.content).hexdigest() == share.file.digest, "other bytes come back")
        inspection = httpx.get(version["inspection_url"], timeout=60)
        _require(inspection.is_success, f"the inspection is answered {inspection.status_code}")
        _require(inspection.json()["kind"] == "course", "something else was inspected")


def _check_copies(site: Site, digest: str) -> None:
    wanted = {place.name for place in site.places}
    with site.services.database.read() as session:
        present = session.scalars(
            select(BlobLocation.store).where(
                BlobLocation.digest == digest, BlobLocation.state == LocationState.PRESENT.value
            )
        ).all()
    _require(set(present) == wanted, f"copies in {sorted(present)}, wanted in {sorted(wanted)}")


def _found(site: Site, share: Share) -> list[str]:
    answer = httpx.get(f"{site.url}/api/v1/resources", params={"q": share.file.word}, timeout=20)
    return [item["id"] for item in answer.json()["items"]] if answer.is_success else []


def _unsettled(site: Site) -> list[str]:
    with site.services.database.read() as session:
        jobs = session.execute(
            select(Job.kind, Job.state, Job.attempts, Job.reason).where(
                Job.state.in_((JobState.QUEUED.value, JobState.RUNNING.value))
            )
        ).all()
        changes = session.scalar(select(func.count()).select_from(Change).where(Change.seq.is_(None)))
    return [str(tuple(job)) for job in jobs] + ([f"{changes} changes without a number"] if changes else [])


def let_time_pass(site: Site) -> None:
    """As if everything had happened long ago."""
    long_ago = now() - _LONG
    with site.services.database.write() as session:
        session.execute(update(Upload).values(expires_at=long_ago, held_until=None, holder=None))
        session.execute(update(Blob).values(claimed_at=long_ago))
        session.execute(update(Blob).where(Blob.deleting_at.is_not(None)).values(deleting_at=long_ago))
        session.execute(
            update(Resource).where(Resource.withdrawn_at.is_not(None)).values(withdrawn_at=long_ago)
        )


def _wait(holds: Callable[[], bool], what: Callable[[], str]) -> None:
    try:
        wait_for(holds, "", _SETTLE_SECONDS)
    except AssertionError as error:
        raise Broken(what()) from error


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)
