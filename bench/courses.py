"""Large courses, for benches that look inside them."""

from __future__ import annotations

import os
import random

from tests.support.backups import ActivitySpec, members

_FILES_EACH = 4
_MEDIA = 0.8
"""Share of the files that no longer compress: pictures, films, PDF. The rest is text, at about 3 : 1."""


TEN_FILES = 600
"""Course module id of an activity with ten files, of half a MiB each."""


def course(size: int) -> dict[str, bytes]:
    """Members of a course with 501 activities and 2,010 files, whose archive has about ``size`` bytes."""
    chance = random.Random(4)
    words = [
        bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(4000)
    ]
    prose = b" ".join(chance.choices(words, k=200_000))
    count = 500 * _FILES_EACH
    sizes = [chance.lognormvariate(0, 1.2) for _ in range(count)]
    unit = size / sum(sizes)

    def file(number: int) -> bytes:
        length = int(sizes[number] * unit)
        if chance.random() < _MEDIA:
            return os.urandom(length)
        begin = chance.randrange(len(prose) // 2)
        # Compressed it should come to the same size as a film of that length.
        return str(number).encode() + (prose * (3 * length // len(prose) + 2))[begin : begin + 3 * length]

    modules = ("page", "quiz", "forum", "assign", "resource", "url", "book", "lesson")
    made = members(
        activities=[
            ActivitySpec(
                module=modules[number % len(modules)],
                title=f"Activity {number}",
                section=1 + number % 20,
                files=[(f"file{f}.bin", file(number * _FILES_EACH + f)) for f in range(_FILES_EACH)],
            )
            for number in range(500)
        ]
        + [
            ActivitySpec(
                module="folder",
                title="Ten files",
                files=[(f"film{number}.mp4", os.urandom(512 * 1024)) for number in range(10)],
            )
        ],
        section_titles=[f"Week {week}" for week in range(21)],
        questions={"multichoice": 400, "essay": 100},
    )
    for name in list(made):
        # What only the search for persons reads: grades, roles.
        if name.startswith("activities/") and name.endswith("module.xml"):
            folder = name.rpartition("/")[0]
            made[f"{folder}/grades.xml"] = made[f"{folder}/roles.xml"] = (
                b'<?xml version="1.0" encoding="UTF-8"?><x>' + prose[: chance.randrange(20_000)] + b"</x>"
            )
    # As Moodle packs them: by their hashes, so that those of an activity lie all over the archive.
    return {name: made[name] for name in sorted(made, key=_order)}


def _order(name: str) -> tuple[int, str]:
    """Folders, the pool by its hashes, then the files of the root."""
    if name.startswith("files/"):
        return 1, name
    return (0, "") if "/" in name else (2, "")
