"""The address of a Moodle, as its visitor gives it: taken apart as browsers do, and shown so that nobody is
misled."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from pydantic import HttpUrl, TypeAdapter, ValidationError

from repo_service.domain.errors import InvalidInput
from repo_service.domain.texts import Text, counted, text

MAX_LENGTH: Final = 255

_IMPORT: Final = "/admin/tool/moodlenet/import.php"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# What a source of Content-Security-Policy can name; a comma or semicolon in a host would end the policy.
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~%@+-]+)*")
# Where addresses of a Moodle end that somebody copied out of a page of it.
_PAGES: Final = re.compile(
    r"/(?:(?:course|my|login|mod|user|admin|grade|calendar|message)(?:/.*)?|index\.php)$"
)
_URL: Final = TypeAdapter(HttpUrl)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoodleSite:
    """A Moodle. ``origin`` and ``path`` make its ``wwwroot``.

    ``host`` is what tells it from others, in ASCII, with its port where that is unusual. ``reading`` is how
    an international host reads in its own letters: those can be made to look like others, so it is never
    shown alone.
    """

    origin: str
    path: str
    host: str
    reading: str | None

    @classmethod
    def parse(cls, address: str) -> Self:
        """The site at ``address``. Raises InvalidInput that names ``/site`` and says what is wrong.

        By WHATWG's URL standard, as browsers read the result: nothing here can mean another host there.
        """
        if len(address) > MAX_LENGTH:
            raise _unusable(
                counted(
                    "This is no address of a Moodle: it has more than %(count)s character.",
                    "This is no address of a Moodle: it has more than %(count)s characters.",
                    MAX_LENGTH,
                )
            )
        if not re.match(r"https?://[^/\\]", address, re.IGNORECASE) or not address.isprintable():
            raise _unusable(text("The address of a Moodle begins with https:// or http://."))
        try:
            url = _URL.validate_python(address)
        except ValidationError as error:
            raise _unusable(text("This is no address that a browser can open.")) from error
        if url.username is not None or url.password is not None:
            raise _unusable(text("The address of a Moodle has no user name or password in it."))
        if url.query is not None or url.fragment is not None:
            raise _unusable(
                text("Give the address of the Moodle's front page, without anything from ? or # on.")
            )
        host, port = url.host or "", url.port
        path = (url.path or "").rstrip("/")
        if not _HOST.fullmatch(host) or not port:
            raise _unusable(
                text("Give the address of the Moodle by its name, such as https://moodle.school.example")
            )
        if not _PATH.fullmatch(path):
            raise _unusable(text("Give the address of the Moodle's front page."))
        unusual = "" if port == _DEFAULT_PORTS[url.scheme] else f":{port}"
        reading = url.unicode_host()
        return cls(
            origin=f"{url.scheme}://{host}{unusual}",
            path=path,
            host=f"{host}{unusual}",
            reading=None if reading == host else reading,
        )

    @classmethod
    def typed(cls, address: str) -> Self:
        """As ``parse``, for what people type or copy: without the scheme, or the address of some page."""
        address = address.strip()
        if address and "://" not in address[:10]:
            address = f"https://{address}"
        address = re.split(r"[?#]", address, maxsplit=1)[0].rstrip("/")
        scheme, separator, rest = address.partition("://")
        host, slash, path = rest.partition("/")
        return cls.parse(f"{scheme}{separator}{host}{_PAGES.sub('', slash + path)}")

    @property
    def url(self) -> str:
        """Its ``wwwroot``."""
        return self.origin + self.path

    @property
    def import_url(self) -> str:
        """Where it takes what is sent to it (``admin/tool/moodlenet/import.php``)."""
        return self.url + _IMPORT

    @property
    def is_encrypted(self) -> bool:
        return self.origin.startswith("https:")


def _unusable(detail: Text) -> InvalidInput:
    return InvalidInput(detail, errors=[("/site", detail)])
