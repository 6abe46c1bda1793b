"""What a view needs from around it: the services, the settings, and who asks."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app, g

from repo_service.domain.identity import Identity, Registration
from repo_service.http.metrics import Metrics
from repo_service.http.oidc import Provider
from repo_service.services.container import Services

_KEY = "repo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the HTTP faces know of the settings."""

    name: str
    base_url: str
    max_upload_size: int
    accel_redirect: str
    send_limit: int
    read_only: bool
    registration: Registration
    sends_mail: bool
    """Whether letters leave the machine; otherwise they are written to its log."""
    provider: Provider | None = None
    """Where people can sign in, too."""


def install(app: Flask, services: Services, site: Site, metrics: Metrics) -> None:
    """Give an application its services. Called by the composition root."""
    app.extensions[_KEY] = (services, site, metrics)


def services() -> Services:
    """The use cases of the application that answers."""
    found: Services = current_app.extensions[_KEY][0]
    return found


def site() -> Site:
    """The site of the application that answers."""
    found: Site = current_app.extensions[_KEY][1]
    return found


def metrics() -> Metrics:
    """What the application counts."""
    found: Metrics = current_app.extensions[_KEY][2]
    return found


def identity() -> Identity:
    """Who asks; see ``authentication``."""
    found: Identity = g.identity
    return found
