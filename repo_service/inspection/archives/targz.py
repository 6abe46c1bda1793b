"""Reads a tar.gz in one pass.

A raw walk over ISA-L's inflate: member data that nobody wants is never copied, so that the whole costs little
more than inflating. The gzip part is RFC 1952 (several members may follow each other); the tar part is POSIX
ustar with pax headers and GNU long names. Python's tarfile is not used: it keeps every header it saw, reads
pax headers of any size into memory and follows what they say.

Moodle knows neither pax headers nor GNU names (``tgz_extractor``, lib/filestorage): where they would make it
see other files than are seen here, the archive is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Protocol

from isal import igzip_lib

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.archives.base import (
    ISAL_ERROR,
    Sins,
    Visitor,
    Want,
    invalid_member,
    is_misread,
    member_name,
    name_sin,
    plain_name,
)
from repo_service.inspection.base import NotThisFormat, Progress, ReadStream, Source
from repo_service.inspection.limits import KIB, LIMITS, Limits

GZIP_MAGIC = b"\x1f\x8b"
BLOCK = 512
_READ = 256 * KIB
_INFLATE = 256 * KIB
_ZERO = bytes(BLOCK)

_FILE_TYPES = frozenset(b"0\x00")
_DIRECTORY = ord("5")
_GNU_LONG_NAME, _GNU_LONG_LINK = ord("L"), ord("K")
_PAX, _PAX_GLOBAL = ord("x"), ord("g")
_SINFUL = {
    ord("1"): ("hard-link", "is a hard link"),
    ord("2"): ("symbolic-link", "is a symbolic link"),
    ord("3"): ("device", "is a device"),
    ord("4"): ("device", "is a device"),
    ord("6"): ("device", "is a named pipe"),
    ord("S"): ("sparse-file", "is a sparse file"),
}


def read_targz(source: Source, visitor: Visitor, *, progress: Progress, limits: Limits = LIMITS) -> None:
    """Walk the archive once, showing each member to ``visitor``.

    Raises NotThisFormat when the gzip holds no tar or the tar no manifest of the visitor's, InvalidFile when
    it is damaged or beyond a limit.
    """
    inflated = Inflated(source, limits, progress)
    sins = Sins()
    for member in tar_members(inflated, sins, limits):
        want = (
            visitor.visit(member.name, member.size, is_file=member.is_file)
            if member.trusted
            else Want.NOTHING
        )
        if want is Want.NOTHING:
            inflated.skip(member.padded)
            continue
        left = member.size - _feed(member, inflated, visitor, sins)
        inflated.skip(left + member.padded - member.size)
    inflated.finish()
    sins.judge(visitor)
    progress(1.0)


def _feed(member: TarMember, inflated: Inflated, visitor: Visitor, sins: Sins) -> int:
    """Give the member to its sink; returns how many of its bytes were taken."""
    taken = 0
    try:
        sink = visitor.open(member.name)
    except InvalidFile as error:
        sins.add(error)
        return 0
    for piece in inflated.pieces(member.size):
        taken += len(piece)
        try:
            sink.feed(piece)
            if taken == member.size and not sink.done:
                sink.close()
        except InvalidFile as error:
            sins.add(error)
            return taken
        if sink.done:
            return taken
    return taken


@dataclass(slots=True)
class TarMember:
    """``offset`` is where its data begins within what the gzip inflates to; its ``header`` stands before."""

    name: str
    size: int
    kind: int
    offset: int
    header: bytes
    trusted: bool = True
    misread: bool = False
    """Whether Moodle would take it for another file, or for more or less of it."""

    @property
    def padded(self) -> int:
        return -(-self.size // BLOCK) * BLOCK

    @property
    def is_file(self) -> bool:
        return self.kind in _FILE_TYPES and not self.name.endswith("/")


def tar_members(inflated: Inflated, sins: Sins, limits: Limits) -> Iterator[TarMember]:
    """Every member; the caller takes or skips its padded data before asking for the next.

    Raises InvalidFile when the tar is damaged or beyond a limit, NotThisFormat when it is none.
    """
    for count, member in enumerate(_members(inflated, limits)):
        if count == limits.max_members:
            raise InvalidFile(
                f"The archive has more than {limits.max_members:,} members.", reason="too-many-entries"
            )
        _check(member, sins)
        yield member


def _check(member: TarMember, sins: Sins) -> None:
    """Whether the member may be looked at."""
    sin = None
    if (reason := name_sin(member.name)) is not None:
        sin = invalid_member(member.name, "has a name that leads out of the archive", reason)
    elif member.kind in _SINFUL:
        reason, what = _SINFUL[member.kind]
        sin = invalid_member(member.name, what, reason)
    elif member.kind != _DIRECTORY and member.kind not in _FILE_TYPES:
        sin = invalid_member(member.name, "is of an unknown type", "unknown-member-type")
    elif member.misread:
        sin = invalid_member(member.name, "is another one to Moodle", "misleading-name")
    if sin is not None:
        sins.add(sin)
        member.trusted = False
    member.name = plain_name(member.name)


def _members(inflated: Inflated, limits: Limits) -> Iterator[TarMember]:
    long_name: bytes | None = None
    pax_size: int | None = None
    first = True
    misread = False
    extensions = 0
    while header := inflated.block():
        if len(header) < BLOCK:
            raise NotThisFormat if first else _truncated()
        if header == _ZERO:
            inflated.expect_zeros()
            return
        kind, size, name = _header(header, first=first)
        first = False
        if kind in (_GNU_LONG_NAME, _GNU_LONG_LINK, _PAX, _PAX_GLOBAL):
            extensions += 1
            if extensions > limits.max_members:
                raise InvalidFile("The archive has too many extended headers.", reason="too-many-entries")
            data = inflated.small(size, limits)
            misread = misread or _is_misread_extension(kind, size, header)
            if kind == _GNU_LONG_NAME:
                long_name = data.rstrip(b"\0")
            elif kind == _PAX:
                path, pax_size = _pax(data)
                long_name = path or long_name
            elif kind == _PAX_GLOBAL and _pax(data) != (None, None):
                raise InvalidFile("A global header names members.", reason="bad-tar-header")
            continue
        raw = long_name or name
        member = TarMember(
            member_name(raw), size if pax_size is None else pax_size, kind, inflated.offset, header
        )
        member.misread = misread or _is_misread(member)
        misread = False
        if len(raw) > limits.max_name:
            raise InvalidFile(
                "A member has a very long name.", reason="name-too-long", place=member.name[:200]
            )
        long_name = pax_size = None
        if kind not in _FILE_TYPES and kind not in _SINFUL:
            member.size = member.size if kind != _DIRECTORY else 0
        if kind in (ord("1"), ord("2"), ord("3"), ord("4"), ord("6")):
            member.size = 0
        yield member


def _is_misread(member: TarMember) -> bool:
    return member.kind in _FILE_TYPES and (
        member.size != _plain_size(member.header) or is_misread(_plain_name(member.header), member.name)
    )


def _is_misread_extension(kind: int, size: int, header: bytes) -> bool:
    """To Moodle it is a file. What is in a pax header is no XML; in a GNU name may be anything."""
    long_name = kind in (_GNU_LONG_NAME, _GNU_LONG_LINK)
    return size != _plain_size(header) or (long_name and is_misread(_plain_name(header), ""))


def _header(header: bytes, *, first: bool) -> tuple[int, int, bytes]:
    """(type flag, size, name) of a header block whose checksum holds."""
    try:
        # The checksum counts its own eight bytes as spaces; it holds no sum above 512 * 255.
        stated = int(header[148:156].strip(b" \0") or b"0", 8)
        sound = stated == sum(header) - sum(header[148:156]) + 8 * 32
        size = _number(header[124:136])
    except ValueError:
        sound, size = False, -1
    if not sound or size < 0:
        if first:
            raise NotThisFormat
        raise InvalidFile("A header in the archive is damaged.", reason="bad-tar-header")
    name = header[:100].rstrip(b"\0").split(b"\0", 1)[0]
    if header[257:263] == b"ustar\0":
        prefix = header[345:500].split(b"\0", 1)[0]
        if prefix:
            name = prefix + b"/" + name
    return header[156], size, name


def _plain_name(header: bytes) -> str:
    """The member's name as Moodle reads it: as in a ustar, whatever it is."""
    return member_name(header[345:500].rstrip(b"\0") + b"/" + header[:100].rstrip(b"\0"))


