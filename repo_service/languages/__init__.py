"""The languages that people are spoken to in: catalogues of messages, and how numbers and dates read.

One ``.po`` file a language (GNU gettext) is all there is to a translation; what it does not have is said in
English. ``make translations`` brings the files up to date with the sources.
"""

from __future__ import annotations

import functools
import gettext
import io
from collections.abc import Iterable
from datetime import UTC, date, datetime
from importlib.resources import files

from babel import Locale, negotiate_locale
from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.units import format_unit

from repo_service.domain.texts import Text, counted

SOURCE = "en"
"""What the sources are written in (BCP 47)."""

LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français", "es": "Español", "ar": "العربية"}
"""Those that there is a catalogue of, by what they call themselves."""

_KILO = 1000
_UNITS = ("byte", "kilobyte", "megabyte", "gigabyte", "terabyte")


class Language:
    """One of ``LANGUAGES``, and how things are said in it."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self._locale = _locale(tag)
        self._messages, self._known = _messages(tag)

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``, as HTML has it."""
        return self._locale.text_direction

    @property
    def comma(self) -> str:
        """What stands between the parts of a list."""
        return "، " if self.direction == "rtl" else ", "

    def knows(self, message: str) -> bool:
        """Whether it has words of its own for a text."""
        template = message.template if isinstance(message, Text) else message
        return self.tag == SOURCE or template in self._known

    def say(self, message: str) -> str:
        """A text in this language. What is no ``Text`` is looked for as it stands."""
        if not isinstance(message, Text):
            return self._messages.gettext(message) if message else message
        if message.plural is None or message.number is None:
            template = self._messages.gettext(message.template)
        else:
            template = self._messages.ngettext(message.template, message.plural, message.number)
        return template % {name: self._value(value) for name, value in message.values.items()}

    def gettext(self, message: str) -> str:
        """As in the standard library."""
        return self._messages.gettext(message)

    def ngettext(self, one: str, many: str, count: int) -> str:
        """As in the standard library."""
        return self._messages.ngettext(one, many, count)

    def number(self, count: int) -> str:
        """``1,234``."""
        return _number(count, self.tag)

    def counted(self, one: str, many: str, count: int) -> str:
        """What ``say`` makes of ``counted(one, many, count)``, without the English in between."""
        return self._messages.ngettext(one, many, count) % {"count": self.number(count)}

    def size(self, count: int) -> str:
        """Bytes as people read them: ``1.6 MB``."""
        amount, unit = float(count), _UNITS[0]
        for unit in _UNITS:
            if amount < _KILO:
                break
            if unit != _UNITS[-1]:
                amount /= _KILO
        if unit == _UNITS[0]:
            return self.say(counted("%(count)s byte", "%(count)s bytes", count))
        return _amount(amount, f"digital-{unit}", self.tag)

    def day(self, when: datetime) -> str:
        """``1 March 2026``."""
        return _date(when.astimezone(UTC).date(), self.tag)

    def moment(self, when: datetime) -> str:
        """A date with its time, in UTC."""
        return f"{self.day(when)}, {when.astimezone(UTC):%H:%M} UTC"

    def _value(self, value: object) -> str:
        if isinstance(value, str):
            return self.say(value) if isinstance(value, Text) else value
        return self.number(value) if isinstance(value, int) else str(value)


@functools.cache
def language(tag: str) -> Language:
    """The language with that tag, which is one of ``LANGUAGES``."""
    return Language(tag)


def best_of(wanted: Iterable[str]) -> str:
    """The first of the ``wanted`` tags that there is a catalogue of, by its language at least."""
    found = negotiate_locale([tag.replace("-", "_") for tag in wanted], list(LANGUAGES), sep="_")
    return found or SOURCE


@functools.cache
def _locale(tag: str) -> Locale:
    return Locale.parse("en_GB" if tag == SOURCE else tag)


# Babel takes 20 µs for a number and more for a date. A page of results has two hundred of them, most of them
# seen before.


@functools.lru_cache(maxsize=10_000)
def _number(count: int, tag: str) -> str:
    return format_decimal(count, locale=_locale(tag))


@functools.lru_cache(maxsize=10_000)
def _amount(amount: float, unit: str, tag: str) -> str:
    return format_unit(amount, unit, "short", "#,##0.0", locale=_locale(tag))


@functools.lru_cache(maxsize=10_000)
def _date(day: date, tag: str) -> str:
    return format_date(day, "long", locale=_locale(tag))


def _messages(tag: str) -> tuple[gettext.NullTranslations, frozenset[str]]:
    """The catalogue, and what it has words for. Made from its text: no compiled copy can be out of date."""
    if tag == SOURCE:
        return gettext.NullTranslations(), frozenset()
    with files(__name__).joinpath(f"{tag}.po").open("rb") as source:
        catalogue = read_po(source, locale=tag)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    known = (message.id for message in catalogue if message.string and not message.fuzzy)
    return gettext.GNUTranslations(compiled), frozenset(
        message if isinstance(message, str) else message[0] for message in known
    )
