"""A request as it is on the wire: what is signed, checked and sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

_URL: Final = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#\s]+)(?P<target>[^#\s]*)")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class Message:
    """A request. ``url`` is absolute, with path and query exactly as they are sent, and has no fragment.

    Of a request that came, ``url`` is put together from our own public origin and the request's target: never
    from its Host header, which is checked against it. Raises ValueError for a ``url`` that is none, and for
    line breaks in a header.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def __post_init__(self) -> None:
        if not _URL.fullmatch(self.url):
            raise ValueError(f"{self.url!r} is no address of a request")
        if any("\r" in text or "\n" in text for header in self.headers for text in header):
            raise ValueError("a header has a line break in it")

    @classmethod
    def received(
        cls,
        *,
        method: str,
        origin: str,
        path: bytes,
        query: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
    ) -> Message:
        """A request as WSGI servers hand it on: ``path`` with its escapes undone, ``query`` as it was sent.

        ``origin`` is ours, such as ``https://hq.example``. The path is written as everybody writes it, with
        escapes only where there have to be some (RFC 3986, section 3.3); what was signed in another way does
        not verify. Raises ValueError for a query that cannot have been in a request.
        """
        target = quote(path, safe="/!$&'()*+,;=:@~") + (f"?{query}" if query else "")
        return cls(method, f"{origin}{target}", tuple(headers), body)

    @property
    def authority(self) -> str:
        """Host and port as the Host header names them: in lower case, without the scheme's usual port."""
        scheme, authority, _ = self._parts()
        return authority.lower().removesuffix(_DEFAULT_PORTS[scheme])

    @property
    def target(self) -> str:
        """Path and query: the origin-form of RFC 9112, section 3.2.1."""
        target = self._parts()[2]
        return target if target.startswith("/") else f"/{target}"

    def values(self, name: str) -> list[str]:
        """What each header of this name says, without the space around it."""
        return list(_named(self.headers, name))

    def combined(self, name: str) -> str | None:
        """What all headers of this name say together (RFC 9110, section 5.2); None if there is none."""
        values = self.values(name)
        return ", ".join(values) if values else None

    def _parts(self) -> tuple[str, str, str]:
        found = _URL.fullmatch(self.url)
        assert found is not None
        return found["scheme"], found["authority"], found["target"]


def _named(headers: Iterable[tuple[str, str]], name: str) -> Iterator[str]:
    wanted = name.lower()
    return (value.strip(" \t") for found, value in headers if found.lower() == wanted)