def _plain_size(header: bytes) -> int:
    """Its size as Moodle reads it: eleven octal digits, what else there is passed over (PHP's octdec)."""
    return int(bytes(byte for byte in header[124:135] if byte in b"01234567") or b"0", 8)


def _number(field: bytes) -> int:
    """Octal digits, or GNU's base 256 when the first bit is set."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    return int(field.strip(b" \0") or b"0", 8)


def _pax(data: bytes) -> tuple[bytes | None, int | None]:
    """(path, size) of an extended header, where it gives them (POSIX pax: ``length key=value newline``)."""
    path: bytes | None = None
    size: int | None = None
    while data:
        digits, space, _ = data.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 10 else 0
        record = data[len(digits) + 1 : length - 1]
        key, equals, value = record.partition(b"=")
        if not space or not equals or length > len(data) or data[length - 1 : length] != b"\n":
            raise InvalidFile("An extended header in the archive is damaged.", reason="bad-tar-header")
        if key == b"path":
            path = value
        elif key == b"size":
            if not value.isdigit() or len(value) > 19:
                raise InvalidFile("An extended header in the archive is damaged.", reason="bad-tar-header")
            size = int(value)
        elif key.startswith(b"GNU.sparse"):
            raise InvalidFile("The archive holds sparse files.", reason="sparse-file")
        data = data[length:]
    return path, size


class Inflater(Protocol):
    """Inflates one member of the gzip; the interface of ISA-L's."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes:
        """At the end: what was fed and is not part of it."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Proves size and checksum at the end. Raises BadGzip."""


