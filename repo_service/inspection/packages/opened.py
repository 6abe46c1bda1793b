"""A zip that several parsers look at, one after the other: its directory is read once.

What is wrong with single members (a name that leads out, encryption) counts only when the zip proves to be of
the format that is looked for: any other zip may be kept as a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.archives.base import Sins
from repo_service.inspection.archives.zip import ZIP_MAGICS
from repo_service.inspection.archives.zip_archive import ZipArchive
from repo_service.inspection.base import NotThisFormat, Source
from repo_service.inspection.limits import KIB, LIMITS, MIB, Limits, of_packages
from repo_service.inspection.signatures import SignatureParser
from repo_service.inspection.xml import Handler, XmlAllowance, XmlSink

_BLOCK = 64 * KIB

_shared: ContextVar[dict[int, Package] | None] = ContextVar("_shared", default=None)


class ZipParser(SignatureParser):
    """A parser of what is in a zip."""

    signature = re.compile(b"|".join(map(re.escape, ZIP_MAGICS)))


@contextmanager
def opened_once() -> Iterator[None]:
    """Within it, parsers that are asked about one source share what is ``opened``."""
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def opened(source: Source, limits: Limits = LIMITS) -> Package:
    """The zip, opened now or by the parser that was asked before. Raises InvalidFile when it is damaged."""
    known = _shared.get()
    if known is None:
        return Package(source, limits)
    if id(source) not in known:
        known[id(source)] = Package(source, limits)
    return known[id(source)]


class Package:
    """A zip and its members by name."""

    def __init__(self, source: Source, limits: Limits = LIMITS) -> None:
        """Raises InvalidFile."""
        self.limits = of_packages(limits)
        self._sins = Sins()
        self._archive = ZipArchive(source, self.limits, sins=self._sins)
        self._allowance = XmlAllowance(self.limits)

    def __contains__(self, name: object) -> bool:
        return name in self._archive

    def __len__(self) -> int:
        return len(self._archive)

    def names(self) -> Iterator[str]:
        """Of all members that may be seen, directories included, in the order of the zip."""
        return self._archive.names()

    def size(self, name: str) -> int:
        """Bytes of a member, inflated. Raises InvalidFile when there is none."""
        return self._archive.member(name).size

    def require(self, *names: str) -> None:
        """Raises NotThisFormat unless all these members are there, else InvalidFile when one must not be."""
        if not all(name in self._archive for name in names):
            raise NotThisFormat
        self._sins.raise_first()

    def head(self, name: str, length: int) -> bytes:
        """The first bytes of a member, at most ``length``. Raises InvalidFile."""
        with self._archive.open(name) as stream:
            pieces = []
            while length > 0 and (piece := stream.read(min(length, _BLOCK))):
                pieces.append(piece)
                length -= len(piece)
        return b"".join(pieces)

    def read(self, name: str, *, limit: int) -> bytes:
        """All of a member. Raises InvalidFile, also when it has more than ``limit`` bytes."""
        if self.size(name) > limit:
            raise InvalidFile(f"{name[:200]} is too large.", reason="member-too-large", place=name[:200])
        return self.head(name, limit)

    def json(self, name: str, *, limit: int = 1 * MIB) -> Any:
        """A member that holds JSON. Raises InvalidFile."""
        try:
            return json.loads(self.read(name, limit=limit).removeprefix(b"\xef\xbb\xbf"))
        except (ValueError, RecursionError) as error:
            raise InvalidFile(f"{name} cannot be read.", reason="bad-manifest", place=name) from error

    def xml(
        self,
        name: str,
        handler: Handler,
        *,
        may_name_dtd: bool = False,
        told_text: Callable[[str], None] | None = None,
        enough: Callable[[], bool] | None = None,
    ) -> None:
        """Have ``handler`` told of a member with XML, until it has seen ``enough``. Raises InvalidFile."""
        sink = XmlSink(
            handler, place=name, allowance=self._allowance, may_name_dtd=may_name_dtd, told_text=told_text
        )
        with self._archive.open(name) as stream:
            while block := stream.read(_BLOCK):
                sink.feed(block)
                if enough is not None and enough():
                    return
        sink.close()
