"""Stages bytes in several goes over and over, and is killed one system call later each time.

``python -m tests.storage.crash_appender ROOT`` makes ROOT/0, ROOT/1, …: in ROOT/n the writer got SIGKILL just
before its n-th system call that touches the store. Beside the store, ``told`` has a line for each promise
that the store had given by then. The last folder is the one where the writer lived to the end.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from pathlib import Path

from storage import AppendableStaging, appendable_staging, open_store
from tests.storage.conformance import content, sidecar_of
from tests.storage.crash_writer import die_before

CONTENT = content(300_000)
_ENDS = (100_000, 150_000, 200_000)


def _write(folder: Path, staging: AppendableStaging) -> None:
    key = staging.begin_staged()

    def tell(promise: str) -> None:
        with (folder / "told").open("a") as told:
            told.write(f"{key} {promise}\n")

    tell("0")
    start = 0
    for number, end in enumerate(_ENDS):
        with staging.append_staged(key, provisional=number == 1) as appending:
            appending.write(CONTENT[start:end])
            appending.suspend()
        tell(str(end))
        start = end
    with staging.append_staged(key) as appending:
        appending.write(CONTENT[start:])
    tell(str(staging.staged_size(key)))
    with staging.append_staged(key, provisional=True) as appending:
        appending.write(b"wrong")
        appending.revert()
    with staging.append_staged(key) as appending:
        tell("publishing")
        appending.publish(sidecar_of(CONTENT))
    tell("published")


def main(root: Path) -> None:
    for call in count():
        folder = root / str(call)
        folder.mkdir()
        child = os.fork()
        if not child:
            staging = appendable_staging(open_store((folder / "store").as_uri()))
            assert staging is not None
            die_before(call)
            _write(folder, staging)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            return
        if status != -signal.SIGKILL:
            raise SystemExit(f"the writer ended with {status} in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
