"""Room in a store: what operators want to stay free stays free, however many files come at once."""

from __future__ import annotations

from repo_service.domain.errors import StorageFull
from storage import BlobStore

_LOOK_EVERY = 16 * 1024 * 1024


class Room:
    """Of one store, of which ``min_free`` bytes have to stay free. Stores that cannot tell have room."""

    def __init__(self, store: BlobStore, *, min_free: int) -> None:
        self._store = store
        self._min_free = min_free

    def require(self, size: int = 0) -> None:
        """Raises StorageFull unless ``size`` bytes more still leave what has to stay free."""
        free = self._store.free_bytes()
        if free is not None and free - size < self._min_free:
            raise StorageFull("The repository has no room for this file at the moment: try again later.")


class Filling:
    """One file on its way in. Others come at the same time, so room is looked for again and again."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._since = 0

    def add(self, size: int) -> None:
        """So many bytes have come. Raises StorageFull."""
        self._since += size
        if self._since >= _LOOK_EVERY:
            self._since = 0
            self._room.require()
