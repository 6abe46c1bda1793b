"""Files spoiled in small ways, the same for the same number: for fuzzing."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Mapping

from tests.support.oer import packed

_HOSTILE = (b"<", b"&x;", b'"', b"\0", b"]]>", b"{", b"\xff\xfe", b"../", b"-" * 300, b"9" * 30, b"<a>" * 300)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, dropped, said again many times, or put in."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        if not changed:
            break
        at = chance.randrange(len(changed))
        match chance.randrange(4):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                del changed[at : at + chance.randint(1, 40)]
            case 2:
                changed[at:at] = changed[at : at + chance.randint(1, 200)] * chance.randint(1, 50)
            case 3:
                changed[at:at] = chance.choice(_HOSTILE)
    return bytes(changed)


def members_of(package: bytes) -> dict[str, bytes]:
    """What is in a zip."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(package: bytes, changed: Mapping[str, bytes]) -> bytes:
    """A package with some members of other content."""
    return packed({**members_of(package), **changed})


def mutated_within(package: bytes, chance: random.Random) -> bytes:
    """A package, one member of which is spoiled: spoiled as a whole, its checksums would give it away."""
    members = members_of(package)
    name = chance.choice([*members])
    return packed({**members, name: mutated(members[name], chance)})
