"""What every command shares: the services, opened and closed, and errors told in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from repo_service.domain.errors import DomainError
from repo_service.domain.identity import Identity, Role, Scope
from repo_service.search.errors import IndexLocked
from repo_service.services.container import Services
from storage import StorageError

if TYPE_CHECKING:
    from apiflask import APIFlask

P = ParamSpec("P")
R = TypeVar("R")

OPERATOR = Identity(username="operator", role=Role.ADMINISTRATOR, scopes=frozenset(Scope))
"""Whoever can run this command can read the database anyway. Deeds are audited without an account."""


def tells_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn errors that a person can act on into one line and exit status 1."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except DomainError as error:
            raise click.ClickException(error.detail) from error
        except IndexLocked as error:
            raise click.ClickException("The worker is writing the search index: stop it first.") from error
        except StorageError as error:
            raise click.ClickException(f"The store says: {error}") from error

    return wrapper


@contextmanager
def opened(*, writes_index: bool = False) -> Iterator[Services]:
    """The services, with the database brought up to date. All that was opened is closed at the end."""
    from repo_service.app import create_app, migrate, services_of

    try:
        app = create_app(writes_index=writes_index)
    except ValueError as error:  # a setting that makes no sense
        raise click.ClickException(str(error)) from error
    services = services_of(app)
    try:
        migrate(app)
        with app.app_context():
            yield services
    finally:
        close(app)


def close(app: APIFlask) -> None:
    """Let go of everything that the application has open."""
    from repo_service.app import engine_of, queue_of, services_of

    services_of(app).search.close()
    queue_of(app).close()
    engine_of(app).dispose()
