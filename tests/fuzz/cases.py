"""Hostile backups by number: a sound one made in code, spoiled in a few ways that the number picks."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import warnings
import zipfile
from collections.abc import Callable

from tests.support.backups import ActivitySpec, members
from tests.support.private import private_members

Members = list[tuple[str, bytes]]

_TOKENS = (
    *(b"<", b">", b"</", b"/>", b"&", b"&amp;", b"&#0;", b"&#x41;", b"&lt;b&gt;", b"]]>", b"<![CDATA["),
    *(b"<!-- x -->", b"<!--", b"-->", b"<?x y?>", b'<!DOCTYPE a [<!ENTITY b "c">]>', b"&b;", b"\x00"),
    *(b"<userid>7</userid>", b"<userid/>", b"<password>p</password>", b'<a b="c>d">e</a>', b"$@NULL@$"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b" " * 3000, b"x" * 70_000, b"9" * 400, b"-1", b"../..", b"\r\n"),
    *(b"<file>", b"<user id='1'>", b"<attempt>", b"<question_category>", b"</activity>", b"<a:b/>"),
    *("é漢".encode(), b"xmlns:a='b'", b"<![CDATA[<userid>7</userid>]]>", b"<id>5</id>", b"\t"),
)
_NAMES = (
    *("users.xml", "moodle_backup.xml", "files.xml", "questions.xml", "course/course.xml", "files/x"),
    *("activities/page_100/page.xml", "activities/quiz_101/inforef.xml", "activities/hvp_9/hvp.xml"),
    *("course/blocks/html_60/block.xml", "sections/section_21/section.xml", "course/logs.xml", "x.xml"),
    *("files/da/" + "da" * 20, "activities/", "activities/_/.xml", "activities/a_b/c/d.xml", "a\\b"),
    *("./users.xml", "../x.xml", "/x", ""),
)


def case(number: int) -> bytes:
    """The archive of that number."""
    chance = random.Random(number)
    made = _sound(chance)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        chance.choice(_SPOIL_MEMBERS)(made, chance)
    data = chance.choice((_zip, _targz))(made, chance)
    for _ in range(chance.choice((0, 0, 0, 0, 1))):
        data = chance.choice(_SPOIL_ARCHIVES)(data, chance)
    return data


def _sound(chance: random.Random) -> Members:
    if chance.random() < 0.6:
        return list(private_members(users=chance.random() < 0.5, secrets=chance.random() < 0.5).items())
    kind = chance.choice(("course", "section", "activity"))
    made = members(
        kind=kind,  # type: ignore[arg-type]
        activities=[
            ActivitySpec(
                module=chance.choice(("page", "quiz", "workshop", "subsection", "hvp")),
                title=chance.choice(("A", "<b>B</b>", "é")),
                section=chance.randrange(3),
                files=[("a.txt", b"a"), ("b.h5p", b"PK\x03\x04")][: chance.randrange(3)],
                holds_section=chance.choice((None, None, "Held")),
            )
            for _ in range(chance.randrange(5))
        ],
        users=chance.choice((0, 0, 2)),
        questions=chance.choice((None, {"essay": 3})),
        blocks=chance.choice(((), ("html",))),
    )
    return list(made.items())


def _pick(made: Members, chance: random.Random) -> int:
    return chance.randrange(len(made)) if made else -1


def _spoil_text(made: Members, chance: random.Random) -> None:
    """Something put into, taken out of or doubled in one member."""
    if (at := _pick(made, chance)) < 0:
        return
    name, data = made[at]
    begin = chance.randrange(len(data) + 1)
    end = min(len(data), begin + chance.choice((0, 1, 5, 40, 400)))
    middle = chance.choice(
        (b"", chance.choice(_TOKENS), data[begin:end] * 2, chance.randbytes(3), data[begin:end][::-1])
    )
    made[at] = name, data[:begin] + middle + data[end:]


def _put_at_tag(made: Members, chance: random.Random) -> None:
    """A token where a tag begins or ends."""
    if (at := _pick(made, chance)) < 0:
        return
    name, data = made[at]
    places = [place for place, byte in enumerate(data) if byte in b"<>"]
    if places:
        place = chance.choice(places) + chance.randrange(2)
        made[at] = name, data[:place] + chance.choice(_TOKENS) + data[place:]


def _repeat_element(made: Members, chance: random.Random) -> None:
    """One piece between two tags very often, or nested deeply."""
    if (at := _pick(made, chance)) < 0:
        return
    name, data = made[at]
    begin = data.find(b"<", chance.randrange(len(data) + 1))
    end = data.find(b">", begin + chance.randrange(300)) + 1
    if 0 <= begin < end:
        piece = data[begin:end]
        made[at] = name, data[:begin] + piece * chance.choice((2, 50, 2000)) + data[end:]


def _rename(made: Members, chance: random.Random) -> None:
    if (at := _pick(made, chance)) >= 0:
        made[at] = chance.choice(_NAMES), made[at][1]


def _double(made: Members, chance: random.Random) -> None:
    if (at := _pick(made, chance)) >= 0:
        name = made[at][0] if chance.random() < 0.5 else chance.choice(_NAMES)
        made.insert(chance.randrange(len(made) + 1), (name, made[at][1]))


def _lose(made: Members, chance: random.Random) -> None:
    if (at := _pick(made, chance)) >= 0:
        del made[at]


def _swap(made: Members, chance: random.Random) -> None:
    """The contents of two members change places."""
    if made:
        one, other = _pick(made, chance), _pick(made, chance)
        made[one], made[other] = (made[one][0], made[other][1]), (made[other][0], made[one][1])


def _shuffle(made: Members, chance: random.Random) -> None:
    chance.shuffle(made)


_SPOIL_MEMBERS: tuple[Callable[[Members, random.Random], None], ...] = (
    *(_spoil_text,) * 4,
    *(_put_at_tag,) * 4,
    *(_repeat_element, _rename, _double, _lose, _swap, _shuffle),
)


def _zip(made: Members, chance: random.Random) -> bytes:
    made_file = io.BytesIO()
    method = chance.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))
    with warnings.catch_warnings(), zipfile.ZipFile(made_file, "w", method) as archive:
        warnings.simplefilter("ignore")  # that a name comes twice is meant
        for name, data in made:
            info = zipfile.ZipInfo(name or "x", (2025, 1, 1, 0, 0, 0))
            info.compress_type = method
            archive.writestr(info, data)
    return made_file.getvalue()


def _targz(made: Members, chance: random.Random) -> bytes:
    made_file = io.BytesIO()
    form = chance.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=made_file, mode="w", format=form) as archive:
        for name, data in made:
            info = tarfile.TarInfo(name or "x")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    tar = made_file.getvalue()
    if chance.random() < 0.2:  # several gzip members
        half = chance.randrange(len(tar))
        return gzip.compress(tar[:half], 1, mtime=0) + gzip.compress(tar[half:], 1, mtime=0)
    return gzip.compress(tar, chance.choice((0, 1, 6)), mtime=0)


def _flip(data: bytes, chance: random.Random) -> bytes:
    spoiled = bytearray(data)
    for _ in range(chance.choice((1, 1, 8))):
        if spoiled:
            spoiled[chance.randrange(len(spoiled))] ^= 1 << chance.randrange(8)
    return bytes(spoiled)


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _append(data: bytes, chance: random.Random) -> bytes:
    return data + chance.choice((b"\0" * 512, b"x", data[:50], data))


def _flip_end(data: bytes, chance: random.Random) -> bytes:
    """In a zip that is the directory."""
    spoiled = bytearray(data)
    if spoiled:
        spoiled[-1 - chance.randrange(min(len(spoiled), 900))] = chance.choice((0, 1, 0x7F, 0xFF))
    return bytes(spoiled)


_SPOIL_ARCHIVES: tuple[Callable[[bytes, random.Random], bytes], ...] = (_flip, _cut, _append, _flip_end)