class BadGzip(Exception):
    """What an inflater raises that is not ISA-L's own."""


NewInflater = Callable[[int, int], Inflater]
"""Makes one for the member of the gzip that begins at these offsets: among the compressed bytes, and among
those that they inflate to."""


def new_isal_inflater(_compressed: int, _inflated: int) -> Inflater:
    """Takes a third of zlib's time."""
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


class Inflated:
    """The inflated bytes, taken block by block, with the limits on what comes out."""

    def __init__(
        self,
        source: Source,
        limits: Limits,
        progress: Progress,
        *,
        new_inflater: NewInflater = new_isal_inflater,
    ) -> None:
        self._new_inflater = new_inflater
        self._limits = limits
        self._progress = progress
        self._compressed = source.size
        self._taken = 0
        self._allowed = min(limits.max_inflated, max(limits.ratio_free, limits.max_ratio * source.size))
        self._blocks = self._inflate(source)
        self._block = b""
        self._before = 0
        self._at = 0

    @property
    def offset(self) -> int:
        """How many bytes were taken or skipped so far."""
        return self._before + self._at

    def block(self) -> bytes:
        """The next 512 bytes, fewer at the end."""
        end = self._at + BLOCK
        if end <= len(self._block):
            header = self._block[self._at : end]
            self._at = end
            return header
        return b"".join(self.pieces(BLOCK, at_end=True))

    def small(self, size: int, limits: Limits) -> bytes:
        """The data of an extended header, without its padding."""
        if size > 4 * limits.max_name:
            raise InvalidFile("A header in the archive is far too long.", reason="name-too-long")
        data = b"".join(self.pieces(size))
        self.skip(-size % BLOCK)
        return data

    def pieces(self, length: int, *, at_end: bool = False) -> Iterator[bytes]:
        """The next ``length`` bytes. Raises InvalidFile when they are not all there, unless ``at_end``."""
        while length > 0:
            if self._at == len(self._block) and not self._next():
                if at_end:
                    return
                raise _truncated()
            piece = self._block[self._at : self._at + length]
            self._at += len(piece)
            length -= len(piece)
            yield piece

    def skip(self, length: int) -> None:
        while length > (here := len(self._block) - self._at):
            length -= here
            if not self._next():
                raise _truncated()
        self._at += length

    def expect_zeros(self) -> None:
        """After the end marker only padding may come: what hides there would be seen by some readers only."""
        rest = self._block[self._at :]
        while True:
            if rest.strip(b"\0"):
                raise InvalidFile("Data follows the end of the archive.", reason="trailing-data")
            if not self._next():
                return
            rest = self._block

    def finish(self) -> None:
        """Inflate to the end, which proves the checksum."""
        while self._next():
            pass

    def close(self) -> None:
        """Let go of the source before the end."""
        self._blocks.close()

    def _next(self) -> bool:
        self._before += len(self._block)
        self._block = next(self._blocks, b"")
        self._at = 0
        return bool(self._block)

    def _inflate(self, source: Source) -> Generator[bytes, None, None]:
        out = 0
        with source.stream() as stream:
            rest = b""
            for _ in range(self._limits.max_members):
                inflater = self._new_inflater(self._taken - len(rest), out)
                while not inflater.eof:
                    data = (rest or self._read(stream, needed=True)) if inflater.needs_input else b""
                    rest = b""
                    try:
                        block = inflater.decompress(data, _INFLATE)
                    except (ISAL_ERROR, BadGzip) as error:
                        raise InvalidFile("The archive is damaged.", reason="bad-gzip") from error
                    out += len(block)
                    if out > self._allowed:
                        raise self._too_much(out)
                    if block:
                        yield block
                rest = inflater.unused_data.lstrip(b"\0")
                while not rest and (data := self._read(stream, needed=False)):
                    rest = data.lstrip(b"\0")
                if not rest:
                    return
                rest += self._read(stream, needed=False) if len(rest) < len(GZIP_MAGIC) else b""
                if not rest.startswith(GZIP_MAGIC):
                    raise InvalidFile("Data follows the end of the archive.", reason="trailing-data")
            raise InvalidFile("The archive has too many parts.", reason="too-many-entries")

    def _read(self, stream: ReadStream, *, needed: bool) -> bytes:
        data = stream.read(_READ)
        if needed and not data:
            raise _truncated()
        self._taken += len(data)
        self._progress(min(1.0, self._taken / self._compressed))
        return data

    def _too_much(self, out: int) -> InvalidFile:
        if out > self._limits.max_inflated:
            return InvalidFile("The archive inflates to too many bytes.", reason="too-large-inflated")
        return InvalidFile(
            f"The archive inflates to more than {self._limits.max_ratio} times its size.", reason="bomb"
        )


def _truncated() -> InvalidFile:
    return InvalidFile("The archive ends too early.", reason="truncated")
