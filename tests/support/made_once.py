"""What comes out the same for each service and each client of a test process is made once in it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import httpx
import pytest
from botocore.loaders import JSONFileLoader
from werkzeug.routing import Rule


@pytest.fixture(scope="session", autouse=True)
def made_once() -> Iterator[None]:
    """Werkzeug compiles two functions for each address of an app, botocore reads megabytes of JSON for each
    client, OpenSSL a hundred certificates: each took longer than what most tests do with the app and the
    client."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", _compiled_once(Rule._compile_builder))
        read = cache(JSONFileLoader().load_file)
        patch.setattr(JSONFileLoader, "load_file", lambda loader, path: read(path))
        patch.setattr(httpx, "create_ssl_context", _trusted_once(httpx.create_ssl_context))
        yield


def _trusted_once(create: Callable[..., ssl.SSLContext]) -> Callable[..., ssl.SSLContext]:
    """Unless a test trusts an authority of its own."""
    usual = cache(create)

    def trusted(*given: Any, **named: Any) -> ssl.SSLContext:
        is_usual = not (given or named or {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys())
        return usual() if is_usual else create(*given, **named)

    return trusted


def _compiled_once(compile_builder: Callable[..., Any]) -> Callable[..., Any]:
    """A builder is a function of the rule that it is given when it is called: it belongs to no app."""
    made: dict[tuple[object, ...], Any] = {}

    def compiled(rule: Rule, append_unknown: bool = True) -> Any:
        if rule.defaults:  # which the function has within it
            return compile_builder(rule, append_unknown)
        key = (rule.rule, tuple(rule._trace), append_unknown)
        if key not in made:
            made[key] = compile_builder(rule, append_unknown)
        return made[key]

    return compiled
