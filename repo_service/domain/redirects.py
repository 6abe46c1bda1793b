"""Where people may be sent back to after they allowed something: which addresses a client can register."""

from __future__ import annotations

import enum
import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import parse_qsl, urlsplit

from repo_service.domain.texts import text

MAX_LENGTH = 2000
"""Characters of a redirect URI: what every browser and server takes."""

_FORM = re.compile(r"https?://[!$-;=?-\[\]_a-z~]+")
"""Printable ASCII that stands in addresses as it is (RFC 3986, section 2), without ``#`` and
``"<>\\^`{|}``."""
_LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_OF_THE_ANSWER = frozenset({"code", "state", "iss", "error", "error_description", "error_uri"})
_PRIVATE_ZONES = (
    ".local",
    ".lan",
    ".home",
    ".home.arpa",
    ".internal",
    ".intranet",
    ".corp",
    ".private",
    ".test",
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class InsecureRedirects(enum.StrEnum):
    """To which hosts people may be sent back by plain http. This very machine is one of them in any case (RFC
    8252, section 7.3)."""

    NEVER = "never"
    PRIVATE = "private"
    ALWAYS = "always"


def fault_of(uri: str, *, insecure: InsecureRedirects) -> str | None:
    """What is wrong with ``uri`` as a redirect URI (RFC 6749, section 3.1.2), in a sentence; None if nothing
    is."""
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return text("This redirect URI cannot be read.")
    host = parts.hostname or ""
    query = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    faults = (
        (
            len(uri) > MAX_LENGTH,
            text("A redirect URI has at most %(most)s characters.", most=str(MAX_LENGTH)),
        ),
        ("#" in uri, text("A redirect URI has no fragment.")),
        (not _FORM.fullmatch(uri), text("A redirect URI is an absolute https address in ASCII.")),
        ("@" in parts.netloc, text("A redirect URI has no user name in it.")),
        (_address(host) is None and not _is_name(host), text("This redirect URI names no host.")),
        (
            query & _OF_THE_ANSWER,
            text("A redirect URI has no parameters of the answer, such as code or state."),
        ),
        (not _is_safe(uri, insecure), text("A redirect URI begins with https://.")),
    )
    return next((sentence for is_wrong, sentence in faults if is_wrong), None)


def host_of(uri: str) -> str:
    """The host of an address, with its port where that is not the usual one: what people are shown."""
    parts = urlsplit(uri)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def csp_source_of(uri: str) -> str:
    """The origin of an address as a source of a Content-Security-Policy; only its scheme where the host is
    one that the grammar of sources does not know, such as an IPv6 address (CSP 3, section 2.3.1)."""
    parts = urlsplit(uri)
    if not re.fullmatch(r"[a-z0-9.-]+", parts.hostname or ""):
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{host_of(uri)}"


def is_loopback(uri: str) -> bool:
    """Whether the address leads to the very machine that the browser runs on."""
    host = urlsplit(uri).hostname or ""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _is_safe(uri: str, insecure: InsecureRedirects) -> bool:
    if uri.startswith("https:") or insecure is InsecureRedirects.ALWAYS or is_loopback(uri):
        return True
    host = urlsplit(uri).hostname or ""
    address = _address(host)
    if address is None:
        is_private = "." not in host or host.endswith(_PRIVATE_ZONES)
    else:
        is_private = address.is_private and not address.is_unspecified
    return insecure is InsecureRedirects.PRIVATE and is_private


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_name(host: str) -> bool:
    """Browsers take a host that ends in a number for an address (URL Standard, ends in a number checker)."""
    return bool(_NAME.fullmatch(host)) and not _NUMBER.fullmatch(host.rpartition(".")[2])
