"""The members of a zip: fetched together where they are neighbours, inflated in blocks, proved.

Format: PKWARE APPNOTE 6.3.10 (section numbers below).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from isal import isal_zlib

from repo_service.inspection.archives.base import ISAL_ERROR, Want, invalid_member
from repo_service.inspection.archives.zip_directory import ENCRYPTED, LOCAL_HEADER, STORED, Entry
from repo_service.inspection.base import Source
from repo_service.inspection.limits import KIB, MIB, Limits

_BLOCK = 256 * KIB
_HEAD = 4 * KIB
SPAN = 1 * MIB
"""Wanted members are fetched together up to this many bytes; larger ones are read piece by piece."""
_GAP = 8 * KIB
"""The longest gap between wanted members that is fetched too, to save a request."""
_EXTRA = 248 * KIB
"""What may be read besides the directory and the data of wanted members: their headers, and gaps."""
_LEAST_FOR_GAPS = 32 * KIB

Fetch = Callable[[int, int], bytes]
"""(offset, length) within the blob; fewer bytes at its end."""


def fetches(source: Source, wanted: Sequence[Entry]) -> Iterator[tuple[Entry, Fetch]]:
    """Each entry with the way to read it: from a span fetched with its neighbours, or from the source."""
    joined = _worth_joining(wanted)
    index = 0
    while index < len(wanted):
        start = wanted[index].offset
        end = _needed_end(wanted[index])
        last = index
        while last + 1 < len(wanted) and joined[last] and _needed_end(wanted[last + 1]) - start <= SPAN:
            last += 1
            end = max(end, _needed_end(wanted[last]))
        if end - start > SPAN:
            yield wanted[index], source.read_at
        else:
            span = source.read_at(start, end - start)

            def fetch(offset: int, length: int, start: int = start, span: bytes = span) -> bytes:
                at = offset - start
                if at + length <= len(span):
                    return span[at : at + length]
                # A longer extra field than foreseen, or a head that was not enough.
                return span[at:] + source.read_at(
                    max(offset, start + len(span)), length - max(0, len(span) - at)
                )

            for entry in wanted[index : last + 1]:
                yield entry, fetch
        index = last + 1


def _worth_joining(wanted: Sequence[Entry]) -> list[bool]:
    """For each entry whether the gap to the next is fetched too: the smallest first, up to the allowance."""
    gaps = sorted(
        (max(0, following.offset - _needed_end(entry)), index)
        for index, (entry, following) in enumerate(pairwise(wanted))
    )
    joined = [False] * len(wanted)
    headers = sum(LOCAL_HEADER.size + len(entry.raw_name) for entry in wanted)
    allowance = max(_LEAST_FOR_GAPS, _EXTRA - headers)
    waste = 0
    for gap, index in gaps:
        waste += gap
        if gap > _GAP or waste > allowance:
            break
        joined[index] = True
    return joined


def _needed_end(entry: Entry) -> int:
    """Where the bytes to fetch end, as far as the directory tells.

    The extra field of a local header is taken to be a little longer than that in the directory, as Info-ZIP
    writes it; when it is longer still, the rest is fetched later.
    """
    compressed = min(entry.compressed, _HEAD) if entry.want is Want.HEAD else entry.compressed
    extra = entry.extra_length + 8 if entry.extra_length else 0
    return entry.offset + LOCAL_HEADER.size + len(entry.raw_name) + extra + compressed


def data_start(entry: Entry, fetch: Fetch) -> int:
    """Where the member's data begins, after a local header that says the same as the directory."""
    header = fetch(entry.offset, LOCAL_HEADER.size + len(entry.raw_name))
    if len(header) < LOCAL_HEADER.size + len(entry.raw_name) or not header.startswith(b"PK\x03\x04"):
        raise invalid_member(entry.name, "has no header where the directory says", "bad-zip-directory")
    _, _, flags, method, _, _, crc, compressed, size, name_length, extra_length = LOCAL_HEADER.unpack_from(
        header
    )
    # Sizes may stand after the data (flag 3) or in a zip64 extra field; else both headers must agree.
    sizes_agree = bool(flags & 0x8) or (
        crc == entry.crc and compressed in (entry.compressed, 0xFFFFFFFF) and size in (entry.size, 0xFFFFFFFF)
    )
    same_name = name_length == len(entry.raw_name) and header[LOCAL_HEADER.size :] == entry.raw_name
    if method != entry.method or (flags ^ entry.flags) & ENCRYPTED or not same_name or not sizes_agree:
        raise invalid_member(entry.name, "has two headers that differ", "bad-zip-directory")
    data_start: int = entry.offset + LOCAL_HEADER.size + name_length + extra_length
    return data_start


def content(entry: Entry, pieces: Iterator[bytes], limits: Limits) -> Iterator[bytes]:
    """The inflated content in blocks of at most 256 KiB, from the ``pieces`` of the member's own bytes.

    After the last block it is certain that they have the size and the checksum that the directory states.
    Raises InvalidFile as soon as they cannot.
    """
    crc = size = 0
    for block in _inflate(entry, pieces):
        size += len(block)
        if size > entry.size:
            raise invalid_member(entry.name, "inflates to more than it claims", "bomb")
        if size > limits.ratio_free and size > limits.max_ratio * entry.compressed:
            raise invalid_member(
                entry.name, f"inflates to more than {limits.max_ratio} times its size", "bomb"
            )
        crc = zlib.crc32(block, crc)
        yield block
    if size != entry.size or crc != entry.crc:
        raise invalid_member(entry.name, "is damaged", "bad-checksum")


def pieces_of(entry: Entry, fetch: Fetch) -> Iterator[bytes]:
    """The member's bytes as they stand in the zip; of one whose head is wanted a few of them first."""
    at = data_start(entry, fetch)
    end = at + entry.compressed
    step = _HEAD if entry.want is Want.HEAD else _BLOCK
    while at < end:
        data = fetch(at, min(step, end - at))
        if not data:
            raise invalid_member(entry.name, "is cut off", "truncated")
        at += len(data)
        step = _BLOCK
        yield data


def _inflate(entry: Entry, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if entry.method == STORED:
        yield from pieces
        return
    inflater = isal_zlib.decompressobj(-zlib.MAX_WBITS)
    for piece in pieces:
        data = piece
        try:
            # A full block means that more may be waiting within the inflater.
            while not inflater.eof and (block := inflater.decompress(data, _BLOCK)):
                data = inflater.unconsumed_tail
                yield block
        except ISAL_ERROR as error:
            raise invalid_member(entry.name, "is damaged", "bad-checksum") from error
