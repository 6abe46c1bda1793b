"""What comes out the same for each service and each client of a test process is made once in it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from functools import cache
from types import MethodType
from typing import Any, cast

import httpx
import pytest
from argon2 import PasswordHasher
from botocore.loaders import JSONFileLoader
from jinja2 import Environment
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.engine.interfaces import CompiledCacheType, Dialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from repo_service import app
from repo_service.services.passwords import Passwords


@pytest.fixture(scope="session", autouse=True)
def made_once() -> Iterator[None]:
    """Werkzeug compiles two functions for each address of an app, Jinja its templates, SQLAlchemy what is
    asked of a database, botocore reads megabytes of JSON for each client, OpenSSL a hundred certificates:
    together that took longer than what most tests do with the app and the client."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "compile", _addresses_once(Rule.compile))
        read = cache(JSONFileLoader().load_file)
        patch.setattr(JSONFileLoader, "load_file", lambda loader, path: read(path))
        patch.setattr(httpx, "create_ssl_context", _trusted_once(httpx.create_ssl_context))
        patch.setattr(Environment, "compile", _templates_once(Environment.compile))
        for dialect in (SQLiteDialect, PGDialect):
            patch.setattr(dialect, "engine_created", classmethod(_statements_once()))
            # An engine keeps statements by its dialect, and would see in each other database another dialect.
            patch.setattr(dialect, "__eq__", lambda one, other: type(one) is type(other))
            patch.setattr(dialect, "__hash__", lambda one: hash(type(one)))
        patch.setattr(app, "Passwords", _cheap_passwords())
        yield


def _trusted_once(create: Callable[..., ssl.SSLContext]) -> Callable[..., ssl.SSLContext]:
    """For each of the authorities that a test trusts."""
    usual = cache(lambda *_trusted: create())

    def trusted(*given: Any, **named: Any) -> ssl.SSLContext:
        if given or named:
            return create(*given, **named)
        return usual(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))

    return trusted


def _templates_once(compile_template: Callable[..., Any]) -> Callable[..., Any]:
    """What comes out depends on the source alone, as all apps have the same filters."""
    made: dict[tuple[str, str, str], Any] = {}

    def compiled(
        environment: Environment, source: Any, name: Any = None, filename: Any = None, *rest: Any, **more: Any
    ) -> Any:
        if rest or more or filename is None:
            return compile_template(environment, source, name, filename, *rest, **more)
        key = (source, name, filename)
        if key not in made:
            made[key] = compile_template(environment, source, name, filename)
        return made[key]

    return compiled


def _statements_once() -> Callable[[type[Dialect], Engine], None]:
    """Of all databases of one kind, which have the same tables."""
    statements: CompiledCacheType = LRUCache(10_000)  # in tracebacks a dictionary would show all of them

    def made(_dialect: type[Dialect], engine: Engine) -> None:
        engine.update_execution_options(compiled_cache=statements)

    return made


def _addresses_once(compile_rule: Callable[[Rule], None]) -> Callable[[Rule], None]:
    """What comes out is the same in each app that has the same converters."""
    made: dict[tuple[object, ...], tuple[Any, ...]] = {}

    def compiled(rule: Rule) -> None:
        if rule.defaults or rule.map is None:  # defaults are within what is made
            return compile_rule(rule)
        place = (rule.map.host_matching, rule.host, rule.subdomain, rule.merge_slashes)
        key = (rule.rule, *place, *rule.map.converters.values())
        if key in made:
            rule._parts, rule._trace, rule._converters, arguments, *builders = made[key]
            rule.arguments |= arguments
            rule._build, rule._build_unknown = (builder.__get__(rule) for builder in builders)
            return None
        compile_rule(rule)
        builders = [cast("MethodType", build).__func__ for build in (rule._build, rule._build_unknown)]
        made[key] = (rule._parts, rule._trace, rule._converters, frozenset(rule.arguments), *builders)
        return None

    return compiled


def _cheap_passwords() -> Callable[[], Passwords]:
    """A tenth of a second and 64 MiB for each is what they are for: see tests/services/test_passwords.py."""
    return lambda: Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
