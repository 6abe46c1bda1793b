"""The members of an archive, as who reads here and there in it sees them."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Self

from repo_service.inspection.archives.base import invalid_member


@dataclass(frozen=True, slots=True)
class Member:
    """``name`` is relative, with ``/``; that of a directory ends with one. ``size`` in bytes, inflated."""

    name: str
    size: int

    @property
    def is_file(self) -> bool:
        return not self.name.endswith("/")


@dataclass(frozen=True, slots=True)
class Packed:
    """What is known of a member that is compressed already; sizes in bytes."""

    method: int
    crc: int
    compressed: int
    size: int


class Names:
    """The names of all members in their order, and where each stands.

    One piece of text and two arrays: half a million strings in a dictionary would take ten times as much.
    """

    def __init__(self, text: bytes | memoryview = b"", ends: array[int] | None = None) -> None:
        """``text`` is all names, one behind the other; ``ends`` is where each ends in it."""
        self.text = bytearray(text)
        self.ends = array("Q") if ends is None else ends
        self._hashes = array("q", [hash(name) for name in self])
        self._slots = array("I", bytes(4))

    @property
    def length(self) -> int:
        """Of all names together, in bytes."""
        return len(self.text)

    def add(self, name: str) -> bytes:
        """Returns it as it is held."""
        encoded = name.encode()
        self.text += encoded
        self.ends.append(len(self.text))
        self._hashes.append(hash(name))
        return encoded

    def index(self) -> None:
        """To be called when all are there, before one is looked for.

        Raises InvalidFile when two files have the same name: which of them counts depends on who unpacks.
        """
        # A table with open addressing, at most half full; 0 is empty, else the place of the name and one.
        # Python hashes strings with a secret of the process, so nobody can choose names that collide.
        self._slots = array("I", bytes(4 << (2 * len(self)).bit_length()))
        mask = len(self._slots) - 1
        for place, hashed in enumerate(self._hashes):
            slot = hashed & mask
            if self._slots[slot]:
                slot, known = self._look(self[place])
                if known is not None:
                    if self[place].endswith("/"):
                        continue
                    raise invalid_member(self[place], "stands in the archive twice", "duplicate-member")
            self._slots[slot] = place + 1
        self._hashes = array("q")

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[str]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: int) -> str:
        begin = self.ends[place - 1] if place else 0
        return self.text[begin : self.ends[place]].decode()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._look(name)[1] is not None

    def place(self, name: str) -> int:
        """Raises InvalidFile when there is no such member: names of members come from the backup itself."""
        place = self._look(name)[1]
        if place is None:
            raise invalid_member(name, "is missing in the archive", "missing-member")
        return place

    def _look(self, name: str) -> tuple[int, int | None]:
        """(slot, place) of the name; the slot that is free for it, and None, when it is not there."""
        mask = len(self._slots) - 1
        slot = hash(name) & mask
        while taken := self._slots[slot]:
            if self[taken - 1] == name:
                return slot, taken - 1
            slot = (slot + 1) & mask
        return slot, None


Blocks = Generator[bytes, None, None]
"""The content of a member; raises InvalidFile after the last block when it was not the right content."""


class MemberStream:
    """The content of one member, read as a stream.

    The last block is given away only when all are proved: who has read as many bytes as the member's size has
    the right ones. What ``read`` raises is InvalidFile, or an error of the store.
    """

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._next = next(blocks, b"")
        self._block = b""
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(1 << 30), b""))
        while self._at == len(self._block) and self._next:
            self._block, self._at = self._next, 0
            self._next = next(self._blocks, b"")
        piece = self._block[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def close(self) -> None:
        self._blocks.close()
        self._next = self._block = b""
        self._at = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
