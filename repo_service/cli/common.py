"""What every command shares: the services, opened and closed, and errors told in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from ipaddress import ip_address
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from urllib.parse import urlsplit

import click
from pydantic import ValidationError

from repo_service import importing
from repo_service.domain.errors import DomainError
from repo_service.domain.identity import Identity, Role, Scope
from repo_service.search.errors import IndexLocked
from repo_service.settings import Settings
from storage import StorageError

if TYPE_CHECKING:
    from apiflask import APIFlask

    from repo_service.services.container import Services

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
            store = "The store" if error.store is None else f"The store {error.store}"
            raise click.ClickException(f"{store} says: {error}") from error
        except ValidationError as error:
            if error.title != Settings.__name__:
                raise
            raise click.ClickException(_wrong_settings(error)) from error

    return wrapper


def _wrong_settings(error: ValidationError) -> str:
    lines = []
    for found in error.errors():
        name = f"{Settings.model_config['env_prefix']}{found['loc'][0]}: ".upper() if found["loc"] else ""
        lines.append(name + found["msg"])
    return "\n".join(["A setting cannot be used (docs/settings.md).", *lines])


@contextmanager
def opened(*, writes_index: bool = False, makes: bool = False) -> Iterator[Services]:
    """The services, with the database brought up to date. All that was opened is closed at the end.

    Where there is no repository yet, one is made only for a command that ``makes`` one: others would do their
    work on an empty one without a word, in whatever folder they were typed.
    """
    with importing.kept():
        from repo_service.app import create_app, has_schema, migrate, services_of

    settings = Settings()
    if not makes and not settings.data_dir.exists():
        raise _no_repository(settings)
    try:
        app = create_app(settings, writes_index=writes_index)
    except ValueError as error:  # a setting that makes no sense
        raise click.ClickException(str(error)) from error
    services = services_of(app)
    try:
        if not makes and not has_schema(app):
            raise _no_repository(settings)
        migrate(app)
        with app.app_context():
            yield services
    finally:
        close(app)


def _no_repository(settings: Settings) -> click.ClickException:
    return click.ClickException(
        f"There is no repository with its data in {settings.data_dir}. Give this command the settings of the "
        "service (REPO_DATA_DIR, REPO_DATABASE_URL …); `repo run` or `repo migrate` makes a new one."
    )


def is_loopback(url: str) -> bool:
    """Whether only this machine can reach that address."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost" or host.endswith(".localhost")


def close(app: APIFlask) -> None:
    """Let go of everything that the application has open."""
    from repo_service.app import engine_of, queue_of, services_of

    services_of(app).close()
    queue_of(app).close()
    engine_of(app).dispose()
