"""Parts of pages that are kept: what looks the same to everybody is made once, until something of it changes.

Nothing is ever told to forget. What a part is made of is read anew for every page, and one that was made of
something else is not used. So only what shows nothing but that, the settings, and words in the languages of
the visitor may be kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from flask import Flask, current_app
from markupsafe import Markup

from repo_service.web.labels import readable
from repo_service.web.speaking import spoken

_EXTENSION = "repo_kept_parts"
_ROOM = 8_000_000
"""Characters, in each process: about two hundred pages of usual courses."""
_SHARE = 4
"""One page takes no more than this part of it."""


@dataclass(slots=True)
class Parts:
    """The parts of one page; a template has each made by ``{% call keep("name") %}…{% endcall %}``.

    ``are_there`` says that none will be made: a template that is given nothing to make them of will do.
    ``facts`` are what else was found out when they were made, for what stands around them.
    """

    are_there: bool = False
    facts: Mapping[str, object] = field(default_factory=dict)
    made: dict[str, Markup] = field(default_factory=dict)

    def __call__(self, name: str, *, caller: Callable[[], Markup]) -> Markup:
        if self.are_there:
            return self.made[name]
        made = self.made[name] = caller()
        return made


class Keeper:
    """Keeps the parts that were used last."""

    def __init__(self, room: int = _ROOM) -> None:
        """``room`` is in characters."""
        self._kept: OrderedDict[Hashable, tuple[object, Parts, int]] = OrderedDict()
        self._room = self._left = room
        self._lock = threading.Lock()

    def find(self, key: Hashable, made_of: object) -> Parts:
        """The parts under ``key`` if they were made of what equals ``made_of``, else new ones to make."""
        with self._lock:
            found = self._kept.get(key)
            if found is None or found[0] != made_of:
                return Parts()
            self._kept.move_to_end(key)
            return found[1]

    def keep(self, key: Hashable, made_of: object, parts: Parts) -> None:
        """Keep parts that have all been made, and let go of those that were not asked for the longest."""
        size = sum(map(len, parts.made.values()))
        if parts.are_there or size > self._room // _SHARE:
            return
        parts.are_there = True
        with self._lock:
            self._forget(key)
            self._kept[key] = made_of, parts, size
            self._left -= size
            while self._left < 0:
                self._forget(next(iter(self._kept)))

    def _forget(self, key: Hashable) -> None:
        if key in self._kept:
            self._left += self._kept.pop(key)[2]


def register(app: Flask) -> None:
    """Give an application room to keep parts."""
    app.extensions[_EXTENSION] = Keeper()


def keeper() -> Keeper:
    """That of the application that answers."""
    found: Keeper = current_app.extensions[_EXTENSION]
    return found


def in_these_words(*key: Hashable) -> Hashable:
    """A key for what is written in the languages of this visitor."""
    return *key, spoken().tag, readable()
