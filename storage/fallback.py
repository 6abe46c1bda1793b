"""One blob in several stores: read from the first good copy, and go on from the next where that one fails.

Where the checksums of its chunks are known (``storage.checks``), no wrong byte goes out: each chunk is read
whole and checked before any of it is handed on, however small the range is. Without them a copy is left only
when its store says that something is wrong, or when it ends early.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from storage.base import CHUNK_SIZE, BlobReader, BlobStore, Locator
from storage.checks import CHUNK, chunk_is_right, fits
from storage.errors import BlobDamaged, BlobNotFound, InvalidRange, StorageError, StorageUnavailable


class Fault(enum.StrEnum):
    """What a copy did wrong. ``unavailable`` is the store's trouble and says nothing about the bytes."""

    UNAVAILABLE = "unavailable"
    MISSING = "missing"
    CORRUPT = "corrupt"


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a blob: which store has it, and where."""

    store: BlobStore
    locator: Locator


class Watcher(Protocol):
    """Is asked about copies and told what became of them. It must not raise."""

    def avoid(self, copy: Copy) -> bool:
        """Whether the copy should be tried after the others. Asked once, and only where there are others."""

    def answered(self, copy: Copy) -> None:
        """The store has given bytes of it, or said that it is there."""

    def failed(self, copy: Copy, fault: Fault, error: StorageError) -> None:
        """It will not be used any more, or, when a chunk is wrong, not for this chunk."""


class BlobCopies:
    """The copies of one blob, in the order in which they are tried. For one thread.

    What failed is not tried again, in this or any later reader of the same object.
    """

    def __init__(
        self, copies: Sequence[Copy], *, size: int, checks: bytes | None = None, watcher: Watcher
    ) -> None:
        """``size`` of the blob in bytes, ``checks`` its checksums; what cannot be its own is ignored."""
        self.size = size
        self._checks = checks if checks is not None and fits(checks, size) else None
        self._watcher = watcher
        self._left = list(copies)
        self._alone = len(self._left) == 1
        self._ordered = self._alone
        self._errors: list[StorageError] = []

    def open(self, *, offset: int = 0, length: int | None = None, checked: bool = True) -> FallbackReader:
        """Read ``length`` bytes from ``offset``; None reads to the end. ``checked``: hold each chunk against
        its checksum, where there is one.

        No store is asked before the first read. That raises, as any later one, once no copy is left: what the
        store said of one that may be good (StorageUnavailable), else BlobDamaged when one is there but wrong,
        else BlobNotFound. Raises InvalidRange when ``offset`` is beyond the end.
        """
        if not 0 <= offset <= self.size:
            raise InvalidRange(f"offset {offset} is beyond the end ({self.size} bytes)")
        end = self.size if length is None else min(self.size, offset + length)
        return FallbackReader(self, offset, end, self._checks if checked else None)

    def locate(self) -> Copy:
        """The copy to read from. Where there are several, its store has just said that it is there.

        Its bytes are not looked at. Raises as reading does.
        """
        while True:
            copy = self.next_copy()
            if self._alone:
                return copy
            try:
                found = copy.store.stat(copy.locator)
            except StorageError as error:
                self.drop(copy, fault_of(error), error)
            else:
                if found.size == self.size:
                    self._watcher.answered(copy)
                    return copy
                self.drop(copy, Fault.CORRUPT, _of_wrong_size(found.size, self.size))

    def next_copy(self, but: Collection[Copy] = ()) -> Copy:
        """The first that is left and not in ``but``. Raises what there is to say of those that failed."""
        if not self._ordered:
            self._ordered = True
            self._left.sort(key=self._watcher.avoid)
        for copy in self._left:
            if copy not in but:
                return copy
        raise self._verdict()

    def answered(self, copy: Copy) -> None:
        """Bytes came from it."""
        self._watcher.answered(copy)

    def drop(self, copy: Copy, fault: Fault, error: StorageError) -> None:
        """Use this copy no more."""
        self._left.remove(copy)
        self._tell(copy, fault, error)

    def demote(self, copy: Copy, error: StorageError) -> None:
        """Use this copy, a chunk of which is wrong, only where all others fail."""
        self._left.remove(copy)
        self._left.append(copy)
        self._tell(copy, Fault.CORRUPT, error)

    def _tell(self, copy: Copy, fault: Fault, error: StorageError) -> None:
        self._errors.append(error)
        self._watcher.failed(copy, fault, error)

    def _verdict(self) -> StorageError:
        def hope(error: StorageError) -> int:
            return 1 if isinstance(error, BlobDamaged) else 2 if isinstance(error, BlobNotFound) else 0

        return min(self._errors, key=hope, default=BlobNotFound("no store has this blob"))


class FallbackReader:
    """A ``BlobReader`` over several copies. Holds one block, and less than a chunk more."""

    def __init__(self, copies: BlobCopies, offset: int, end: int, checks: bytes | None) -> None:
        step = 1 if checks is None else CHUNK
        self._copies = copies
        self._checks = checks
        self._step = step
        self._at = offset - offset % step
        """Where the next block begins."""
        self._skip = offset % step
        """Bytes of the next block that come before what was asked for."""
        self._end = end
        self._stop = min(copies.size, -(-end // step) * step) if offset < end else self._at
        self._kept = b""
        self._copy: Copy | None = None
        self._reader: BlobReader | None = None
        self._wrong_here: set[Copy] = set()

    def read(self, size: int = -1, /) -> bytes:
        """See ``BlobReader``. Raises as ``BlobCopies.open`` says."""
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_SIZE), b""))
        if not self._kept and size:
            self._kept = self._next_block(size)
        data, self._kept = self._kept[:size], self._kept[size:]
        return data

    def close(self) -> None:
        """Let go of the copy that is being read."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next_block(self, size: int) -> bytes:
        """The next bytes of the range, about ``size``, from whichever copy has them; empty at the end."""
        while self._at < self._stop:
            wanted = min(-(-(self._skip + size) // self._step) * self._step, self._stop - self._at)
            block = self._right_part(self._fetch(wanted), wanted)
            if block:
                self._at += len(block)
                self._wrong_here.clear()
                start, self._skip = self._skip, 0
                return block[start : len(block) - max(0, self._at - self._end)]
        return b""

    def _fetch(self, wanted: int) -> bytes:
        """Up to ``wanted`` bytes, as they stand in the copy at hand; empty when it failed."""
        if self._reader is None:
            self._copy = self._copies.next_copy(self._wrong_here)
        copy = self._copy
        assert copy is not None
        opened = self._reader is None
        try:
            block = self._read(copy, wanted)
        except InvalidRange:  # it ends before this place
            block = b""
        except StorageError as error:
            self._leave(copy, fault_of(error), error)
            return b""
        if not block:
            self._leave(copy, *self._why_short(copy))
        elif opened:
            self._copies.answered(copy)
        return block

    def _read(self, copy: Copy, wanted: int) -> bytes:
        """Up to ``wanted`` bytes; where there are checksums, fewer only at the end or near damage."""
        try:
            if self._reader is None:
                self._reader = copy.store.open(copy.locator, offset=self._at, length=self._stop - self._at)
            return self._reader.read(wanted) if self._checks is None else _whole(self._reader, wanted)
        except BlobDamaged:
            if self._checks is None:
                raise
            # It does not say where, and what came before is gone. The chunk here may be right, and only here:
            # it is asked for by itself. What is damaged is met again when it is the next.
            self.close()
            wanted = min(CHUNK, wanted)
            with copy.store.open(copy.locator, offset=self._at, length=wanted) as alone:
                return _whole(alone, wanted)

    def _right_part(self, block: bytes, wanted: int) -> bytes:
        """The chunks of ``block`` up to the first wrong one."""
        if self._checks is None:
            return block
        with memoryview(block) as view:
            for start in range(0, len(block), CHUNK):
                number = (self._at + start) // CHUNK
                if not chunk_is_right(self._checks, number, view[start : start + CHUNK]):
                    assert self._copy is not None
                    cut = len(block) < wanted and start + CHUNK > len(block)
                    wrong = Fault.CORRUPT, BlobDamaged(f"chunk {number} is wrong")
                    self._leave(self._copy, *(self._why_short(self._copy) if cut else wrong))
                    return block[:start]
        return block

    def _why_short(self, copy: Copy) -> tuple[Fault, StorageError]:
        """What it means that the copy ended early: its file is short, or the line broke without a word."""
        try:
            found = copy.store.stat(copy.locator)
        except StorageError as error:
            return fault_of(error), error
        if found.size == self._copies.size:
            return Fault.UNAVAILABLE, StorageUnavailable("the bytes ended early")
        return Fault.CORRUPT, _of_wrong_size(found.size, self._copies.size)

    def _leave(self, copy: Copy, fault: Fault, error: StorageError) -> None:
        self.close()
        if fault is Fault.CORRUPT and self._checks is not None:
            self._wrong_here.add(copy)
            self._copies.demote(copy, error)
        else:
            self._copies.drop(copy, fault, error)


def fault_of(error: StorageError) -> Fault:
    """What a store's error says about the copy that was asked for."""
    match error:
        case BlobDamaged():
            return Fault.CORRUPT
        case BlobNotFound():
            return Fault.MISSING
        case _:
            return Fault.UNAVAILABLE


def _whole(reader: BlobReader, wanted: int) -> bytes:
    """``wanted`` bytes, fewer only at the end."""
    block = reader.read(wanted)
    if len(block) == wanted or not block:
        return block
    pieces, left = [block], wanted - len(block)
    while left and (piece := reader.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _of_wrong_size(found: int, expected: int) -> BlobDamaged:
    return BlobDamaged(f"{found} bytes stand where {expected} belong")
