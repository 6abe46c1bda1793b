"""The web application as a WSGI server imports it."""

from __future__ import annotations

from repo_service.app import create_app
from repo_service.http import logging
from repo_service.settings import Settings

_settings = Settings()
logging.configure(level=_settings.log_level, style=_settings.log_format)
app = create_app(_settings)
