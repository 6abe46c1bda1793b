"""Points that a process can be told to stand still at: how it is told, and how it says that it is there.

Everything goes through small files in one folder: ``plan.json`` says where to stop and what for, ``reached``
holds the id of the process that did, and ``go`` lets it go on. Each run of a fault has files of its own, by
the number in their names, so that nothing left over from one can be taken for another's.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from storage import StorageError, StorageFull, StorageUnavailable

Act = Literal["hold", "unavailable", "full"]

_LOOK_SECONDS = 0.01


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where a process should stop, once, and what it does there.

    ``role`` is the process (web, worker, command), ``point`` the place in it; ``store`` the one concerned,
    where that matters; ``size`` how many bytes must have passed. ``hold`` stands still until it is let go on
    or killed; the others make the store fail from that moment on, as long as the plan stands.
    """

    number: int
    role: str
    point: str
    act: Act = "hold"
    store: str = ""
    size: int = 0


class Folder:
    """The folder as the harness uses it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(parents=True, exist_ok=True)

    def plan(self, plan: Plan) -> None:
        """Have it done from now on."""
        new = self._path / "plan.new"
        new.write_text(json.dumps(asdict(plan)))
        new.replace(self._path / "plan.json")

    def reached(self, plan: Plan) -> int | None:
        """The id of the process that stands there, or did; None until one does."""
        with suppress(FileNotFoundError):
            text = (self._path / f"reached.{plan.number}").read_text()
            return int(text) if text else None
        return None

    def let_go(self, plan: Plan) -> None:
        """Whoever stands there goes on."""
        (self._path / f"go.{plan.number}").touch()

    def forget(self) -> None:
        """No plan any more: stores that were made to fail work again."""
        (self._path / "plan.json").unlink(missing_ok=True)


class Points:
    """The folder as a process of the service uses it."""

    def __init__(self, path: Path, role: str) -> None:
        self._path = path
        self._role = role
        self._plan: Plan | None = None
        self._seen: tuple[int, int] | None = None

    def reach(self, point: str, *, store: str = "", size: int = 0) -> None:
        """The process is at ``point`` now. Raises what the plan says about a store."""
        plan = self._current()
        if plan is None:
            return
        if (
            (plan.role, plan.point) == (self._role, point)
            and plan.store in ("", store)
            and size >= plan.size
            and self._is_first(plan)
            and plan.act == "hold"
        ):
            self._hold(plan)

    def expect(self, store: str, *, writes: bool) -> None:
        """The process is about to use ``store``. Raises StorageUnavailable or StorageFull when it may not."""
        plan = self._current()
        if plan is None or plan.act == "hold" or plan.store != store:
            return
        if self._reached(plan).exists() and (writes or plan.act == "unavailable"):
            raise _error(plan.act)

    def _current(self) -> Plan | None:
        path = self._path / "plan.json"
        try:
            found = path.stat()
        except FileNotFoundError:
            self._seen = self._plan = None
            return None
        seen = (found.st_ino, found.st_mtime_ns)
        if seen != self._seen:
            with suppress(FileNotFoundError):
                self._plan, self._seen = Plan(**json.loads(path.read_text())), seen
        return self._plan

    def _is_first(self, plan: Plan) -> bool:
        try:
            made = os.open(self._reached(plan), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            return False
        os.write(made, str(os.getpid()).encode())
        os.close(made)
        return True

    def _reached(self, plan: Plan) -> Path:
        return self._path / f"reached.{plan.number}"

    def _hold(self, plan: Plan) -> None:
        go = self._path / f"go.{plan.number}"
        while not go.exists():
            time.sleep(_LOOK_SECONDS)


def _error(act: Act) -> StorageError:
    return StorageFull("injected") if act == "full" else StorageUnavailable("injected")
