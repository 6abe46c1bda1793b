"""The worker: does jobs, follows the changes into the search index, to other servers and to webhooks, sweeps,
replicates, collects garbage."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from repo_service.domain.resources import JobKind
from repo_service.jobs.queue import Handlers, Queue
from repo_service.services.container import Services
from repo_service.services.jobs import Handler
from repo_service.services.network_mirroring import HomeUnavailable, NetworkMirror

_MIRROR_EVERY: Final = 5.0
"""Seconds between two looks at the home of the index of the network."""

log = structlog.get_logger(__name__)


def handlers_of(services: Services) -> Handlers:
    """What the worker does about each hint."""
    by_kind: dict[JobKind, Handler] = {
        JobKind.INSPECT: services.inspector.inspect,
        JobKind.FINISH: services.resuming.finish,
        JobKind.REPLICATE: services.replicator.replicate,
        JobKind.VERIFY: services.direct.verify,
        JobKind.SNAPSHOT: services.catalogue.run,
        JobKind.FETCH: services.fetching.run,
        JobKind.CLEAN: services.cleaning.run,
        JobKind.INDEX: services.renditions.make,
        JobKind.MAIL: services.letters.run,
        JobKind.ERASE: services.erasing.run,
        JobKind.RECEIVE: services.receiver.run,
        JobKind.DELIVER: services.deliverer.run,
        JobKind.ACQUAINT: services.acquainting.run,
        JobKind.NOTIFY: services.notifier.run,
    }
    following = threading.Lock()
    indexer, network_indexer = services.indexer, services.network_indexer
    if indexer is None or network_indexer is None:
        raise ValueError("the worker needs services that write the search index")

    telling = _OneAtATime(services.teller.follow)
    calling = _OneAtATime(services.webhook_follower.follow)

    def follow() -> None:
        with following:  # each index has one writer, and this process has several threads
            indexer.follow()
            network_indexer.follow()
        telling.do()
        calling.do()

    def sweep() -> None:
        services.direct.revive()
        services.resuming.revive()
        services.catalogue.enqueue_due()
        services.receiver.enqueue_due()
        services.deliverer.enqueue_due()
        services.notifier.enqueue_due()
        services.jobs.sweep()
        follow()

    def collect() -> None:
        services.people.tidy()
        services.throttling.tidy()
        services.reporting.tidy()
        if services.network_mirror is None:  # those that its home has approved are its home's to look at
            services.acquainting.enqueue_due()
        services.inbox.tidy()
        services.idempotency_keys.tidy()
        services.receiver.tidy()
        services.deliverer.tidy()
        services.notifier.tidy()
        log.info("garbage collected", **_counts(services))

    def replicate() -> None:
        owed = services.replicator.enqueue_owed()
        if owed:
            log.info("copies are owed", blobs=owed)
        owed = services.renditions.enqueue_owed()
        if owed:
            log.info("renditions are owed", renditions=owed)
        services.jobs.sweep()

    return Handlers(
        run_job=lambda job_id: services.jobs.run(job_id, by_kind),
        follow_changes=follow,
        sweep=sweep,
        collect_garbage=collect,
        replicate=replicate,
    )


class _OneAtATime:
    """Does something in one thread at a time, once more if it was asked for meanwhile. Others do not wait:
    while a thousand changes are told of, search is brought up to date."""

    def __init__(self, step: Callable[[], object]) -> None:
        self._step = step
        self._lock = threading.Lock()
        self._wanted = threading.Event()

    def do(self) -> None:
        """Have it done after this moment, here or where it is being done."""
        self._wanted.set()
        while self._wanted.is_set() and self._lock.acquire(blocking=False):
            try:
                self._wanted.clear()
                self._step()
            finally:
                self._lock.release()


def work(services: Services, queue: Queue, *, threads: int) -> None:
    """Catch up with what was left, then take hints until stopped."""
    handlers = handlers_of(services)
    _catch_up(handlers.sweep)
    # Beside: in a big catalogue it takes a while to see that nothing is owed.
    threading.Thread(target=_catch_up, args=(handlers.replicate,), name="owed", daemon=True).start()
    if services.network_mirror is not None:
        threading.Thread(target=_mirror, args=(services.network_mirror,), name="mirror", daemon=True).start()
    queue.consume(handlers, threads=threads)


def _mirror(mirror: NetworkMirror) -> None:
    """Follow the home of the index until the process ends. Killed in the middle, it goes on where it was."""
    answers = True
    while True:
        try:
            mirror.follow()
        except HomeUnavailable as error:
            if answers:
                log.warning("the home of the index does not answer", because=str(error))
            answers = False
        except Exception:  # a database that is just started, a full disk
            log.exception("the home of the index could not be followed")
        else:
            answers = True
        time.sleep(_MIRROR_EVERY)


def _catch_up(step: Callable[[], None]) -> None:
    try:
        step()
    except Exception:  # a full disk, a database that is just started: the next sweep comes in a minute
        log.exception("catching up failed")


def _counts(services: Services) -> dict[str, int]:
    collected = services.garbage.collect()
    return {
        "resources": collected.resources,
        "uploads": collected.uploads,
        "blobs": collected.blobs,
        "bytes": collected.bytes,
        "strays": collected.strays,
        "grants": services.grants.sweep(),
        "clients": services.clients.sweep(),
        "accounts": services.people.sweep(),
    }
