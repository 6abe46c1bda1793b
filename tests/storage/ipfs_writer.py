"""Writers of the IPFS store in processes of their own.

``python -m tests.storage.ipfs_writer publish URL SEED COUNT`` publishes COUNT blobs, every other one the same
as all other writers', and prints their locators.

``python -m tests.storage.ipfs_writer crash HOST ROOT`` publishes one blob over and over, and is killed one
request to the node later each time; it prints a line for each death.
"""

from __future__ import annotations

import http.client
import os
import signal
import sys
from itertools import count
from typing import Any

from storage import BlobStore, open_store
from storage.checked import CheckedStore
from storage.ipfs import IpfsDriver
from storage.kubo import Kubo, Patience
from tests.storage.conformance import content, publish

CONTENT = content(600_000)


def store_with(patience: Patience, host: str, root: str) -> BlobStore:
    return CheckedStore(IpfsDriver(Kubo(host, patience=patience), root=root))


def publish_many(url: str, seed: int, number: int) -> None:
    store = open_store(url)
    for n in range(number):
        print(publish(store, content(300_000 + n, seed=n if n % 2 else 1000 * seed + n)), flush=True)


def crash(host: str, root: str) -> None:
    patience = Patience(lease=0.5)  # those who died are waited for
    for request in count():
        child = os.fork()
        if not child:
            _die_before(request)
            publish(store_with(patience, host, root), CONTENT)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            return
        if status != -signal.SIGKILL:
            raise SystemExit(f"the writer ended with {status} before request {request}")
        print(request, flush=True)


def _die_before(request: int) -> None:
    """Make this process kill itself instead of sending its ``request``-th request to the node."""
    requests = count()
    real = http.client.HTTPConnection.putrequest

    def deadly(*args: Any, **options: Any) -> None:
        if next(requests) == request:
            os.kill(os.getpid(), signal.SIGKILL)
        real(*args, **options)

    http.client.HTTPConnection.putrequest = deadly  # type: ignore[method-assign] # that is its purpose


if __name__ == "__main__":
    match sys.argv[1:]:
        case "publish", url, seed, number:
            publish_many(url, int(seed), int(number))
        case "crash", host, root:
            crash(host, root)
        case _:
            raise SystemExit(__doc__)
