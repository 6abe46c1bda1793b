"""Sentences for people. They are written in English where they arise, and can be said in any language.

``make translations`` looks for ``text("…")``, for ``counted("…", "…", n)`` and for the errors of ``errors``:
what stands in them has to be a plain string, and what varies goes in as ``%(name)s``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self


class Text(str):
    """An English sentence that knows what it was made of.

    It *is* that sentence: logs and the API, which know one language, use it as it stands. ``plural`` and
    ``number`` are there where the words depend on a number. ``values`` may be texts, too.
    """

    __slots__ = ("number", "plural", "template", "values")

    template: str
    plural: str | None
    number: int | None
    values: Mapping[str, object]

    def __new__(
        cls, template: str, values: Mapping[str, object], plural: str | None = None, number: int | None = None
    ) -> Self:
        chosen = template if plural is None or number == 1 else plural
        made = super().__new__(cls, chosen % {name: _in_english(value) for name, value in values.items()})
        made.template, made.plural, made.number, made.values = template, plural, number, values
        return made

    def __getnewargs__(self) -> tuple[str, Mapping[str, object], str | None, int | None]:  # type: ignore[override]
        return self.template, self.values, self.plural, self.number


def text(template: str, **values: object) -> Text:
    """``template`` with its ``%(name)s`` filled in. A number gets its thousands marked."""
    return Text(template, values)


def counted(one: str, many: str, count: int, **values: object) -> Text:
    """``one`` for a count of one, else ``many``; both may say ``%(count)s``."""
    return Text(one, {"count": count, **values}, many, count)


def _in_english(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
