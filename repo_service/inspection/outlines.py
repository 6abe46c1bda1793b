"""Outlines, made of what comes one after the other with its level."""

from __future__ import annotations

from dataclasses import dataclass, field

from repo_service.domain.errors import InvalidFile
from repo_service.domain.inspection import OutlineItem

MAX_ITEMS = 10_000
MAX_DEPTH = 12
"""Levels that are told apart: what lies deeper stands on the deepest."""


@dataclass(slots=True)
class _Branch:
    title: str
    kind: str
    items: list[_Branch] = field(default_factory=list)


class OutlineBuilder:
    """Headings and chapters as they come; those without a title are left out, what they hold is not."""

    def __init__(self) -> None:
        self._root = _Branch("", "")
        self._open: list[tuple[int, _Branch]] = [(0, self._root)]
        self._count = 0

    def add(self, level: int, title: str, kind: str = "") -> None:
        """Below the last one with a lower ``level`` (1 is the highest). Raises InvalidFile beyond a limit."""
        if not title:
            return
        self._count += 1
        if self._count > MAX_ITEMS:
            raise InvalidFile("The file has too many headings.", reason="too-many-values")
        while self._open[-1][0] >= max(level, 1):
            self._open.pop()
        if len(self._open) > MAX_DEPTH:
            self._open.pop()
        branch = _Branch(title, kind)
        self._open[-1][1].items.append(branch)
        self._open.append((max(level, 1), branch))

    def items(self) -> tuple[OutlineItem, ...]:
        """All of them."""
        return _frozen(self._root)


def _frozen(branch: _Branch) -> tuple[OutlineItem, ...]:
    return tuple(OutlineItem(title=one.title, kind=one.kind, items=_frozen(one)) for one in branch.items)
