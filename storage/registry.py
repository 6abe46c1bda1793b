"""Which driver a store's URL means."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable
from typing import cast
from urllib.parse import parse_qsl, unquote, urlsplit

from storage.checked import CheckedStore, Observer
from storage.driver import Driver, StoreUrl

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")

_DRIVERS = {
    "memory": "storage.memory:from_url",
    "file": "storage.file:from_url",
    "s3": "storage.s3:from_url",
    "ipfs+http": "storage.ipfs:from_url",
    "ipfs+https": "storage.ipfs:from_url",
}
"""Scheme → a function from StoreUrl to Driver, imported when asked for: nobody pays for boto3 unused."""


def open_store(
    url: str,
    *,
    access_key: str | None = None,
    secret_key: str | None = None,
    observer: Observer | None = None,
) -> CheckedStore:
    """The store that ``url`` names; credentials that are not given come from the driver's usual environment.

    Every URL takes the option ``name``, what the catalogue calls the store; without it, the scheme. Raises
    ValueError when the URL is wrong, StorageRefused when the place cannot be used at all.
    """
    parsed = parse_store_url(url, access_key, secret_key)
    return CheckedStore(_driver(parsed), name=parsed.name, observer=observer)


def parse_store_url(url: str, access_key: str | None = None, secret_key: str | None = None) -> StoreUrl:
    """Take a store's URL apart. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in _DRIVERS:
        raise ValueError(f"a store URL begins with one of {', '.join(f'{scheme}:' for scheme in _DRIVERS)}")
    if parts.fragment or "@" in parts.netloc:
        raise ValueError("a store URL has no fragment and no credentials in it")
    pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    options = dict(pairs)
    if len(options) != len(pairs):
        raise ValueError("an option is given twice in the store URL")
    name = options.pop("name", None)
    if name is not None and not _NAME.fullmatch(name):
        raise ValueError("a store's name is up to 63 small letters, digits and hyphens, a letter first")
    return StoreUrl(
        scheme=parts.scheme,
        name=name,
        host=parts.netloc,
        path=unquote(parts.path),
        options=options,
        access_key=access_key,
        secret_key=secret_key,
    )


def _driver(url: StoreUrl) -> Driver:
    factory = cast(Callable[[StoreUrl], Driver], pkgutil.resolve_name(_DRIVERS[url.scheme]))
    return factory(url)
