"""Reading one blob from several copies: the right bytes, or none."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from storage import (
    CHUNK_SIZE,
    BlobCopies,
    BlobDamaged,
    BlobNotFound,
    BlobReader,
    BlobStat,
    BlobStore,
    Copy,
    Fault,
    InvalidRange,
    Locator,
    StorageError,
    StorageRefused,
    StorageUnavailable,
    open_store,
)
from storage.checks import Checks, fits
from tests.storage.conformance import MIB, content, publish

SIZE = 3 * CHUNK_SIZE + 100
DATA = content(SIZE)

RANGES = [
    (0, None),
    (0, 1),
    (5, 10),
    (CHUNK_SIZE - 1, 2),
    (CHUNK_SIZE, CHUNK_SIZE),
    (CHUNK_SIZE + 4, 3),
    (2 * CHUNK_SIZE, None),
    (7, 2 * CHUNK_SIZE),
    (SIZE - 1, 1),
    (SIZE, None),
    (0, 0),
]


def _checks(data: bytes) -> bytes:
    checks = Checks()
    checks.update(data)
    return checks.value()


@dataclass
class Watched:
    """A watcher that remembers."""

    silent: set[str] = field(default_factory=set)
    failures: list[tuple[str, Fault]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def avoid(self, copy: Copy) -> bool:
        return copy.store.name in self.silent

    def answered(self, copy: Copy) -> None:
        self.answers.append(copy.store.name)

    def failed(self, copy: Copy, fault: Fault, error: StorageError) -> None:
        assert isinstance(error, StorageError)
        self.failures.append((copy.store.name, fault))


class Tampering:
    """A store whose ``open`` is another, as a test needs it."""

    def __init__(self, store: BlobStore, opened: Callable[[BlobReader], BlobReader]) -> None:
        self._store = store
        self._opened = opened

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def open(self, locator: Locator, *, offset: int = 0, length: int | None = None) -> BlobReader:
        return self._opened(self._store.open(locator, offset=offset, length=length))


class _Breaking:
    """Gives so many bytes, then fails as the network does, or ends without a word."""

    def __init__(self, reader: BlobReader, after: int, error: StorageError | None) -> None:
        self._reader = reader
        self._left = after
        self._error = error

    def read(self, size: int = -1, /) -> bytes:
        if not self._left and self._error is not None:
            raise self._error
        data = self._reader.read(min(self._left, size))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _copy(name: str, data: bytes = DATA) -> Copy:
    store = open_store(f"memory:?name={name}")
    return Copy(store, publish(store, data))


def _broken(name: str, after: int, error: StorageError | None) -> Copy:
    copy = _copy(name)
    store: Any = Tampering(copy.store, lambda reader: _Breaking(reader, after, error))
    return Copy(store, copy.locator)


def _flipped(at: int) -> bytes:
    data = bytearray(DATA)
    data[at] ^= 1
    return bytes(data)


def _lost(name: str) -> Copy:
    copy = _copy(name)
    copy.store.delete(copy.locator)
    return copy


def _copies(
    *copies: Copy, watched: Watched | None = None, checks: bytes | None = None, size: int = SIZE
) -> BlobCopies:
    return BlobCopies(copies, size=size, checks=checks, watcher=watched or Watched())


def _read(copies: BlobCopies, offset: int, length: int | None, step: int, *, checked: bool = True) -> bytes:
    pieces = []
    with copies.open(offset=offset, length=length, checked=checked) as reader:
        while piece := reader.read(step):
            assert step < 0 or len(piece) <= step
            pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("step", [1000, CHUNK_SIZE, MIB, -1])
@pytest.mark.parametrize(("offset", "length"), RANGES)
@pytest.mark.parametrize("checked", [True, False])
def test_any_range_by_any_step(offset: int, length: int | None, step: int, checked: bool) -> None:
    """Checked or not, of one copy or several."""
    expected = DATA[offset : None if length is None else offset + length]
    one, two = _copy("one"), _copy("two")
    checks = _checks(DATA) if checked else None
    for copies in (_copies(one, checks=checks), _copies(one, two, checks=checks)):
        assert _read(copies, offset, length, step) == expected


@pytest.mark.parametrize("step", [1000, CHUNK_SIZE, MIB])
@pytest.mark.parametrize(("offset", "length"), RANGES)
def test_no_wrong_byte_goes_out(offset: int, length: int | None, step: int) -> None:
    """Whatever range is read: the other copy gives what is wrong in the first."""
    for at in (0, CHUNK_SIZE - 1, CHUNK_SIZE + 5, 2 * CHUNK_SIZE, SIZE - 1):
        copies = _copies(_copy("bad", _flipped(at)), _copy("good"), checks=_checks(DATA))
        assert (
            _read(copies, offset, length, step) == DATA[offset : None if length is None else offset + length]
        )


def test_the_copy_that_was_wrong_is_told_once() -> None:
    """And that the other one answered."""
    watched = Watched()
    copies = _copies(_copy("bad", _flipped(CHUNK_SIZE)), _copy("good"), checks=_checks(DATA), watched=watched)
    assert _read(copies, 0, None, MIB) == DATA
    assert watched.failures == [("bad", Fault.CORRUPT)]
    assert watched.answers == ["bad", "good"]


def test_two_damaged_copies_make_one_right_file() -> None:
    """Where each is right, it is read."""
    first, second = _copy("first", _flipped(5)), _copy("second", _flipped(2 * CHUNK_SIZE + 5))
    copies = _copies(first, second, checks=_checks(DATA))
    assert _read(copies, 0, None, CHUNK_SIZE) == DATA


class _Refusing(_Breaking):
    """Fails a whole read that touches a damaged chunk, as a store does that checks what it reads."""

    def __init__(self, reader: BlobReader, start: int, damaged: int) -> None:
        super().__init__(reader, SIZE, None)
        self._at = start
        self._damaged = damaged * CHUNK_SIZE

    def read(self, size: int = -1, /) -> bytes:
        if self._at <= self._damaged < self._at + size:
            raise BlobDamaged("somewhere in there")
        data = super().read(size)
        self._at += len(data)
        return data


class _RefusingStore(Tampering):
    def __init__(self, store: BlobStore, damaged: int) -> None:
        super().__init__(store, lambda reader: reader)
        self._damaged = damaged

    def open(self, locator: Locator, *, offset: int = 0, length: int | None = None) -> BlobReader:
        reader = super().open(locator, offset=offset, length=length)
        return _Refusing(reader, offset, self._damaged)


def _refusing(name: str, chunk: int) -> Copy:
    copy = _copy(name)
    store: Any = _RefusingStore(copy.store, chunk)
    return Copy(store, copy.locator)


def _wrong(name: str, chunk: int) -> Copy:
    return _copy(name, _flipped(chunk * CHUNK_SIZE + 5))


@pytest.mark.parametrize("step", [1000, CHUNK_SIZE, MIB, -1])
@pytest.mark.parametrize(("one", "other"), [(0, 1), (1, 0), (1, 2), (2, 1), (0, 3), (3, 2)])
@pytest.mark.parametrize(
    "makes",
    [
        (_refusing, _wrong),
        (_wrong, _refusing),
        (_refusing, _refusing),
    ],
)
def test_one_that_breaks_off_still_gives_its_right_chunks(
    makes: tuple[Callable[[str, int], Copy], ...], one: int, other: int, step: int
) -> None:
    """However much is asked for at once: each chunk is right in one of both."""
    watched = Watched()
    copies = [make(name, chunk) for make, name, chunk in zip(makes, "ab", (one, other), strict=True)]
    assert _read(_copies(*copies, checks=_checks(DATA), watched=watched), 0, None, step) == DATA
    assert set(watched.failures) <= {("a", Fault.CORRUPT), ("b", Fault.CORRUPT)}


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda: _lost("first"), Fault.MISSING),
        (lambda: _broken("first", 0, StorageUnavailable("no route")), Fault.UNAVAILABLE),
        (lambda: _broken("first", CHUNK_SIZE + 7, StorageUnavailable("reset")), Fault.UNAVAILABLE),
        (lambda: _broken("first", 10, StorageRefused("the key expired")), Fault.UNAVAILABLE),
        (lambda: _broken("first", CHUNK_SIZE + 7, None), Fault.UNAVAILABLE),
        (lambda: _copy("first", DATA[: CHUNK_SIZE + 7]), Fault.CORRUPT),
        (lambda: _copy("first", b""), Fault.CORRUPT),
        (lambda: _broken("first", 9, BlobDamaged("a block is lost")), Fault.CORRUPT),
    ],
)
def test_what_fails_is_left_at_the_same_place(make: Callable[[], Copy], fault: Fault, checked: bool) -> None:
    """Missing, silent, cut off or short: the next copy goes on, and it is told what happened."""
    watched = Watched()
    checks = _checks(DATA) if checked else None
    copies = _copies(make(), _copy("second"), checks=checks, watched=watched)
    assert _read(copies, 0, None, 100_000) == DATA
    assert watched.failures == [("first", fault)]
    if fault is not Fault.CORRUPT or not checked:
        watched.failures.clear()
        assert _read(copies, CHUNK_SIZE + 100, 50, 50) == DATA[CHUNK_SIZE + 100 :][:50]
        assert watched.failures == [], "what failed is not asked again"


def test_a_range_of_a_short_copy() -> None:
    """It begins beyond what is left of it."""
    watched = Watched()
    copies = _copies(_copy("short", DATA[:100]), _copy("whole"), watched=watched)
    assert _read(copies, CHUNK_SIZE, 50, 50) == DATA[CHUNK_SIZE:][:50]
    assert watched.failures == [("short", Fault.CORRUPT)]


def test_a_single_wrong_copy_breaks_off_before_the_wrong_chunk() -> None:
    """Nobody takes what came for the whole."""
    reader = _copies(_copy("only", _flipped(CHUNK_SIZE + 5)), checks=_checks(DATA)).open()
    assert reader.read(MIB) == DATA[:CHUNK_SIZE]
    with pytest.raises(BlobDamaged):
        reader.read(MIB)
    reader.close()


@pytest.mark.parametrize(
    ("copies", "error"),
    [
        (lambda: (_lost("a"), _lost("b")), BlobNotFound),
        (lambda: (_lost("a"), _copy("b", _flipped(0))), BlobDamaged),
        (lambda: (_copy("a", _flipped(0)), _broken("b", 0, StorageUnavailable("down"))), StorageUnavailable),
        (lambda: (_lost("a"), _broken("b", 0, StorageRefused("no"))), StorageRefused),
        (lambda: (), BlobNotFound),
    ],
)
def test_when_all_fail_the_one_that_may_be_right_is_told(
    copies: Callable[[], tuple[Copy, ...]], error: type[StorageError]
) -> None:
    """A store that is down may have it: that is no lost file."""
    reader = _copies(*copies(), checks=_checks(DATA)).open()
    with pytest.raises(error) as raised:
        reader.read(1)
    assert type(raised.value) is error


def test_stores_that_were_silent_are_tried_last() -> None:
    """And still, when there is nothing else."""
    watched = Watched(silent={"first"})
    assert _read(_copies(_copy("first"), _copy("second"), watched=watched), 0, None, MIB) == DATA
    assert watched.answers == ["second"]
    assert _read(_copies(_copy("first"), _lost("second"), watched=watched), 0, None, MIB) == DATA
    assert _read(_copies(_copy("first"), watched=watched), 0, None, MIB) == DATA


def test_unchecked_reads_ask_for_just_those_bytes() -> None:
    """Inspection counts on it; checked ones take whole chunks, and no more of them than needed."""
    asked: list[tuple[int, int | None]] = []
    copy = _copy("only")

    class Counting(Tampering):
        def open(self, locator: Locator, *, offset: int = 0, length: int | None = None) -> BlobReader:
            asked.append((offset, length))
            return self._store.open(locator, offset=offset, length=length)

    store: Any = Counting(copy.store, lambda reader: reader)
    copies = _copies(Copy(store, copy.locator), checks=_checks(DATA))
    _read(copies, CHUNK_SIZE + 5, 20, 20, checked=False)
    _read(copies, CHUNK_SIZE + 5, 20, 20)
    _read(copies, 5, 0, 20)
    assert asked == [(CHUNK_SIZE + 5, 20), (CHUNK_SIZE, CHUNK_SIZE)]


def test_checksums_of_another_size_are_ignored() -> None:
    """They are of no use, and a file must not be lost by them."""
    assert not fits(_checks(DATA[:-CHUNK_SIZE]), SIZE)
    assert fits(b"", 0)
    assert _read(_copies(_copy("only"), checks=_checks(DATA[:CHUNK_SIZE])), 0, None, MIB) == DATA


def test_an_empty_blob() -> None:
    assert _read(_copies(_copy("only", b""), checks=b"", size=0), 0, None, MIB) == b""


@pytest.mark.parametrize("offset", [-1, SIZE + 1])
def test_a_range_that_is_none(offset: int) -> None:
    with pytest.raises(InvalidRange):
        _copies(_copy("only")).open(offset=offset)


def test_locating_asks_only_where_there_is_a_choice() -> None:
    """One copy is taken at its word; of several the first that its store says is there, and whole."""
    lost, short, good = _lost("lost"), _copy("short", b"x"), _copy("good")
    assert _copies(lost).locate() == lost
    watched = Watched()
    copies = _copies(lost, short, good, watched=watched)
    assert copies.locate() == good
    assert watched.failures == [("lost", Fault.MISSING), ("short", Fault.CORRUPT)]
    with pytest.raises(BlobDamaged):
        _copies(lost, short).locate()


def test_stat_that_fails_is_no_word_about_the_bytes() -> None:
    """The store is left alone for now."""

    class Down(Tampering):
        def stat(self, locator: Locator) -> BlobStat:
            raise StorageUnavailable("no route")

    first, watched = _copy("first"), Watched()
    down: Any = Down(first.store, lambda reader: reader)
    second = _copy("second")
    assert _copies(Copy(down, first.locator), second, watched=watched).locate() == second
    assert watched.failures == [("first", Fault.UNAVAILABLE)]


def test_memory_is_bounded(tmp_path: Path) -> None:
    """A block of what is asked for, and a chunk."""
    data = content(16 * MIB)
    bad = bytearray(data)
    bad[5 * MIB] ^= 1
    stores = {name: open_store(f"{(tmp_path / name).as_uri()}?name={name}") for name in ("bad", "good")}
    first = Copy(stores["bad"], publish(stores["bad"], bytes(bad)))
    second = Copy(stores["good"], publish(stores["good"], data))
    copies = _copies(first, second, checks=_checks(data), size=len(data))
    with copies.open(offset=3) as reader:
        reader.read(1)
        tracemalloc.start()
        while reader.read(CHUNK_SIZE):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * CHUNK_SIZE
